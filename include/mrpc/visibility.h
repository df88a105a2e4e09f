/* SPDX-License-Identifier: BSD-2-Clause */
/* visibility.h - what every public header needs to declare a function. */
#ifndef MRPC_VISIBILITY_H
#define MRPC_VISIBILITY_H

#define MRPC_API __attribute__((visibility("default")))
#define MRPC_HIDDEN __attribute__((visibility("hidden")))
#define MRPC_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#define MRPC_MUST_CHECK __attribute__((warn_unused_result))

#define MRPC_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define MRPC_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* The version of this source tree; configure checks that it says the same. */
#define MRPC_VERSION_MAJOR 0
#define MRPC_VERSION_MINOR 1
#define MRPC_VERSION_PATCH 0
#define MRPC_VERSION_STRING "0.1.0"

#endif /* MRPC_VISIBILITY_H */
