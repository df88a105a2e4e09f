/* SPDX-License-Identifier: BSD-2-Clause */
/* protobuf_c.h - what protobuf-c makes of messages */
#ifndef MRPC_DIFFERENTIAL_PROTOBUF_C_H
#define MRPC_DIFFERENTIAL_PROTOBUF_C_H

#include "tests/differential/compare.h"

typedef struct ProtobufCMessageDescriptor protobuf_c_type;

/* Fails the test where mrpc and protobuf-c differ about messages of libprotobuf's, `rounds` of each type; `types` ends
 * with NULL. Returns how many were compared. */
size_t compare_protobuf_c(const compared_schema *schema, const protobuf_c_type *const *types, random_source *source,
                          unsigned rounds);

#endif /* MRPC_DIFFERENTIAL_PROTOBUF_C_H */
