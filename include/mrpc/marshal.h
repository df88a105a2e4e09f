/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * marshal.h - the ABI of a marshal module: turning messages into bytes and back
 *
 * A marshal module is generated code for all messages of one .proto file, and for those of other files that they
 * reach, so that it needs nothing of another module. The same source is linked into a program, or built as a shared
 * object that the runtime loads and replaces while calls are in flight. A module keeps no state between messages, no
 * message points into it, and its only undefined symbols are those of the C library's string functions. All it needs
 * to work on comes in through mrpc_gather, mrpc_scatter and mrpc_decoder; the helpers that generated code
 * uses are static inline functions in <mrpc/marshal/native.h> and <mrpc/marshal/protobuf.h>.
 *
 * docs/PROTOCOL.md describes both encodings.
 *
 * Every struct here begins with its size or is passed by pointer from the runtime; members are only ever added at the
 * end, and MRPC_MODULE_ABI is raised when something changes its meaning.
 */
#ifndef MRPC_MARSHAL_H
#define MRPC_MARSHAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/heap.h>
#include <mrpc/message.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MRPC_MODULE_ABI 2u

/* Bytes that are not copied but referenced where they lie. */
typedef struct mrpc_extent {
    const void *data;
    uint64_t size;
} mrpc_extent;

enum {
    MRPC_EXTERNAL_THRESHOLD = 4096, /* default of mrpc_gather.threshold, bytes */
    MRPC_EXTENT_LIMIT = 1024,       /* extents of one message */
    MRPC_DEPTH_LIMIT = 100,         /* nesting of messages; the same as libprotobuf's */
    MRPC_CODEC_LIMIT = 65536,       /* codecs of one module */
    MRPC_STAMP_SIZE = 16            /* bytes of a build's stamp, NUL-padded */
};

/* Marks an external reference in the pointer of a native block; the low bits are the index of the extent. */
#define MRPC_NATIVE_EXTERNAL (UINT64_C(1) << 63)

/* The output of marshalling. The runtime owns the memory; a codec appends to `block` and `extents`. */
typedef struct mrpc_gather mrpc_gather;
struct mrpc_gather {
    char *block;     /* aligned to 8 */
    size_t size;     /* bytes written */
    size_t capacity; /* bytes that there is room for */
    mrpc_extent *extents;
    uint32_t extent_count;
    uint32_t extent_capacity; /* when it is reached, what follows is copied into block whatever its size */
    uint32_t threshold; /* bytes fields and numeric lists of at least so many bytes are referenced; UINT32_MAX: never */
    uint32_t depth;     /* of nesting that is still allowed */
    size_t limit;       /* most bytes of block and extents together */
    /* Makes block hold at least `capacity` bytes, keeping the first `size` bytes of it; block may move. Returns 0,
     * MRPC_ENOMEM or MRPC_ELIMIT. */
    int (*grow)(mrpc_gather *gather, size_t capacity);
    void *context;      /* of grow */
    size_t extent_size; /* bytes that are referenced, set where extent_count is not 0 */
    /* Set by the codec; in the module's memory, so that the caller copies them at once. */
    const char *stamp; /* the module's build stamp */
    const char *where; /* on failure, the full name of the field */
    const char *what;  /* on failure, the reason, in words */
};

/* For codecs: makes the block hold at least `needed` bytes, which is within the limit, and at least twice what it held,
 * so that all growing together costs as much as the last time. */
static inline int mrpc_gather_more(mrpc_gather *gather, size_t needed)
{
    size_t twice = gather->capacity < gather->limit / 2 ? 2 * gather->capacity : gather->limit;
    int error = gather->grow(gather, twice < needed ? needed : twice);
    if (error == 0 && gather->capacity < needed)
        error = MRPC_ENOMEM;
    if (error != 0)
        gather->what = error == MRPC_ELIMIT ? "does not fit: the message is larger than the limit"
                                            : "does not fit: there is no memory";
    return error;
}

/* For codecs: a block to begin with, when there is none yet. `where` is the type. */
static inline int mrpc_gather_begin(mrpc_gather *gather, const char *where)
{
    if (MRPC_LIKELY(gather->block != NULL))
        return 0;
    gather->where = where;
    return mrpc_gather_more(gather, 512);
}

/* The input of native unmarshalling, worked on in place. block[0 .. size) is aligned to 8, private to the receiver and
 * becomes the message; extents are where the runtime placed the payloads. */
typedef struct mrpc_scatter {
    char *block;
    size_t size;
    const mrpc_extent *extents;
    uint32_t extent_count;
    uint32_t extent_next;
    size_t cursor; /* where the next thing must begin: each offset must equal it */
    uint32_t depth;
    uint32_t flags; /* 0 */
    const char *stamp;
    const char *where; /* on failure, the full name of the field */
    const char *what;  /* on failure, the reason, in words; static in the module */
} mrpc_scatter;

