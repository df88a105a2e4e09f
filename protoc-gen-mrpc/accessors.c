/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accessors.c - the functions in FILE.mrpc.h: messages made, copied, encoded, and members that need more than `=`
 *
 * They are thin: all the work is done by the library's functions on any type. A value for a oneof is made before the
 * union is touched, so that a failure leaves what was there.
 */
#include "generator.h"

#include <string.h>

#include "literals.h"

static void write_enum(const schema_enum *enumeration, output *out)
{
    output_fill(out,
                "static inline const char *$E$_name($E$ value)\n"
                "{\n"
                "    return mrpc_enum_name(&$E$_enum, value);\n"
                "}\n"
                "\n"
                "static inline bool $E$_parse(const char *text, $E$ *value)\n"
                "{\n"
                "    return mrpc_enum_number(&$E$_enum, text, value);\n"
                "}\n"
                "\n",
                "E", enumeration->c_name, NULL);
}

static void write_life(const char *type, output *out)
{
    output_fill(out,
                "MRPC_MUST_CHECK static inline $T$ *$T$_new(mrpc_heap *heap)\n"
                "{\n"
                "    return ($T$ *)mrpc_message_new(&$T$_type, heap);\n"
                "}\n"
                "\n"
                "MRPC_MUST_CHECK static inline $T$ *$T$_new_in(void *owner)\n"
                "{\n"
                "    return ($T$ *)mrpc_message_new_in(&$T$_type, owner);\n"
                "}\n"
                "\n"
                "static inline void $T$_init($T$ *message)\n"
                "{\n"
                "    mrpc_message_init(&$T$_type, message);\n"
                "}\n"
                "\n"
                "MRPC_MUST_CHECK static inline $T$ *$T$_copy(const $T$ *message, mrpc_heap *heap)\n"
                "{\n"
                "    return ($T$ *)mrpc_message_copy(&$T$_type, message, heap);\n"
                "}\n"
                "\n"
                "MRPC_MUST_CHECK static inline $T$ *$T$_copy_in(const $T$ *message, void *owner)\n"
                "{\n"
                "    return ($T$ *)mrpc_message_copy_in(&$T$_type, message, owner);\n"
                "}\n"
                "\n",
                "T", type, NULL);
}

static void write_whole(const char *type, output *out)
{
    output_fill(out,
                "static inline bool $T$_equal(const $T$ *a, const $T$ *b)\n"
                "{\n"
                "    return mrpc_message_equal(&$T$_type, a, b);\n"
                "}\n"
                "\n"
                "static inline size_t $T$_text(const $T$ *message, char *buffer, size_t size)\n"
                "{\n"
                "    return mrpc_message_text(&$T$_type, message, buffer, size);\n"
                "}\n"
                "\n"
                "MRPC_MUST_CHECK static inline int64_t $T$_encode(const $T$ *message, void *buffer, size_t size)\n"
                "{\n"
                "    return mrpc_message_encode(&$T$_type, message, buffer, size);\n"
                "}\n"
                "\n"
                "MRPC_MUST_CHECK static inline int $T$_decode(\n"
                "        const void *data, size_t size, mrpc_heap *heap, $T$ **message, mrpc_error *error)\n"
                "{\n"
                "    void *made = NULL;\n"
                "    int result = mrpc_message_decode(&$T$_type, data, size, heap, &made, error);\n"
                "    *message = ($T$ *)made;\n"
                "    return result;\n"
                "}\n"
                "\n",
                "T", type, NULL);
}

/* How an argument of a type is passed, and what the library's functions want of it. */
typedef struct passing {
    const char *parameters; /* in the list of parameters */
    const char *arguments;  /* in a call */
    const char *kind;       /* "string", "bytes", NULL for a value that is assigned */
} passing;

static passing passing_of(const schema_field *field)
{
    if (field->type == MRPC_TYPE_STRING)
        return (passing){"const char *text", "text", "string"};
    if (field->type == MRPC_TYPE_BYTES)
        return (passing){"const void *data, size_t size", "data, size", "bytes"};
    return (passing){NULL, "value", NULL};
}

