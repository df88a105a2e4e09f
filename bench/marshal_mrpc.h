/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_mrpc.h - mrpc's half of marshal_bench; the other half is C++ and knows nothing of mrpc's headers */
#ifndef BENCH_MARSHAL_MRPC_H
#define BENCH_MARSHAL_MRPC_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mrpc_subject mrpc_subject;

/* The message of type `name` that `size` bytes in the protobuf encoding describe; NULL when that fails. Lives until the
 * process ends. */
mrpc_subject *mrpc_subject_new(const char *name, const void *protobuf, size_t size);

/* Bytes of the native block. */
size_t mrpc_subject_native_size(const mrpc_subject *subject);

/* What can be measured. Each does it `times` times and returns false when one went wrong. */
bool mrpc_do_copy(mrpc_subject *subject, size_t times); /* memcpy of the block */
bool mrpc_do_marshal(mrpc_subject *subject, size_t times);
bool mrpc_do_unmarshal(mrpc_subject *subject, size_t times); /* a copy of the block, and then in place */
bool mrpc_do_encode(mrpc_subject *subject, size_t times);
bool mrpc_do_decode(mrpc_subject *subject, size_t times); /* into an arena of its own, which is freed */

#ifdef __cplusplus
}
#endif

#endif /* BENCH_MARSHAL_MRPC_H */
