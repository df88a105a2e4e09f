/* SPDX-License-Identifier: BSD-2-Clause */
/* codec.h - what codec_bench measures: implementations of protobuf, each with the ways that it has to encode and to
 *           decode a message */
#ifndef BENCH_CODEC_H
#define BENCH_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A message to work on, and the schema that it is of as a FileDescriptorSet, all in the protobuf encoding. */
typedef struct codec_input {
    const char *type;
    const void *bytes;
    size_t size;
    const void *schema;
    size_t schema_size;
} codec_input;

/* The message in the form of one implementation. */
typedef struct codec_subject codec_subject;

typedef enum codec_task {
    CODEC_ENCODE,
    CODEC_DECODE,
    CODEC_MARSHAL,
    CODEC_UNMARSHAL,
    CODEC_COPY,
    CODEC_LIST, /* to and from lists of pieces, which is not to be compared with what others do with one buffer */
    CODEC_TASKS
} codec_task;

typedef struct codec_way {
    codec_task task;
    const char *name; /* what is special about it, "reused message" */
    /* Does it `times` times; false when one went wrong. */
    bool (*run)(codec_subject *subject, size_t times);
} codec_way;

typedef struct codec_peer {
    const char *name;      /* with its version */
    const codec_way *ways; /* up to one without run */
    /* NULL when the implementation cannot take the message. Lives until the process ends. */
    codec_subject *(*open)(const codec_input *input);
    /* Bytes that the decoded message takes from malloc. */
    size_t (*memory)(codec_subject *subject);
} codec_peer;

extern const codec_peer codec_mrpc, codec_libprotobuf, codec_protobuf_c, codec_upb;

#ifdef __cplusplus
}
#endif

#endif /* BENCH_CODEC_H */