static bool is_message(const schema_field *field)
{
    return field->message != NULL && !field->is_map;
}

/* The statement, if any, that marks the field as present. */
static void write_mark(const schema_field *field, const char *indent, output *out)
{
    if (field->oneof != NULL)
        output_fill(out, "$I$message->$O$_case = $T$_$O$_$F$;\n", "I", indent, "O", field->oneof->c_name, "T",
                    field->parent->c_name, "F", field->c_name, NULL);
    else if (schema_has_flag(field))
        output_fill(out, "$I$message->has_$F$ = true;\n", "I", indent, "F", field->c_name, NULL);
}

/* "message->name" or "message->kind.name", in `text`. */
static const char *member_of(const schema_field *field, output *text)
{
    if (field->oneof != NULL)
        output_printf(text, "message->%s.%s", field->oneof->c_name, field->c_name);
    else
        output_printf(text, "message->%s", field->c_name);
    return output_string(text);
}

static void write_set_memory(const schema_field *field, const char *member, output *out)
{
    passing pass = passing_of(field);
    output_fill(out,
                "static inline int $T$_set_$F$($T$ *message, $P$)\n"
                "{\n"
                "    mrpc_$K$ value = {NULL, 0};\n"
                "    int result = mrpc_$K$_set(message, &value, $A$);\n"
                "    if (result != 0)\n"
                "        return result;\n"
                "    $M$ = value;\n",
                "T", field->parent->c_name, "F", field->c_name, "P", pass.parameters, "K", pass.kind, "A",
                pass.arguments, "M", member, NULL);
    write_mark(field, "    ", out);
    output_text(out, "    return 0;\n}\n\n");
}

/* A member that needs no memory is assigned by the user, unless something marks its presence. */
static void write_set_value(const schema_field *field, const char *member, output *out)
{
    if (field->oneof == NULL && !schema_has_flag(field))
        return;
    output_fill(out,
                "static inline void $T$_set_$F$($T$ *message, $V$ value)\n"
                "{\n"
                "    $M$ = value;\n",
                "T", field->parent->c_name, "F", field->c_name, "V", field->c_element, "M", member, NULL);
    write_mark(field, "    ", out);
    output_text(out, "}\n\n");
}

static void write_make(const schema_field *field, const char *member, output *out)
{
    output_fill(out,
                "MRPC_MUST_CHECK static inline $V$ *$T$_make_$F$($T$ *message)\n"
                "{\n"
                "    $V$ *made = ($V$ *)mrpc_message_new_in(&$V$_type, message);\n"
                "    if (made == NULL)\n"
                "        return NULL;\n"
                "    $M$ = made;\n",
                "T", field->parent->c_name, "F", field->c_name, "V", field->message->c_name, "M", member, NULL);
    write_mark(field, "    ", out);
    output_text(out, "    return made;\n}\n\n");
}

/* The text is the same array for all callers in a file; its type is that of the member, whose data is not const. */
static void write_default_text(const schema_field *field, output *out)
{
    bool is_string = field->type == MRPC_TYPE_STRING;
    if (field->absent.size == 0 && !is_string) {
        output_fill(out, "    $V$ absent = {NULL, 0};\n", "V", field->c_element, NULL);
        return;
    }
    output_text(out, "    static const char text[] = ");
    literal_default(out, field, 8);
    output_fill(out, ";\n    $V$ absent = {($D$ *)(uintptr_t)text, sizeof text - 1};\n", "V", field->c_element, "D",
                is_string ? "char" : "uint8_t", NULL);
}

/* What the field is, whether or not it is present. */
static void write_getter(const schema_field *field, const char *member, output *out)
{
    if (!schema_has_getter(field))
        return;
    output_fill(out, "static inline $V$ $T$_get_$F$(const $T$ *message)\n{\n", "V", field->c_element, "T",
                field->parent->c_name, "F", field->c_name, NULL);
    if (passing_of(field).kind != NULL)
        write_default_text(field, out);
    if (field->oneof != NULL)
        output_fill(out, "    return message->$O$_case == $T$_$O$_$F$ ? ", "O", field->oneof->c_name, "T",
                    field->parent->c_name, "F", field->c_name, NULL);
    else
        output_printf(out, "    return message->has_%s ? ", field->c_name);
    output_printf(out, "%s : ", member);
    if (passing_of(field).kind != NULL)
        output_text(out, "absent");
    else
        literal_default(out, field, 0);
    output_text(out, ";\n}\n\n");
}