/* mrpc_decoder.flags: bytes fields may point into the input, which stays as long as the message and as it is. */
#define MRPC_DECODE_ALIAS (UINT32_C(1) << 16)

/* More of the message follows, in another call with the same decoder: maps are not sorted yet, and no required field is
 * missing yet. A last call without it, with nothing to read if need be, sees to that for all that was read. */
#define MRPC_DECODE_PARTIAL (UINT32_C(1) << 17)

/* The input of protobuf decoding. */
typedef struct mrpc_decoder {
    const uint8_t *cursor; /* on failure, where it stopped */
    const uint8_t *end;
    const uint8_t *start;
    mrpc_arena *arena; /* strings, bytes, lists and sub-messages are taken from it */
    /* mrpc_arena_grow, handed in so that a module needs no symbol of the library. */
    void *(*grow)(mrpc_arena *arena, size_t bytes);
    uint32_t depth;
    uint32_t flags; /* MRPC_DECODE_…; the others are the codecs' own, 0 to begin with */
    const char *stamp;
    const char *where; /* on failure, the full name of the field or of the message */
    const char *what;  /* on failure, the reason, in words */
} mrpc_decoder;

/* What a module does for one type of message. marshal and unmarshal are NULL where fingerprint.layout is 0; all four
 * are NULL for the entry of a map, which has a place in the table only so that indices are those of the schema. Each
 * function returns 0 or MRPC_E…; on failure nothing is to be used. */
typedef struct mrpc_codec {
    const char *name; /* full name of the type */
    mrpc_fingerprint fingerprint;
    uint32_t size;  /* sizeof the struct */
    uint32_t flags; /* 0 */
    /* Appends the message in the native encoding: the struct at the current, 8-aligned end of an empty block, then what
     * it points to. ENOMEM, ELIMIT (gather->limit), EINVAL (nesting deeper than depth, a string that is not UTF-8, a
     * size without data). */
    int (*marshal)(mrpc_gather *gather, const void *message);
    /* Validates a native block and turns its offsets into pointers, in one pass, in place; block then begins with the
     * message. EFORMAT. */
    int (*unmarshal)(mrpc_scatter *scatter);
    /* Appends the message in the protobuf encoding. When there is room for three extents or more, strings, bytes,
     * packed lists of fixed-size numbers and unknown fields of more than 64 bytes and at least the threshold are
     * referenced; extents are then all parts of the message in their order, those of the block as well, and extent_size
     * is the bytes of those that are not. With an extent_count of 0 nothing was referenced. Errors as marshal. */
    int (*encode)(mrpc_gather *gather, const void *message);
    /* Merges [cursor, end) into a message that was constructed, or zeroed but for its arena. EFORMAT, ENOMEM. */
    int (*decode)(mrpc_decoder *decoder, void *message);
} mrpc_codec;

/* A message made by the generator to test a module before it is used: decoding `protobuf` and marshalling the result
 * must give `native` (after which unmarshal and encode must give `protobuf` again). */
typedef struct mrpc_vector {
    uint32_t codec;
    uint32_t protobuf_size;
    uint32_t native_size; /* with the threshold at UINT32_MAX; 0 where the layout is not native */
    uint32_t reserved;
    const uint8_t *protobuf;
    const uint8_t *native;
} mrpc_vector;

/* The table that a module exports, as the symbol `mrpc_module_export` of a shared object, or under a name of its own
 * when linked in. Read-only. */
typedef struct mrpc_module {
    uint32_t table_size; /* sizeof(mrpc_module) of the generator */
    uint32_t abi;        /* MRPC_MODULE_ABI */
    const char *file;    /* as mrpc_file.name */
    const char *stamp;   /* at most MRPC_STAMP_SIZE - 1 bytes; "" for none */
    mrpc_fingerprint fingerprint;
    uint32_t codec_count;
    uint32_t vector_count;
    const mrpc_codec
        *codecs; /* those of the file's own types first, in the order of mrpc_file.types, then of imported types */
    const mrpc_vector *vectors;
} mrpc_module;

/* The ELF note of a shared module (section .note.mrpc, owner "mrpc", type MRPC_NOTE_MODULE), read before anything is
 * loaded. Byte order of the machine. */
enum { MRPC_NOTE_MODULE = 1, MRPC_NOTE_SERVICE = 2 };

typedef struct mrpc_module_note {
    uint32_t name_size; /* 5, "mrpc" and its NUL */
    uint32_t description_size;
    uint32_t type;
    char name[8]; /* "mrpc", padded to 4 by ELF's rule: 8 bytes */
    /* the description */
    uint32_t abi;
    uint64_t schema;
    uint64_t layout;
    char stamp[MRPC_STAMP_SIZE];
    char file[256]; /* as mrpc_file.name, NUL-padded */
} __attribute__((packed, aligned(4))) mrpc_module_note;

#ifdef __cplusplus
}
#endif

#endif /* MRPC_MARSHAL_H */
