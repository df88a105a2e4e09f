/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message_types.h - message types written by hand, as the generator would write them, with every kind of field
 *
 *     package test;
 *     enum Color { RED = 0; GREEN = 1; ALSO_GREEN = 1; BLUE = 5; NEGATIVE = -3; }
 *     message Leaf { int32 number = 1; string name = 2; }
 *     message Everything {
 *       double a_double = 1;      float a_float = 2;        int64 an_int64 = 3;      uint64 a_uint64 = 4;
 *       int32 an_int32 = 5;       fixed64 a_fixed64 = 6;    fixed32 a_fixed32 = 7;   bool a_bool = 8;
 *       string a_string = 9;      bytes some_bytes = 10;    uint32 a_uint32 = 11;    Color a_color = 12;
 *       sfixed32 an_sfixed32 = 13; sfixed64 an_sfixed64 = 14; sint32 an_sint32 = 15; sint64 an_sint64 = 16;
 *       optional int32 maybe_int32 = 17;  optional string maybe_string = 18;  optional bytes maybe_bytes = 19;
 *       Leaf leaf = 20;                   Everything child = 21;
 *       oneof choice { double chosen_double = 22; string chosen_string = 23; bytes chosen_bytes = 24; Leaf chosen_leaf
 * = 25; } repeated int32 int32s = 30;       repeated double doubles = 31;       repeated bool bools = 32; repeated
 * string strings = 33;     repeated bytes byteses = 34;        repeated Leaf leaves = 35; repeated Color colors = 36;
 *       map<string, int32> by_string = 40;  map<int32, Leaf> by_int32 = 41;   map<bool, string> by_bool = 42;
 *       map<int64, bytes> by_int64 = 43;    map<uint32, double> by_uint32 = 44; map<fixed64, Color> by_fixed64 = 45;
 *     }
 */
#ifndef MRPC_TEST_MESSAGE_TYPES_H
#define MRPC_TEST_MESSAGE_TYPES_H

#include <stddef.h>

#include <mrpc/message.h>

static const mrpc_file test_file = {.table_size = sizeof(mrpc_file), .name = "test.proto"};

static const mrpc_enum_value Color_values[] = {
    {"NEGATIVE", -3}, {"RED", 0}, {"GREEN", 1}, {"ALSO_GREEN", 1}, {"BLUE", 5}};
static const mrpc_enum Color_enum = {
    .table_size = sizeof(mrpc_enum), .value_count = 5, .name = "test.Color", .values = Color_values};

#define FIELD(holder, member, number, kind, type)                                                                      \
    {                                                                                                                  \
#member, number, offsetof(holder, member), 0, MRPC_TYPE_##type, MRPC_FIELD_##kind, 0, NULL, NULL               \
    }
#define MESSAGE_FIELD(holder, member, number, kind, of)                                                                \
    {                                                                                                                  \
#member, number, offsetof(holder, member), 0, MRPC_TYPE_MESSAGE, MRPC_FIELD_##kind, 0, &of, NULL               \
    }
#define ENUM_FIELD(holder, member, number, kind)                                                                       \
    {                                                                                                                  \
#member, number, offsetof(holder, member), 0, MRPC_TYPE_ENUM, MRPC_FIELD_##kind, 0, NULL, &Color_enum          \
    }
#define TYPE(holder, full_name)                                                                                        \
    {                                                                                                                  \
        .table_size = sizeof(mrpc_type), .size = sizeof(holder), .name = full_name, .file = &test_file,                \
        .field_count = sizeof holder##_fields / sizeof holder##_fields[0], .fields = holder##_fields                   \
    }

typedef struct Leaf {
    mrpc_message base;
    mrpc_string name;
    int32_t number;
} Leaf;

static const mrpc_field Leaf_fields[] = {FIELD(Leaf, number, 1, IMPLICIT, INT32),
                                         FIELD(Leaf, name, 2, IMPLICIT, STRING)};
static const mrpc_type Leaf_type = TYPE(Leaf, "test.Leaf");

typedef struct Leaf_list {
    Leaf **data;
    size_t size;
    size_t capacity;
} Leaf_list;

