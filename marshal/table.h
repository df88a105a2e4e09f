/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - the protobuf encoding of a message whose type has no generated code in the program: by its tables
 *
 * It does what generated code does, several times slower; errors name the field without its message. All unknown fields
 * are written behind the known ones, where generated code of a message with ranges for extensions puts those between.
 */
#ifndef MRPC_MARSHAL_TABLE_H
#define MRPC_MARSHAL_TABLE_H

#include <mrpc/marshal.h>

/* As mrpc_codec.encode. */
MRPC_MUST_CHECK int mrpc_table_encode(const mrpc_type *type, mrpc_gather *gather, const void *message);

/* As mrpc_codec.decode. */
MRPC_MUST_CHECK int mrpc_table_decode(const mrpc_type *type, mrpc_decoder *decoder, void *message);

#endif /* MRPC_MARSHAL_TABLE_H */
