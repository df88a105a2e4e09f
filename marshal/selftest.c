/* SPDX-License-Identifier: BSD-2-Clause */
/* selftest.c - see selftest.h */
#include "config.h"

#include "marshal/selftest.h"

#include <stdlib.h>
#include <string.h>

#include "marshal/gather.h"

enum {
    VECTOR_LIMIT = 1 << 20,
    TEST_EXTENTS = 64,
    SHORT_BLOCKS = 1024 /* at most so many lengths are tried of a block */
};

/* One vector under test. */
typedef struct trial {
    const mrpc_codec *codec;
    const mrpc_vector *vector;
    uint32_t index;
    mrpc_arena *arena;
    mrpc_message *decoded;
    mrpc_error *error;
} trial;

/* The entry of a map has a place in the table and no functions. */
static bool codec_is_complete(const mrpc_codec *codec)
{
    bool native = codec->fingerprint.layout != 0;
    if (codec->name == NULL || codec->size == 0)
        return false;
    if (codec->marshal == NULL && codec->unmarshal == NULL && codec->encode == NULL && codec->decode == NULL)
        return true;
    return codec->encode != NULL && codec->decode != NULL && codec->size >= sizeof(mrpc_message) &&
           codec->size % sizeof(void *) == 0 && (codec->marshal != NULL) == native &&
           (codec->unmarshal != NULL) == native;
}

static bool vector_is_complete(const mrpc_module *module, const mrpc_vector *vector)
{
    return vector->codec < module->codec_count && module->codecs[vector->codec].encode != NULL &&
           (vector->protobuf_size == 0 || vector->protobuf != NULL) &&
           (vector->native_size == 0 || vector->native != NULL) &&
           (vector->native_size != 0) == (module->codecs[vector->codec].marshal != NULL);
}

int mrpc_module_check(const mrpc_module *module, mrpc_error *error)
{
    if (module->table_size < sizeof *module)
        return mrpc_error_set(error, MRPC_EMODULE, "its table has %u bytes instead of %zu", module->table_size,
                              sizeof *module);
    if (module->abi != MRPC_MODULE_ABI)
        return mrpc_error_set(error, MRPC_EMISMATCH,
                              "its ABI is %u and that of this libmrpc is %u: build the module again", module->abi,
                              MRPC_MODULE_ABI);
    if (module->file == NULL || module->stamp == NULL || strnlen(module->stamp, MRPC_STAMP_SIZE) == MRPC_STAMP_SIZE)
        return mrpc_error_set(error, MRPC_EMODULE, "its table has no file name, or no proper stamp");
    if (module->codec_count > MRPC_CODEC_LIMIT || module->vector_count > VECTOR_LIMIT ||
        (module->codec_count != 0 && module->codecs == NULL) || (module->vector_count != 0 && module->vectors == NULL))
        return mrpc_error_set(error, MRPC_EMODULE, "its table says %u codecs and %u vectors, which cannot be",
                              module->codec_count, module->vector_count);
    for (uint32_t i = 0; i < module->codec_count; i++)
        if (!codec_is_complete(&module->codecs[i]))
            return mrpc_error_set(error, MRPC_EMODULE, "its codec %u is incomplete", i);
    for (uint32_t i = 0; i < module->vector_count; i++)
        if (!vector_is_complete(module, &module->vectors[i]))
            return mrpc_error_set(error, MRPC_EMODULE, "its self-test vector %u is incomplete", i);
    return 0;
}

static int failed(const trial *t, const char *what)
{
    return mrpc_error_set(t->error, MRPC_EMODULE, "its self-test failed: vector %u, of %s: %s", t->index,
                          t->codec->name, what);
}

static int no_memory(const trial *t)
{
    return mrpc_error_set(t->error, MRPC_ENOMEM, "there is no memory for its self-test");
}

/* A codec's stamp must be that of the table, which the caller has compared with the note. */
static bool stamped(const mrpc_module *module, const char *stamp)
{
    return stamp != NULL && strcmp(stamp, module->stamp) == 0;
}

static int decode(trial *t, const mrpc_module *module)
{
    static const uint8_t nothing[1];
    const uint8_t *start = t->vector->protobuf_size != 0 ? t->vector->protobuf : nothing;
    mrpc_decoder decoder = {.start = start,
                            .cursor = start,
                            .end = start + t->vector->protobuf_size,
                            .arena = t->arena,
                            .grow = mrpc_arena_grow,
                            .depth = MRPC_DEPTH_LIMIT};
    t->decoded = mrpc_arena_alloc(t->arena, t->codec->size);
    if (t->decoded == NULL)
        return no_memory(t);
    memset(t->decoded, 0, t->codec->size);
    t->decoded->arena = t->arena;
    if (t->codec->decode(&decoder, t->decoded) != 0)
        return failed(t, "decoding protobuf is refused");
    return stamped(module, decoder.stamp) ? 0 : failed(t, "decoding gives another stamp than the table");
}

