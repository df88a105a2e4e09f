/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.h - what generated messages are made of, and the functions that work on any of them
 *
 * A message is a plain struct that begins with mrpc_message and lies, with all that it points to, in one
 * arena. It can be read like any struct. Members of scalar type are written directly; strings, bytes,
 * lists, maps and sub-messages need memory, which the functions here take from the arena of the message.
 *
 * A message that the runtime hands out is const: read it, copy it, release it. A message on the stack or in
 * static memory (arena NULL) can be sent as well; functions that need memory refuse it with MRPC_EINVAL.
 *
 * Memory of a long-lived message that is changed again and again is not reused until the whole arena goes:
 * copy such a message from time to time.
 *
 * Threads: a message may be read by many threads, or changed by one.
 */
#ifndef MRPC_MESSAGE_H
#define MRPC_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <mrpc/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C++ has no member like mrpc_unknown.data, but its compilers do. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"

/* Unknown fields of a message, in the protobuf encoding, kept so that they are passed on. */
typedef struct mrpc_unknown {
    size_t size;
    size_t capacity; /* bytes that there is room for in data; 0: exactly `size`, as in received messages */
    uint8_t data[];
} mrpc_unknown;

#pragma GCC diagnostic pop

/* The head of every generated message. */
typedef struct mrpc_message {
    mrpc_arena *arena;     /* the arena that the message lies in; NULL: storage of the caller, or a sub-message
                              of a received message */
    mrpc_unknown *unknown; /* NULL when there are none */
} mrpc_message;

/* UTF-8 text; data[size] is NUL. data may be NULL only in a zeroed message that was never constructed, and is
 * then read as empty. In constructed and received messages data is never NULL. */
typedef struct mrpc_string {
    char *data;
    size_t size; /* bytes without the NUL */
} mrpc_string;

typedef struct mrpc_bytes {
    uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
} mrpc_bytes;

/* Repeated fields. Generated lists of messages have the same three members with `Message **data`. */
#define MRPC_LIST(type, name)                                                                                          \
    typedef struct name {                                                                                              \
        type *data;      /* NULL when size is 0 and nothing was ever added */                                          \
        size_t size;     /* elements */                                                                                \
        size_t capacity; /* elements that there is room for; 0 in received messages */                                 \
    } name

MRPC_LIST(bool, mrpc_bool_list);
MRPC_LIST(int32_t, mrpc_int32_list); /* also of enums */
MRPC_LIST(uint32_t, mrpc_uint32_list);
MRPC_LIST(int64_t, mrpc_int64_list);
MRPC_LIST(uint64_t, mrpc_uint64_list);
MRPC_LIST(float, mrpc_float_list);
MRPC_LIST(double, mrpc_double_list);
MRPC_LIST(mrpc_string, mrpc_string_list);
MRPC_LIST(mrpc_bytes, mrpc_bytes_list);

/* --- tables: what generated code says of its types --- */

typedef struct mrpc_type mrpc_type;
typedef struct mrpc_enum mrpc_enum;
typedef struct mrpc_file mrpc_file;
typedef struct mrpc_extension mrpc_extension; /* see extension.h */

/* Numbered as FieldDescriptorProto.Type in descriptor.proto. */
typedef enum mrpc_field_type {
    MRPC_TYPE_DOUBLE = 1,
    MRPC_TYPE_FLOAT,
    MRPC_TYPE_INT64,
    MRPC_TYPE_UINT64,
    MRPC_TYPE_INT32,
    MRPC_TYPE_FIXED64,
    MRPC_TYPE_FIXED32,
    MRPC_TYPE_BOOL,
    MRPC_TYPE_STRING,
    MRPC_TYPE_GROUP,
    MRPC_TYPE_MESSAGE,
    MRPC_TYPE_BYTES,
    MRPC_TYPE_UINT32,
    MRPC_TYPE_ENUM,
    MRPC_TYPE_SFIXED32,
    MRPC_TYPE_SFIXED64,
    MRPC_TYPE_SINT32,
    MRPC_TYPE_SINT64
} mrpc_field_type;

/* How a field is held in the struct. */
typedef enum mrpc_field_kind {
    MRPC_FIELD_IMPLICIT, /* a value; the type's zero means absent */
    MRPC_FIELD_OPTIONAL, /* a value and a bool `has_…`; a message: a pointer, NULL means absent */
    MRPC_FIELD_ONEOF,    /* a member of a union; the case holds the field's number, 0 means none */
    MRPC_FIELD_LIST,     /* data, size, capacity */
    MRPC_FIELD_MAP       /* data, size, capacity of entries sorted by key; `message` is the entry's type */
} mrpc_field_kind;

