/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * descriptor.h - the schema of a program's messages at run time: names, types, numbers, options, as descriptor.proto
 *                has them
 *
 * Generated code has the descriptor of its file, without comments, in mrpc_file.descriptor. Here it becomes a message,
 * whose functions are in <google/protobuf/descriptor.mrpc.h>. Options of one's own are among the unknown fields of the
 * options, in the protobuf encoding.
 *
 * Nothing here blocks, or keeps anything between calls; all may be called by many threads.
 */
#ifndef MRPC_DESCRIPTOR_H
#define MRPC_DESCRIPTOR_H

#include <google/protobuf/descriptor.mrpc.h>
#include <mrpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The descriptor of a file, in an arena of its own over `heap` (NULL: malloc): the caller releases it. Returns 0 or,
 * with the reason in *error, MRPC_ENOMEM; MRPC_EFORMAT when the table is damaged. It takes time linear in the schema:
 * keep it when it is needed again. */
MRPC_API MRPC_MUST_CHECK int mrpc_file_descriptor(const mrpc_file *file, mrpc_heap *heap,
                                                  google_protobuf_FileDescriptorProto **descriptor, mrpc_error *error);

/* The part of a file's descriptor that describes a type, nested ones and entries of maps included; NULL: the type is of
 * another file. It lies in the descriptor. */
MRPC_API const google_protobuf_DescriptorProto *
mrpc_type_descriptor(const mrpc_type *type, const google_protobuf_FileDescriptorProto *descriptor);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_DESCRIPTOR_H */