/* Encodes a message and compares. */
static int encode(const trial *t, const mrpc_module *module, const void *message, const char *what)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    int result = t->codec->encode(&buffer.gather, message) != 0 ? failed(t, "encoding protobuf is refused") : 0;
    if (result == 0 &&
        (buffer.gather.size != t->vector->protobuf_size ||
         (buffer.gather.size != 0 && memcmp(buffer.gather.block, t->vector->protobuf, buffer.gather.size) != 0)))
        result = failed(t, what);
    if (result == 0 && !stamped(module, buffer.gather.stamp))
        result = failed(t, "encoding gives another stamp than the table");
    mrpc_gather_buffer_free(&buffer);
    return result;
}

/* Unmarshals a block, which is changed by that, and compares what comes out by encoding it. */
static int unmarshal(const trial *t, const mrpc_module *module, char *block, size_t size, const mrpc_extent *extents,
                     uint32_t count)
{
    mrpc_scatter scatter = {
        .block = block, .size = size, .extents = extents, .extent_count = count, .depth = MRPC_DEPTH_LIMIT};
    if (t->codec->unmarshal(&scatter) != 0)
        return failed(t, "unmarshalling is refused");
    if (!stamped(module, scatter.stamp))
        return failed(t, "unmarshalling gives another stamp than the table");
    return encode(t, module, block, "unmarshalled and encoded it is not the same");
}

static int marshal(const trial *t, const mrpc_module *module)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    int result = t->codec->marshal(&buffer.gather, t->decoded) != 0 ? failed(t, "marshalling is refused") : 0;
    if (result == 0 && (buffer.gather.size != t->vector->native_size ||
                        memcmp(buffer.gather.block, t->vector->native, t->vector->native_size) != 0))
        result = failed(t, "decoded and marshalled it is not the same");
    if (result == 0 && !stamped(module, buffer.gather.stamp))
        result = failed(t, "marshalling gives another stamp than the table");
    if (result == 0)
        result = unmarshal(t, module, buffer.gather.block, buffer.gather.size, NULL, 0);
    mrpc_gather_buffer_free(&buffer);
    return result;
}

/* The same with everything that can be referenced in extents. */
static int marshal_with_extents(const trial *t, const mrpc_module *module)
{
    mrpc_extent extents[TEST_EXTENTS];
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    buffer.gather.extents = extents;
    buffer.gather.extent_capacity = TEST_EXTENTS;
    buffer.gather.threshold = 1;
    int result =
        t->codec->marshal(&buffer.gather, t->decoded) != 0 ? failed(t, "marshalling with extents is refused") : 0;
    if (result == 0)
        result = unmarshal(t, module, buffer.gather.block, buffer.gather.size, extents, buffer.gather.extent_count);
    mrpc_gather_buffer_free(&buffer);
    return result;
}

/* A shorter block must be refused, whatever its length; of a long one not all lengths are tried. */
static int refuse_short(const trial *t)
{
    char *block = malloc(t->vector->native_size);
    if (block == NULL)
        return no_memory(t);
    int result = 0;
    size_t step = 8 + t->vector->native_size / SHORT_BLOCKS / 8 * 8;
    for (size_t left = 8; result == 0 && left <= t->vector->native_size; left += step) {
        size_t size = t->vector->native_size - left;
        memcpy(block, t->vector->native, size);
        mrpc_scatter scatter = {.block = block, .size = size, .depth = MRPC_DEPTH_LIMIT};
        if (t->codec->unmarshal(&scatter) == 0)
            result = failed(t, "a block that is cut off is accepted");
    }
    free(block);
    return result;
}

static int run(trial *t, const mrpc_module *module)
{
    int result = decode(t, module);
    if (result == 0)
        result = encode(t, module, t->decoded, "decoded and encoded it is not the same");
    if (result == 0 && t->vector->native_size != 0)
        result = marshal(t, module);
    if (result == 0 && t->vector->native_size != 0)
        result = marshal_with_extents(t, module);
    if (result == 0 && t->vector->native_size != 0)
        result = refuse_short(t);
    return result;
}

int mrpc_module_self_test(const mrpc_module *module, mrpc_error *error)
{
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < module->vector_count; i++) {
        trial t = {.vector = &module->vectors[i], .index = i, .error = error, .arena = mrpc_arena_new(NULL, 0)};
        t.codec = &module->codecs[t.vector->codec];
        result = t.arena == NULL ? no_memory(&t) : run(&t, module);
        mrpc_arena_free(t.arena);
    }
    return result;
}