typedef struct mrpc_field {
    const char *name; /* as in the schema */
    uint32_t number;
    uint32_t offset;   /* of the member */
    uint32_t presence; /* OPTIONAL: offset of has_…; ONEOF: offset of the case; else 0. For an OPTIONAL message: 0. */
    uint8_t type;      /* mrpc_field_type */
    uint8_t kind;      /* mrpc_field_kind */
    uint16_t flags;    /* MRPC_FIELD_PACKED and the like */
    const mrpc_type *message;     /* MESSAGE, and the entry type of MAP */
    const mrpc_enum *enumeration; /* ENUM */
} mrpc_field;

#define MRPC_FIELD_PACKED 1u     /* a list is written packed */
#define MRPC_FIELD_REQUIRED 2u   /* OPTIONAL, but a message without it can be neither written nor read */
#define MRPC_FIELD_CLOSED 4u     /* only numbers that the enum names can be in the field */
#define MRPC_FIELD_JSON_NAME 16u /* behind the NUL of `name` stands the name that the option json_name gave */
#define MRPC_FIELD_IN_SET 8u     /* an extension of a message with the option message_set_wire_format */
#define MRPC_FIELD_RAW 32u       /* a string of proto2, which need not be UTF-8 */

/* Says which schema and which memory layout a type has, all types that it reaches included. XXH3 of a canonical
 * text, see docs/PROTOCOL.md. layout is 0 where the native encoding cannot be used (another byte order, another
 * size of pointers). */
typedef struct mrpc_fingerprint {
    uint64_t schema;
    uint64_t layout;
} mrpc_fingerprint;

/* The layout fingerprint in a table: 0 where the compiler lays structs out in another way than docs/PROTOCOL.md. */
#if defined(__LP64__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MRPC_LAYOUT(hash) UINT64_C(hash)
#else
#define MRPC_LAYOUT(hash) UINT64_C(0)
#endif

struct mrpc_type {
    uint32_t table_size; /* sizeof(mrpc_type) of the generator */
    uint32_t size;       /* sizeof the struct */
    const char *name;    /* full name, "package.Outer.Inner" */
    const mrpc_file *file;
    uint32_t codec; /* index of its codec in the marshal module of its file */
    uint32_t field_count;
    const mrpc_field *fields; /* by number */
    mrpc_fingerprint fingerprint;
};

typedef struct mrpc_enum_value {
    const char *name;
    int32_t number;
} mrpc_enum_value;

struct mrpc_enum {
    uint32_t table_size;
    uint32_t value_count;
    const char *name;
    const mrpc_enum_value *values; /* by number, then in the order of the schema (aliases) */
};

struct mrpc_module;

/* One .proto file. */
struct mrpc_file {
    uint32_t table_size;
    uint32_t type_count;
    const char *name;                     /* "examples/kv.proto" as protoc was given it */
    const mrpc_type *const *types;        /* in the order of the schema, nested ones after their parent */
    const struct mrpc_module *linked;     /* marshal module linked into the program, or NULL */
    mrpc_fingerprint fingerprint;         /* of all types of the module */
    const uint8_t *descriptor;            /* the file as a FileDescriptorProto, without source locations */
    size_t descriptor_size;               /* bytes */
    const mrpc_file *const *dependencies; /* its imports, in their order; NULL for one that the program does not have
                                             because nothing of it is used but options */
    size_t dependency_count;
    const mrpc_extension *const *extensions; /* that it declares, nested ones included, by the name of the message that
                                                they extend, then by number */
    size_t extension_count;
};

/* The message of a file with that full name, "package.Outer.Inner"; NULL when the file itself has none, whatever its
 * imports have (mrpc_file.dependencies). Entries of maps are no messages. */
MRPC_API const mrpc_type *mrpc_file_find_type(const mrpc_file *file, const char *full_name);

/* --- messages --- */

/* A zeroed message with strings set to "", in an arena of its own over `heap` (NULL: over malloc). NULL: no memory.
 * The caller owns it and releases it with mrpc_release(). Generated code wraps it as TYPE_new(). */
