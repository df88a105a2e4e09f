/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema.h - what the generator knows of a .proto file, in plain C
 *
 * libprotoc.cc, the only C++ here, fills these structs from libprotobuf's descriptors; all else in this folder is C and
 * reads them. Everything lives until the plugin ends and is never changed after the schema was made, but for the members
 * under "filled by", which names.c and layout.c set.
 */
#ifndef MRPC_GEN_SCHEMA_H
#define MRPC_GEN_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/message.h>

typedef struct schema_file schema_file;
typedef struct schema_message schema_message;
typedef struct schema_enum schema_enum;
typedef struct schema_field schema_field;
typedef struct schema_oneof schema_oneof;

/* Where something stands in its file; line and column count from 1, 0 when unknown. */
typedef struct schema_location {
    int line, column;
    const char *leading;  /* comment before it, "" when none */
    const char *trailing; /* comment behind it on its line */
} schema_location;

typedef struct schema_enum_value {
    const char *name;
    int32_t number;
    schema_location location;
    const char *c_name; /* filled by names.c */
} schema_enum_value;

struct schema_enum {
    const char *name, *full_name;
    const schema_file *file;
    const schema_message *parent; /* NULL at the top of the file */
    schema_enum_value *values;    /* in the order of the file */
    size_t value_count;
    bool closed;                  /* proto2 */
    schema_location location;
    const char *c_name; /* filled by names.c */
};

typedef enum schema_presence { PRESENCE_IMPLICIT, PRESENCE_EXPLICIT, PRESENCE_REQUIRED } schema_presence;

struct schema_field {
    const char *name, *full_name, *json_name;
    int32_t number;
    mrpc_field_type type;
    bool repeated, packed, is_map;
    schema_presence presence;     /* of a singular field outside a oneof */
    schema_message *message;      /* type MESSAGE or GROUP; of a map: the entry */
    schema_enum *enumeration;     /* type ENUM */
    schema_oneof *oneof;          /* real oneofs only, not the one behind `optional` */
    schema_message *parent;
    bool deprecated;
    schema_location location;
    const char *c_name; /* filled by names.c: the member */
    size_t offset;      /* filled by layout.c: in the struct, LP64 */
    size_t presence_offset; /* filled by layout.c: has_… or the case; 0 when there is none */
};

struct schema_oneof {
    const char *name, *full_name;
    schema_field **fields;
    size_t field_count;
    schema_message *parent;
    schema_location location;
    const char *c_name;             /* filled by names.c: the union; the case is NAME_case */
    size_t offset, case_offset;     /* filled by layout.c */
    size_t size, alignment;         /* of the union; filled by layout.c */
};

struct schema_message {
    const char *name, *full_name;
    const schema_file *file;
    schema_message *parent;
    schema_field **fields;   /* in the order of the file */
    size_t field_count;
    schema_oneof **oneofs;
    size_t oneof_count;
    schema_message **messages; /* nested, map entries included */
    size_t message_count;
    schema_enum **enums;
    size_t enum_count;
    bool is_map_entry;
    bool deprecated;
    schema_location location;
    const char *c_name;      /* filled by names.c */
    size_t size;             /* filled by layout.c */
    size_t index;            /* among all messages of the file, depth first, entries included; filled by layout.c */
    mrpc_fingerprint fingerprint; /* filled by fingerprint.c */
};

typedef struct schema_method {
    const char *name, *full_name;
    schema_message *request, *reply;
    bool client_streaming, server_streaming;
    bool deprecated;
    schema_location location;
    const char *c_name; /* filled by names.c */
} schema_method;

typedef struct schema_service {
    const char *name, *full_name;
    schema_method *methods;
    size_t method_count;
    schema_location location;
    const char *c_name; /* filled by names.c */
} schema_service;

struct schema_file {
    const char *name;    /* "a/b.proto" */
    const char *package; /* "" when none */
    const char *syntax;  /* "proto2", "proto3" */
    schema_file **dependencies;
    bool *public_dependency; /* as many */
    size_t dependency_count;
    schema_message **messages;
    size_t message_count;
    schema_enum **enums;
    size_t enum_count;
    schema_service *services;
    size_t service_count;
    const uint8_t *descriptor; /* serialized FileDescriptorProto, without source locations */
    size_t descriptor_size;
    const char *c_prefix; /* filled by names.c: "a_b_" */
    mrpc_fingerprint fingerprint; /* filled by fingerprint.c: of the whole module */
};

#endif /* MRPC_GEN_SCHEMA_H */