#define ENTRY(name, key_type, value_type)                                                                              \
    typedef struct name {                                                                                              \
        key_type key;                                                                                                  \
        value_type value;                                                                                              \
    } name;                                                                                                            \
    typedef struct name##_map {                                                                                        \
        name *data;                                                                                                    \
        size_t size;                                                                                                   \
        size_t capacity;                                                                                               \
    } name##_map

ENTRY(by_string, mrpc_string, int32_t);
ENTRY(by_int32, int32_t, Leaf *);
ENTRY(by_bool, bool, mrpc_string);
ENTRY(by_int64, int64_t, mrpc_bytes);
ENTRY(by_uint32, uint32_t, double);
ENTRY(by_fixed64, uint64_t, int32_t);

static const mrpc_field by_string_fields[] = {FIELD(by_string, key, 1, IMPLICIT, STRING),
                                              FIELD(by_string, value, 2, IMPLICIT, INT32)};
static const mrpc_type by_string_type = TYPE(by_string, "test.Everything.ByStringEntry");
static const mrpc_field by_int32_fields[] = {FIELD(by_int32, key, 1, IMPLICIT, INT32),
                                             MESSAGE_FIELD(by_int32, value, 2, OPTIONAL, Leaf_type)};
static const mrpc_type by_int32_type = TYPE(by_int32, "test.Everything.ByInt32Entry");
static const mrpc_field by_bool_fields[] = {FIELD(by_bool, key, 1, IMPLICIT, BOOL),
                                            FIELD(by_bool, value, 2, IMPLICIT, STRING)};
static const mrpc_type by_bool_type = TYPE(by_bool, "test.Everything.ByBoolEntry");
static const mrpc_field by_int64_fields[] = {FIELD(by_int64, key, 1, IMPLICIT, INT64),
                                             FIELD(by_int64, value, 2, IMPLICIT, BYTES)};
static const mrpc_type by_int64_type = TYPE(by_int64, "test.Everything.ByInt64Entry");
static const mrpc_field by_uint32_fields[] = {FIELD(by_uint32, key, 1, IMPLICIT, UINT32),
                                              FIELD(by_uint32, value, 2, IMPLICIT, DOUBLE)};
static const mrpc_type by_uint32_type = TYPE(by_uint32, "test.Everything.ByUint32Entry");
static const mrpc_field by_fixed64_fields[] = {FIELD(by_fixed64, key, 1, IMPLICIT, FIXED64),
                                               ENUM_FIELD(by_fixed64, value, 2, IMPLICIT)};
static const mrpc_type by_fixed64_type = TYPE(by_fixed64, "test.Everything.ByFixed64Entry");

enum { CHOSEN_DOUBLE = 22, CHOSEN_STRING, CHOSEN_BYTES, CHOSEN_LEAF };

typedef struct Everything Everything;
struct Everything {
    mrpc_message base;
    double a_double;
    int64_t an_int64;
    uint64_t a_uint64;
    uint64_t a_fixed64;
    mrpc_string a_string;
    mrpc_bytes some_bytes;
    int64_t an_sfixed64;
    int64_t an_sint64;
    mrpc_string maybe_string;
    mrpc_bytes maybe_bytes;
    Leaf *leaf;
    Everything *child;
    union {
        double chosen_double;
        mrpc_string chosen_string;
        mrpc_bytes chosen_bytes;
        Leaf *chosen_leaf;
    } choice;
    mrpc_int32_list int32s;
    mrpc_double_list doubles;
    mrpc_bool_list bools;
    mrpc_string_list strings;
    mrpc_bytes_list byteses;
    Leaf_list leaves;
    mrpc_int32_list colors;
    by_string_map by_string;
    by_int32_map by_int32;
    by_bool_map by_bool;
    by_int64_map by_int64;
    by_uint32_map by_uint32;
    by_fixed64_map by_fixed64;
    float a_float;
    int32_t an_int32;
    uint32_t a_fixed32;
    uint32_t a_uint32;
    int32_t a_color;
    int32_t an_sfixed32;
    int32_t an_sint32;
    int32_t maybe_int32;
    uint32_t choice_case;
    bool a_bool;
    bool has_maybe_int32;
    bool has_maybe_string;
    bool has_maybe_bytes;
};

