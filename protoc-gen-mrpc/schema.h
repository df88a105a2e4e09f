/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema.h - what the generator knows of a .proto file, in plain C
 *
 * libprotoc.cc, the only C++ here, fills these structs from libprotobuf's descriptors; all else in this folder is C and
 * reads them. Everything lives until the plugin ends and is never changed after the schema was made, but for the
 * members under "filled by", which the files named there set.
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
    bool closed; /* proto2 */
    bool deprecated;
    schema_location location;
    const char *c_name; /* filled by names.c */
    size_t mark;        /* as that of a message */
};

/* What a singular field that is not a message is when it is absent; of its type that member which applies. */
typedef struct schema_default {
    uint64_t bits; /* integers and bool, sign-extended */
    double real;   /* float and double */
    const char *text;
    size_t size;                    /* bytes of the text, which may have NULs in it */
    const schema_enum_value *value; /* of an enum: the first one when the schema names none */
} schema_default;

typedef enum schema_presence { PRESENCE_IMPLICIT, PRESENCE_EXPLICIT, PRESENCE_REQUIRED } schema_presence;

struct schema_field {
    const char *name, *full_name, *json_name;
    int32_t number;
    mrpc_field_type type;
    bool repeated, packed, is_map;
    schema_presence presence; /* of a singular field outside a oneof */
    schema_message *message;  /* type MESSAGE or GROUP; of a map: the entry */
    schema_enum *enumeration; /* type ENUM */
    schema_oneof *oneof;      /* real oneofs only, not the one behind `optional` */
    schema_default absent;
    schema_message *parent;
    size_t index; /* in parent->fields */
    bool deprecated;
    schema_location location;
    const char *c_name;     /* filled by names.c: the member */
    const char *c_element;  /* filled by names.c: the type of one value or element, as "int32_t" or "a_b_C *" */
    const char *c_type;     /* filled by names.c: the type of the member; a list or a map when repeated */
    size_t offset;          /* filled by layout.c: in the struct, LP64 */
    size_t presence_offset; /* filled by layout.c: has_… or the case; 0 when there is none */
};

struct schema_oneof {
    const char *name, *full_name;
    schema_field **fields;
    size_t field_count;
    schema_message *parent;
    schema_location location;
    const char *c_name;         /* filled by names.c: the union; the case is NAME_case */
    size_t offset, case_offset; /* filled by layout.c */
    size_t size, alignment;     /* of the union; filled by layout.c */
};

/* A member of a generated struct. */
typedef enum schema_member_kind {
    MEMBER_FIELD, /* the value, pointer, list or map of `field` */
    MEMBER_HAS,   /* has_… of `field` */
    MEMBER_UNION, /* the union of `oneof` */
    MEMBER_CASE   /* the case of `oneof` */
} schema_member_kind;

typedef struct schema_member {
    schema_member_kind kind;
    schema_field *field; /* FIELD, HAS */
    schema_oneof *oneof; /* UNION, CASE */
    size_t offset, size, alignment;
} schema_member;

/* Numbers from `start` up to, but not including, `end`. */
typedef struct schema_range {
    int32_t start, end;
} schema_range;

struct schema_message {
    const char *name, *full_name;
    const schema_file *file;
    schema_message *parent;
    schema_field **fields; /* in the order of the file */
    size_t field_count;
    schema_oneof **oneofs;
    size_t oneof_count;
    schema_message **messages; /* nested, map entries included */
    size_t message_count;
    schema_enum **enums;
    size_t enum_count;
    schema_range *extension_ranges; /* in the order of the file */
    size_t extension_range_count;
    bool is_map_entry;
    bool is_message_set;  /* option message_set_wire_format */
    int32_t group_number; /* of the field whose group it is; 0: it is no group */
    bool deprecated;
    schema_location location;
    const char *c_name;     /* filled by names.c */
    schema_member *members; /* filled by layout.c: those of the struct behind its head, in their order */
    size_t member_count;
    size_t size;  /* filled by layout.c */
    size_t index; /* among all messages of the file, depth first, entries included; filled by layout.c */
    mrpc_fingerprint fingerprint; /* filled by fingerprint.c */
    bool reaches_map;             /* filled by fingerprint.c: whether it has a map, or a message below it has */
    bool reaches_required;        /* likewise for required fields */
    const char *schema_text;      /* filled by fingerprint.c: its part of the canonical texts */
    const char *layout_text;
    size_t schema_text_size, layout_text_size;
    size_t mark; /* for walks over the schema: the number of the last walk that came here */
};