MRPC_API MRPC_MUST_CHECK void *mrpc_message_new(const mrpc_type *type, mrpc_heap *heap);

/* The same inside the arena of another message, with which it lives and goes. Wrapped as TYPE_new_in(). */
MRPC_API MRPC_MUST_CHECK void *mrpc_message_new_in(const mrpc_type *type, void *owner);

/* Sets the members of a struct in the caller's storage to their defaults; arena is NULL after it. */
MRPC_API void mrpc_message_init(const mrpc_type *type, void *message);

/* Ends a message that was made by mrpc_message_new() or handed out by the runtime, and all that lies in its arena.
 * NULL is allowed; a sub-message or a message in the caller's storage is left alone. */
MRPC_API void mrpc_release(const void *message);

/* A deep copy in an arena of its own over `heap` (or malloc). NULL: no memory, or nested deeper than MRPC_DEPTH_LIMIT
 * (marshal.h), which could not be sent either. */
MRPC_API MRPC_MUST_CHECK void *mrpc_message_copy(const mrpc_type *type, const void *message, mrpc_heap *heap);
/* A deep copy inside the arena of `owner`. */
MRPC_API MRPC_MUST_CHECK void *mrpc_message_copy_in(const mrpc_type *type, const void *message, void *owner);

/* Whether two messages are the same: presence, values, order of lists, unknown fields byte by byte. NaN equals NaN of
 * the same bits, and 0 differs from -0. Messages nested deeper than MRPC_DEPTH_LIMIT are never the same. */
MRPC_API bool mrpc_message_equal(const mrpc_type *type, const void *a, const void *b);

/* Writes the message in protobuf's text format, one field a line, as snprintf does: at most `size` bytes with the NUL,
 * and returns the length that the whole text has. (https://protobuf.dev/reference/protobuf/textformat-spec/) Safe to
 * print on a terminal. `buffer` may be NULL when size is 0. */
MRPC_API size_t mrpc_message_text(const mrpc_type *type, const void *message, char *buffer, size_t size);

/* --- members that need memory; `owner` is the message that the member lies in --- */

/* Each returns 0, MRPC_ENOMEM, or MRPC_EINVAL for an owner without an arena or for NULL with a size; on failure the
 * member is unchanged. Text is not checked here; what is not UTF-8 is refused when the message is sent. The memory that
 * the member had is not given back before the arena goes. */
MRPC_API int mrpc_string_set(void *owner, mrpc_string *string, const char *text);
MRPC_API int mrpc_string_set_n(void *owner, mrpc_string *string, const char *text, size_t size);
MRPC_API int mrpc_string_printf(void *owner, mrpc_string *string, const char *format, ...) MRPC_PRINTF(3, 4);
MRPC_API int mrpc_bytes_set(void *owner, mrpc_bytes *bytes, const void *data, size_t size);
/* Room for `size` bytes, uninitialised: the caller fills all of it. */
MRPC_API int mrpc_bytes_reserve(void *owner, mrpc_bytes *bytes, size_t size);

/* Makes room for `extra` more elements of `element` bytes in a list (any MRPC_LIST). */
MRPC_API int mrpc_list_reserve(void *owner, void *list, size_t element, size_t extra);

/* Why an append failed. */
static inline int mrpc_list_refusal(const void *owner)
{
    return ((const mrpc_message *)owner)->arena == NULL ? MRPC_EINVAL : MRPC_ENOMEM;
}

/* Appends a value: `if (mrpc_list_append(message, &message->numbers, 7) != 0) …`. Evaluates its arguments more than
 * once. */
#define mrpc_list_append(owner, list, value)                                                                           \
    ((list)->size < (list)->capacity || mrpc_list_reserve((owner), (list), sizeof *(list)->data, 1) == 0               \
         ? ((void)((list)->data[(list)->size++] = (value)), 0)                                                         \
         : mrpc_list_refusal(owner))

/* Appends a copy of a string. */
MRPC_API int mrpc_string_list_add(void *owner, mrpc_string_list *list, const char *text, size_t size);
MRPC_API int mrpc_bytes_list_add(void *owner, mrpc_bytes_list *list, const void *data, size_t size);

/* Appends a new message of `type` to a list of messages and returns it; NULL: no memory. Wrapped as TYPE_add_FIELD().
 */
MRPC_API MRPC_MUST_CHECK void *mrpc_message_list_add(void *owner, void *list, const mrpc_type *type);