static void write_singular(const schema_field *field, output *out)
{
    output member = {0};
    member_of(field, &member);
    if (is_message(field))
        write_make(field, output_string(&member), out);
    else if (passing_of(field).kind != NULL)
        write_set_memory(field, output_string(&member), out);
    else
        write_set_value(field, output_string(&member), out);
    write_getter(field, output_string(&member), out);
    out->failed |= member.failed;
    output_free(&member);
}

static void write_add_message(const schema_field *field, output *out)
{
    output_fill(out,
                "MRPC_MUST_CHECK static inline $V$ *$T$_add_$F$($T$ *message)\n"
                "{\n"
                "    return ($V$ *)mrpc_message_list_add(message, &message->$F$, &$V$_type);\n"
                "}\n"
                "\n",
                "T", field->parent->c_name, "F", field->c_name, "V", field->message->c_name, NULL);
}

static void write_add_value(const schema_field *field, output *out)
{
    static const char *const bodies[] = {
        "mrpc_string_list_add(message, &message->$F$, text, strlen(text))",
        "mrpc_bytes_list_add(message, &message->$F$, data, size)",
        "mrpc_list_append(message, &message->$F$, value)",
    };
    const char *body = bodies[field->type == MRPC_TYPE_STRING ? 0 : field->type == MRPC_TYPE_BYTES ? 1 : 2];
    passing pass = passing_of(field);
    output_fill(out, "static inline int $T$_add_$F$($T$ *message, ", "T", field->parent->c_name, "F", field->c_name,
                NULL);
    if (pass.parameters != NULL)
        output_text(out, pass.parameters);
    else
        output_printf(out, "%s value", field->c_element);
    output_text(out, ")\n{\n    return ");
    output_fill(out, body, "F", field->c_name, NULL);
    output_text(out, ";\n}\n\n");
}

/* Begins a function on a map: "static inline RESULT T_VERB_F([const ]T *message, KEY key". */
static void write_map_head(const schema_field *field, const char *attributes, const char *result, const char *verb,
                           const char *access, output *out)
{
    const schema_field *key = field->message->fields[0];
    const char *type = key->type == MRPC_TYPE_STRING ? "const char *" : key->c_element;
    output_fill(out, "$Q$static inline $R$$T$_$B$_$F$($C$$T$ *message, ", "Q", attributes, "R", result, "T",
                field->parent->c_name, "B", verb, "F", field->c_name, "C", access, NULL);
    output_declare(out, type, "key");
}

/* What makes `&name` the address of the key as the library's functions on maps want it. */
static const char *map_key(const schema_field *field, output *out)
{
    if (field->message->fields[0]->type != MRPC_TYPE_STRING)
        return "&key";
    output_text(out, "    const mrpc_string name = {(char *)(uintptr_t)key, strlen(key)};\n");
    return "&name";
}

static void write_get(const schema_field *field, output *out)
{
    const schema_field *value = field->message->fields[1];
    output type = {0};
    output_printf(&type, "const %s%s", value->c_element, value->message != NULL ? "" : " *");
    write_map_head(field, "", output_string(&type), "get", "const ", out);
    output_text(out, ")\n{\n");
    const char *key = map_key(field, out);
    output_fill(out,
                "    const $E$ *entry = (const $E$ *)mrpc_map_find(&$E$_type, &message->$F$, $K$);\n"
                "    return entry != NULL ? $A$entry->value : NULL;\n"
                "}\n"
                "\n",
                "E", field->c_element, "F", field->c_name, "K", key, "A", value->message != NULL ? "" : "&", NULL);
    out->failed |= type.failed;
    output_free(&type);
}