typedef struct schema_method {
    const char *name, *full_name;
    schema_message *request, *reply;
    const schema_file *file;
    bool client_streaming, server_streaming;
    bool deprecated;
    schema_location location;
    const char *c_name;   /* filled by names.c: "a_b_Service_Method" */
    const char *c_member; /* filled by names.c: in the table of handlers */
} schema_method;

typedef struct schema_service {
    const char *name, *full_name;
    schema_method *methods;
    size_t method_count;
    bool deprecated;
    schema_location location;
    const char *c_name; /* filled by names.c */
} schema_service;

/* A field that a file or a message declares for a message which may be anywhere. */
typedef struct schema_extension {
    schema_field *field;         /* its parent is the message that is extended */
    const schema_message *scope; /* the message that declares it; NULL at the top of the file */
    bool has_default;            /* the schema says one, or it is of an enum whose first value is not 0 */
    const char *c_name;          /* filled by names.c: the table, and what its functions begin with */
} schema_extension;

struct schema_file {
    const char *name;    /* "a/b.proto" */
    const char *package; /* "" when none */
    bool is_proto2;
    schema_file **dependencies;
    bool *public_dependency; /* as many */
    bool *dependency_needed; /* as many; filled by imports.c: whether generated code needs that of the import */
    size_t dependency_count;
    const schema_file **provided; /* filled by imports.c: what the header brings: this file and public imports */
    size_t provided_count;
    schema_message **messages;
    size_t message_count;
    schema_enum **enums;
    size_t enum_count;
    schema_service *services;
    size_t service_count;
    schema_extension *extensions; /* of the file and of its messages */
    size_t extension_count;
    const uint8_t *descriptor; /* serialized FileDescriptorProto, without source locations */
    size_t descriptor_size;
    schema_location syntax_location;
    schema_location *dependency_locations;
    schema_message **all_messages; /* filled by layout.c: by index; the order of mrpc_file.types */
    size_t all_message_count;
    schema_message **module_messages; /* filled by fingerprint.c: those of its marshal module, by codec: all_messages,
                                         then those of other files that they and the methods reach */
    size_t module_message_count;
    const schema_enum **module_enums; /* filled by fingerprint.c: the closed ones that these messages use */
    size_t module_enum_count;
    const char *c_prefix;         /* filled by names.c: "a_b_" */
    const char *c_header;         /* filled by names.c: "a/b.mrpc.h", as it is included */
    const char *c_symbol;         /* filled by names.c: the file's name as part of a C name, see names_symbol() */
    mrpc_fingerprint fingerprint; /* filled by fingerprint.c: of module_messages */
};

/* Whether what the field holds is a message: by itself, in a list, or, of a map, the entry. */
static inline bool schema_is_message(const schema_field *field)
{
    return field->type == MRPC_TYPE_MESSAGE || field->type == MRPC_TYPE_GROUP;
}

/* Whether the struct has a has_… beside the field: singular, not a message, not in a oneof, with explicit presence. */
static inline bool schema_has_flag(const schema_field *field)
{
    return !field->repeated && field->oneof == NULL && field->presence != PRESENCE_IMPLICIT &&
           !schema_is_message(field);
}

/* Whether there is a function that reads the field, which gives the default when it is absent. In proto3 a value that
 * is absent is zero, which the member says. */
static inline bool schema_has_getter(const schema_field *field)
{
    return field->parent->file->is_proto2 && !field->parent->is_map_entry && !field->repeated &&
           !schema_is_message(field);
}

/* Whether a string has to be UTF-8: proto2 leaves it to the application
 * (https://protobuf.dev/editions/features/#utf8_validation). */
static inline bool schema_checks_text(const schema_field *field)
{
    return field->type == MRPC_TYPE_STRING && !field->parent->file->is_proto2;
}

/* Whether only numbers that the enum names may be in the field. */
static inline bool schema_is_closed(const schema_field *field)
{
    return field->type == MRPC_TYPE_ENUM && field->enumeration->closed;
}

#endif /* MRPC_GEN_SCHEMA_H */
