/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * analysis.h - tells analysers, which read one source file at a time, that the setters of errors never return 0
 *
 * `make lint` includes it before everything else. Otherwise they follow each failure as if it had been a success.
 */
#ifndef MRPC_TESTS_ANALYSIS_H
#define MRPC_TESTS_ANALYSIS_H

#include "config.h"

#include <mrpc/error.h>

static inline int analysis_result(int result, int code)
{
    (void)result;
    return code;
}

#define mrpc_error_set(error, code, ...) analysis_result((mrpc_error_set)(error, code, __VA_ARGS__), code)
#define mrpc_error_system(...) analysis_result((mrpc_error_system)(__VA_ARGS__), MRPC_ESYS)

#endif /* MRPC_TESTS_ANALYSIS_H */