static void write_put_message(const schema_field *field, output *out)
{
    const schema_field *value = field->message->fields[1];
    write_map_head(field, "MRPC_MUST_CHECK ", value->c_element, "put", "", out);
    output_text(out, ")\n{\n");
    const char *key = map_key(field, out);
    output_fill(out,
                "    $E$ *entry = ($E$ *)mrpc_map_insert(&$E$_type, message, &message->$F$, $K$);\n"
                "    return entry != NULL ? entry->value : NULL;\n"
                "}\n"
                "\n",
                "E", field->c_element, "F", field->c_name, "K", key, NULL);
}

/* A string or bytes is copied before the entry is made, so that a failure leaves the map as it was. */
static void write_put_value(const schema_field *field, output *out)
{
    const schema_field *value = field->message->fields[1];
    passing pass = passing_of(value);
    write_map_head(field, "", "int ", "put", "", out);
    if (pass.parameters != NULL)
        output_printf(out, ", %s)\n{\n", pass.parameters);
    else
        output_printf(out, ", %s value)\n{\n", value->c_element);
    const char *key = map_key(field, out);
    if (pass.kind != NULL)
        output_fill(out,
                    "    mrpc_$K$ value = {NULL, 0};\n"
                    "    int result = mrpc_$K$_set(message, &value, $A$);\n"
                    "    if (result != 0)\n"
                    "        return result;\n",
                    "K", pass.kind, "A", pass.arguments, NULL);
    output_fill(out,
                "    $E$ *entry = ($E$ *)mrpc_map_insert(&$E$_type, message, &message->$F$, $K$);\n"
                "    if (entry == NULL)\n"
                "        return message->base.arena != NULL ? MRPC_ENOMEM : MRPC_EINVAL;\n"
                "    entry->value = value;\n"
                "    return 0;\n"
                "}\n"
                "\n",
                "E", field->c_element, "F", field->c_name, "K", key, NULL);
}

static void write_remove(const schema_field *field, output *out)
{
    write_map_head(field, "", "bool ", "remove", "", out);
    output_text(out, ")\n{\n");
    const char *key = map_key(field, out);
    output_fill(out, "    return mrpc_map_remove(&$E$_type, &message->$F$, $K$);\n}\n\n", "E", field->c_element, "F",
                field->c_name, "K", key, NULL);
}

static void write_map(const schema_field *field, output *out)
{
    write_get(field, out);
    if (field->message->fields[1]->message != NULL)
        write_put_message(field, out);
    else
        write_put_value(field, out);
    write_remove(field, out);
}

static void write_field(const schema_field *field, output *out)
{
    if (field->is_map)
        write_map(field, out);
    else if (!field->repeated)
        write_singular(field, out);
    else if (is_message(field))
        write_add_message(field, out);
    else
        write_add_value(field, out);
}

static void write_clear(const schema_oneof *oneof, output *out)
{
    output_fill(out,
                "static inline void $T$_clear_$O$($T$ *message)\n"
                "{\n"
                "    memset(&message->$O$, 0, sizeof message->$O$);\n"
                "    message->$O$_case = $T$_$O$_NOT_SET;\n"
                "}\n"
                "\n",
                "T", oneof->parent->c_name, "O", oneof->c_name, NULL);
}

static void write_message(const schema_message *message, output *out)
{
    for (size_t i = 0; i < message->enum_count; i++)
        write_enum(message->enums[i], out);
    if (message->is_map_entry)
        return;
    write_life(message->c_name, out);
    write_whole(message->c_name, out);
    for (size_t i = 0; i < message->field_count; i++)
        write_field(message->fields[i], out);
    for (size_t i = 0; i < message->oneof_count; i++)
        write_clear(message->oneofs[i], out);
}

void generate_accessors(const schema_file *file, output *out)
{
    for (size_t i = 0; i < file->enum_count; i++)
        write_enum(file->enums[i], out);
    for (size_t i = 0; i < file->all_message_count; i++)
        write_message(file->all_messages[i], out);
}
