/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror.h - how a marshal module sees the structs of an application
 *
 * A module is made from the schema alone and includes none of the headers that the application includes: it mirrors
 * their structs, with members that only say where bits lie. So a `double` is a 64-bit word here, and a bool a byte that
 * may turn out to be 2.
 */
#ifndef MRPC_MARSHAL_MIRROR_H
#define MRPC_MARSHAL_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The compiler must not conclude that a struct and its mirror are different things. */
#define MRPC_MIRROR __attribute__((may_alias))

typedef uint64_t MRPC_MIRROR mrpc_word64;
typedef uint32_t MRPC_MIRROR mrpc_word32;
typedef uint16_t MRPC_MIRROR mrpc_word16;
typedef uint8_t MRPC_MIRROR mrpc_word8;
typedef void *MRPC_MIRROR mrpc_pointer;

/* The members that strings, bytes and lists begin with. */
typedef struct MRPC_MIRROR mrpc_span {
    void *data;
    size_t size;
} mrpc_span;

/* Whether a closed enum, as all of proto2 are, names a number. */
typedef bool mrpc_enum_test(uint32_t number);

/* Any list or map. */
typedef struct MRPC_MIRROR mrpc_list {
    void *data;
    size_t size;
    size_t capacity;
} mrpc_list;

/* Whether structs on this machine have the layout that fingerprints describe. Where not, modules speak protobuf only.
 */
#if defined(__LP64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MRPC_NATIVE 1
#define MRPC_NATIVE_ONLY(value) (value)
#else
#define MRPC_NATIVE 0
#define MRPC_NATIVE_ONLY(value) 0
#endif

#ifdef __cplusplus
}
#endif

#endif /* MRPC_MARSHAL_MIRROR_H */