#define HAS_FIELD(member, number, type)                                                                                \
    {                                                                                                                  \
#member, number, offsetof(Everything, member), offsetof(Everything, has_##member), MRPC_TYPE_##type,           \
            MRPC_FIELD_OPTIONAL, 0, NULL, NULL                                                                         \
    }
#define CHOICE_FIELD(member, number, type, of)                                                                         \
    {                                                                                                                  \
#member, number, offsetof(Everything, choice), offsetof(Everything, choice_case), MRPC_TYPE_##type,            \
            MRPC_FIELD_ONEOF, 0, of, NULL                                                                              \
    }

static const mrpc_type Everything_type;
static const mrpc_field Everything_fields[] = {
    FIELD(Everything, a_double, 1, IMPLICIT, DOUBLE),
    FIELD(Everything, a_float, 2, IMPLICIT, FLOAT),
    FIELD(Everything, an_int64, 3, IMPLICIT, INT64),
    FIELD(Everything, a_uint64, 4, IMPLICIT, UINT64),
    FIELD(Everything, an_int32, 5, IMPLICIT, INT32),
    FIELD(Everything, a_fixed64, 6, IMPLICIT, FIXED64),
    FIELD(Everything, a_fixed32, 7, IMPLICIT, FIXED32),
    FIELD(Everything, a_bool, 8, IMPLICIT, BOOL),
    FIELD(Everything, a_string, 9, IMPLICIT, STRING),
    FIELD(Everything, some_bytes, 10, IMPLICIT, BYTES),
    FIELD(Everything, a_uint32, 11, IMPLICIT, UINT32),
    ENUM_FIELD(Everything, a_color, 12, IMPLICIT),
    FIELD(Everything, an_sfixed32, 13, IMPLICIT, SFIXED32),
    FIELD(Everything, an_sfixed64, 14, IMPLICIT, SFIXED64),
    FIELD(Everything, an_sint32, 15, IMPLICIT, SINT32),
    FIELD(Everything, an_sint64, 16, IMPLICIT, SINT64),
    HAS_FIELD(maybe_int32, 17, INT32),
    HAS_FIELD(maybe_string, 18, STRING),
    HAS_FIELD(maybe_bytes, 19, BYTES),
    MESSAGE_FIELD(Everything, leaf, 20, OPTIONAL, Leaf_type),
    MESSAGE_FIELD(Everything, child, 21, OPTIONAL, Everything_type),
    CHOICE_FIELD(chosen_double, CHOSEN_DOUBLE, DOUBLE, NULL),
    CHOICE_FIELD(chosen_string, CHOSEN_STRING, STRING, NULL),
    CHOICE_FIELD(chosen_bytes, CHOSEN_BYTES, BYTES, NULL),
    CHOICE_FIELD(chosen_leaf, CHOSEN_LEAF, MESSAGE, &Leaf_type),
    FIELD(Everything, int32s, 30, LIST, INT32),
    FIELD(Everything, doubles, 31, LIST, DOUBLE),
    FIELD(Everything, bools, 32, LIST, BOOL),
    FIELD(Everything, strings, 33, LIST, STRING),
    FIELD(Everything, byteses, 34, LIST, BYTES),
    MESSAGE_FIELD(Everything, leaves, 35, LIST, Leaf_type),
    ENUM_FIELD(Everything, colors, 36, LIST),
    MESSAGE_FIELD(Everything, by_string, 40, MAP, by_string_type),
    MESSAGE_FIELD(Everything, by_int32, 41, MAP, by_int32_type),
    MESSAGE_FIELD(Everything, by_bool, 42, MAP, by_bool_type),
    MESSAGE_FIELD(Everything, by_int64, 43, MAP, by_int64_type),
    MESSAGE_FIELD(Everything, by_uint32, 44, MAP, by_uint32_type),
    MESSAGE_FIELD(Everything, by_fixed64, 45, MAP, by_fixed64_type),
};
static const mrpc_type Everything_type = TYPE(Everything, "test.Everything");

/* A message in which every field is set, over a heap or malloc; NULL: no memory. */
Everything *everything_new(mrpc_heap *heap);

/* The same into a message that was made already; 0 or MRPC_E…. */
int everything_fill(Everything *message);

#endif /* MRPC_TEST_MESSAGE_TYPES_H */
