/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.h - what the fuzz targets of the encodings have in common
 *
 * The first byte of an input says which type it is tried as. With libFuzzer: `make fuzz` (needs clang), then
 *   tests/fuzz/marshal/native FOLDER
 * Without it the same functions are run over the files in corpus/ by replay.c, as part of `make check`.
 */
#ifndef MRPC_FUZZ_TARGET_H
#define MRPC_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "everything.mrpc.h"
#include "marshal/gather.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property does not hold: a fuzzer and a test both take notice of this. */
#define REQUIRE(condition)                                                                                             \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), abort()))

static inline const mrpc_type *target_type(uint8_t selector)
{
    static const mrpc_type *const types[] = {
        &everything_Plain_type, &everything_Optional_type, &everything_Lists_type, &everything_Maps_type,
        &everything_OneOf_type, &everything_Tree_type,     &everything_Empty_type, &everything_Everything_type,
    };
    return types[selector % (sizeof types / sizeof *types)];
}

static inline const mrpc_codec *target_codec(const mrpc_type *type)
{
    return &type->file->linked->codecs[type->codec];
}

/* Bytes of their own, so that a sanitizer sees every step beyond them. */
static inline void *target_copy(const void *data, size_t size)
{
    void *copy = malloc(size != 0 ? size : 1);
    REQUIRE(copy != NULL);
    if (size != 0)
        memcpy(copy, data, size);
    return copy;
}

/* NULL: refused. */
static inline mrpc_message *target_decode(const mrpc_type *type, const void *data, size_t size)
{
    mrpc_message *message = mrpc_message_new(type, NULL);
    REQUIRE(message != NULL);
    uint8_t *bytes = target_copy(data, size);
    mrpc_decoder decoder = {.start = bytes,
                            .cursor = bytes,
                            .end = bytes + size,
                            .arena = message->arena,
                            .grow = mrpc_arena_grow,
                            .depth = MRPC_DEPTH_LIMIT};
    int result = target_codec(type)->decode(&decoder, message);
    REQUIRE(result == 0 || (decoder.where != NULL && decoder.what != NULL));
    free(bytes);
    if (result == 0)
        return message;
    mrpc_release(message);
    return NULL;
}

#endif /* MRPC_FUZZ_TARGET_H */