/* Maps: an array of entries { key; value }, sorted by key (numbers by value, false before true, strings by byte, the
 * shorter first), at most one for each key. `entry` is the type of the entries. Generated code wraps these by type.
 * Lookup takes O(log n); insertion O(1) when keys come in order and O(n) otherwise. */
/* The entry with the key that `key` points to (a scalar of the key's C type, or an mrpc_string), or NULL. */
MRPC_API void *mrpc_map_find(const mrpc_type *entry, const void *map, const void *key);
/* The entry with that key, made when there is none (with a copy of the key and a zero value; a message value is made
 * too); NULL: no memory. Pointers to entries are valid until the next insertion. */
MRPC_API MRPC_MUST_CHECK void *mrpc_map_insert(const mrpc_type *entry, void *owner, void *map, const void *key);
/* Removes the entry; false when there was none. */
MRPC_API bool mrpc_map_remove(const mrpc_type *entry, void *map, const void *key);

/* The name of an enum's value, or NULL when the schema has none for it. */
MRPC_API const char *mrpc_enum_name(const mrpc_enum *enumeration, int32_t number);
/* The number of a name; false when there is none. */
MRPC_API bool mrpc_enum_number(const mrpc_enum *enumeration, const char *name, int32_t *number);

/* --- the protobuf encoding, for storage; see also marshal.h --- */

/* The size of the message in the protobuf encoding and, when it is at most `size`, the bytes in `buffer`. Uses the
 * marshal module that is linked into the program or, several times slower, the tables of the type. Negative MRPC_E…:
 * ELIMIT, ENOMEM, EINVAL (nesting too deep, text that is not UTF-8, a required field without value). */
MRPC_API MRPC_MUST_CHECK int64_t mrpc_message_encode(const mrpc_type *type, const void *message, void *buffer,
                                                     size_t size);

/* The same as a list of pieces for writev(), sendmsg() or io_uring: text, bytes, packed lists of fixed-size numbers and
 * unknown fields of at least `threshold` bytes (0: 4,096; up to 64 bytes are always copied) are listed where
 * they lie in the message, which must neither change nor go while the list is used. All the rest is written into
 * *buffer: NULL or memory from malloc() of *size bytes, which is replaced by larger memory when it is too small, as
 * getline() does; the caller ends it with free(), also after an error.
 * `pieces` has room for *count of them, of which no more than 1,024 are used; when it runs out, what follows is copied.
 * *count is then how many there are, which is 0 for an empty encoding; none is empty. Returns the bytes of all pieces,
 * or what mrpc_message_encode() fails with, and EINVAL for a *count of 0; the list is then empty. */
MRPC_API MRPC_MUST_CHECK int64_t mrpc_message_encode_iov(const mrpc_type *type, const void *message, size_t threshold,
                                                         struct iovec *pieces, size_t *count, void **buffer,
                                                         size_t *size);

/* A message from bytes in the protobuf encoding, in an arena of its own over `heap` (or malloc). Errors: EFORMAT (with
 * the offset and the field in *error), ENOMEM. */
MRPC_API MRPC_MUST_CHECK int mrpc_message_decode(const mrpc_type *type, const void *data, size_t size, mrpc_heap *heap,
                                                 void **message, mrpc_error *error);

/* The same without a copy of large bytes fields: they point into `data`, which must neither change nor go before the
 * message does. Strings are copied, since they end in NUL. */
MRPC_API MRPC_MUST_CHECK int mrpc_message_decode_alias(const mrpc_type *type, const void *data, size_t size,
                                                       mrpc_heap *heap, void **message, mrpc_error *error);

/* The same from bytes that lie in `count` buffers, one behind the other, cut anywhere, also within a number; buffers
 * may be empty, and the array is not needed afterwards. Errors are those of all bytes in one buffer. What lies in one
 * buffer is read there. Of what is cut, bytes and strings are copied once, into the message; a number, a packed list,
 * an entry of a map or an unknown field is put together first, which takes memory as large as that for a moment. Takes
 * linear time. With `alias`, large bytes fields that are not cut point into the buffers, as above. */
MRPC_API MRPC_MUST_CHECK int mrpc_message_decode_iov(const mrpc_type *type, const struct iovec *pieces, size_t count,
                                                     bool alias, mrpc_heap *heap, void **message, mrpc_error *error);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_MESSAGE_H */
