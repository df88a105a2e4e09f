/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extensions.c - the functions in FILE.mrpc.h that read and change extensions, and their tables in FILE.mrpc.c
 *
 * The functions are thin, over those of <mrpc/extension.h>: they give values their types.
 */
#include "generator.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "literals.h"

/* --- functions --- */

/* What a value is in the functions of an extension. */
typedef enum value_kind { VALUE_NUMBER, VALUE_STRING, VALUE_BYTES, VALUE_MESSAGE } value_kind;

static value_kind kind_of(const schema_field *field)
{
    if (schema_is_message(field))
        return VALUE_MESSAGE;
    if (field->type == MRPC_TYPE_STRING)
        return VALUE_STRING;
    return field->type == MRPC_TYPE_BYTES ? VALUE_BYTES : VALUE_NUMBER;
}

/* Fills a template with what extensions are made of: X the name of this one, M the message that it extends, V the type
 * of a value as it is read, T that of a message, L that of a list. */
static void fill(const schema_extension *extension, const char *template_text, output *out)
{
    const schema_field *field = extension->field;
    value_kind kind = kind_of(field);
    output_fill(out, template_text, "X", extension->c_name, "M", field->parent->c_name, "V",
                kind == VALUE_NUMBER ? field->c_element : "mrpc_bytes", "T",
                kind == VALUE_MESSAGE ? field->message->c_name : "", "L", field->c_type, NULL);
}

static const char *const getters[] = {
    [VALUE_NUMBER] = "static inline $V$ $X$_get(const $M$ *message)\n"
                     "{\n"
                     "    $V$ value;\n"
                     "    mrpc_extension_get(&$X$, message, &value);\n"
                     "    return value;\n"
                     "}\n\n",
    [VALUE_STRING] = "static inline mrpc_bytes $X$_get(const $M$ *message)\n"
                     "{\n"
                     "    mrpc_bytes value;\n"
                     "    mrpc_extension_get(&$X$, message, &value);\n"
                     "    return value;\n"
                     "}\n\n",
    [VALUE_BYTES] = "static inline mrpc_bytes $X$_get(const $M$ *message)\n"
                    "{\n"
                    "    mrpc_bytes value;\n"
                    "    mrpc_extension_get(&$X$, message, &value);\n"
                    "    return value;\n"
                    "}\n\n",
    [VALUE_MESSAGE] = "MRPC_MUST_CHECK static inline int $X$_get(\n"
                      "        const $M$ *message, void *owner, $T$ **value, mrpc_error *error)\n"
                      "{\n"
                      "    void *made;\n"
                      "    int result = mrpc_extension_get_message(&$X$, message, owner, &made, error);\n"
                      "    *value = ($T$ *)made;\n"
                      "    return result;\n"
                      "}\n\n",
};

static const char *const elements[] = {
    [VALUE_NUMBER] = "static inline $V$ $X$_at(const $M$ *message, size_t index)\n"
                     "{\n"
                     "    $V$ value;\n"
                     "    (void)mrpc_extension_at(&$X$, message, index, &value);\n"
                     "    return value;\n"
                     "}\n\n",
    [VALUE_STRING] = "static inline mrpc_bytes $X$_at(const $M$ *message, size_t index)\n"
                     "{\n"
                     "    mrpc_bytes value;\n"
                     "    (void)mrpc_extension_at(&$X$, message, index, &value);\n"
                     "    return value;\n"
                     "}\n\n",
    [VALUE_BYTES] = "static inline mrpc_bytes $X$_at(const $M$ *message, size_t index)\n"
                    "{\n"
                    "    mrpc_bytes value;\n"
                    "    (void)mrpc_extension_at(&$X$, message, index, &value);\n"
                    "    return value;\n"
                    "}\n\n",
    [VALUE_MESSAGE] = "MRPC_MUST_CHECK static inline int $X$_at(\n"
                      "        const $M$ *message, size_t index, void *owner, $T$ **value, mrpc_error *error)\n"
                      "{\n"
                      "    void *made;\n"
                      "    int result = mrpc_extension_message_at(&$X$, message, index, owner, &made, error);\n"
                      "    *value = ($T$ *)made;\n"
                      "    return result;\n"
                      "}\n\n",
};

/* The function that puts a value in, `verb` being set or add. */
static void write_put(const schema_extension *extension, const char *verb, output *out)
{
    static const char *const parameters[] = {
        [VALUE_NUMBER] = "$V$ value",
        [VALUE_STRING] = "const char *text",
        [VALUE_BYTES] = "const void *data, size_t size",
        [VALUE_MESSAGE] = "const $T$ *value",
    };
    static const char *const bodies[] = {
        [VALUE_NUMBER] = "",
        [VALUE_STRING] = "    const mrpc_string value = {(char *)(uintptr_t)text, strlen(text)};\n",
        [VALUE_BYTES] = "    const mrpc_bytes value = {(uint8_t *)(uintptr_t)data, size};\n",
        [VALUE_MESSAGE] = "",
    };
    value_kind kind = kind_of(extension->field);
    fill(extension, "static inline int $X$_", out);
    output_text(out, verb);
    fill(extension, "($M$ *message, ", out);
    fill(extension, parameters[kind], out);
    output_text(out, ")\n{\n");
    output_text(out, bodies[kind]);
    output_printf(out, "    return mrpc_extension_%s(&%s, message, %svalue);\n}\n\n", verb, extension->c_name,
                  kind == VALUE_MESSAGE ? "" : "&");
}

static void write_single(const schema_extension *extension, output *out)
{
    fill(extension,
         "static inline bool $X$_has(const $M$ *message)\n"
         "{\n"
         "    return mrpc_extension_has(&$X$, message);\n"
         "}\n\n",
         out);
    fill(extension, getters[kind_of(extension->field)], out);
    write_put(extension, "set", out);
}

static void write_list(const schema_extension *extension, output *out)
{
    fill(extension,
         "static inline size_t $X$_size(const $M$ *message)\n"
         "{\n"
         "    return mrpc_extension_size(&$X$, message);\n"
         "}\n\n",
         out);
    fill(extension, elements[kind_of(extension->field)], out);
    fill(extension,
         "MRPC_MUST_CHECK static inline int $X$_get(\n"
         "        const $M$ *message, void *owner, $L$ *list, mrpc_error *error)\n"
         "{\n"
         "    return mrpc_extension_get_list(&$X$, message, owner, list, error);\n"
         "}\n\n"
         "static inline int $X$_set($M$ *message, const $L$ *list)\n"
         "{\n"
         "    return mrpc_extension_set(&$X$, message, list);\n"
         "}\n\n",
         out);
    write_put(extension, "add", out);
}

static void write_functions(const schema_extension *extension, output *out)
{
    if (extension->field->repeated)
        write_list(extension, out);
    else
        write_single(extension, out);
    fill(extension,
         "static inline void $X$_clear($M$ *message)\n"
         "{\n"
         "    mrpc_extension_clear(&$X$, message);\n"
         "}\n\n",
         out);
}

void generate_extensions(const schema_file *file, output *out)
{
    for (size_t i = 0; i < file->extension_count; i++) {
        const schema_extension *extension = &file->extensions[i];
        generate_comment(out, 0, &extension->field->location, extension->field->deprecated);
        output_printf(out, "extern const mrpc_extension %s;\n", extension->c_name);
    }
    output_text(out, file->extension_count != 0 ? "\n" : "");
    for (size_t i = 0; i < file->extension_count; i++)
        write_functions(&file->extensions[i], out);
}

/* --- tables --- */

static void write_default(const schema_extension *extension, output *out)
{
    const schema_field *field = extension->field;
    bool is_text = field->type == MRPC_TYPE_STRING || field->type == MRPC_TYPE_BYTES;
    output_printf(out, "static const %s %s_absent = ", field->c_element, extension->c_name);
    if (is_text)
        output_printf(out, "{\n    (%s *)", field->type == MRPC_TYPE_STRING ? "char" : "uint8_t");
    literal_default(out, field, 4);
    if (is_text)
        output_printf(out, ", %zu,\n}", field->absent.size);
    output_text(out, ";\n\n");
}

static void write_table(const schema_file *file, const schema_extension *extension, output *out)
{
    const schema_field *field = extension->field;
    if (extension->has_default)
        write_default(extension, out);
    output_printf(out,
                  "const mrpc_extension %s = {\n    sizeof(mrpc_extension),\n    {\"%s\", %" PRId32 ", 0, 0,\n     ",
                  extension->c_name, field->full_name, field->number);
    generate_field_kind(field, out);
    output_printf(out, "},\n    &%s_type, &mrpc_file_%s, ", field->parent->c_name, file->c_symbol);
    if (extension->has_default)
        output_printf(out, "&%s_absent,\n};\n\n", extension->c_name);
    else
        output_text(out, "NULL,\n};\n\n");
}

/* As <mrpc/message.h> says of mrpc_file.extensions. */
static int by_extended(const void *a, const void *b)
{
    const schema_field *left = (*(const schema_extension *const *)a)->field;
    const schema_field *right = (*(const schema_extension *const *)b)->field;
    int order = strcmp(left->parent->full_name, right->parent->full_name);
    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

static void write_all(const schema_file *file, const schema_extension **sorted, output *out)
{
    for (size_t i = 0; i < file->extension_count; i++)
        sorted[i] = &file->extensions[i];
    qsort(sorted, file->extension_count, sizeof *sorted, by_extended);
    output_text(out, "static const mrpc_extension *const mrpc_own_extensions[] = {\n");
    for (size_t i = 0; i < file->extension_count; i++)
        output_printf(out, "    &%s,\n", sorted[i]->c_name);
    output_text(out, "};\n\n");
}

void generate_extension_tables(const schema_file *file, output *out)
{
    if (file->extension_count == 0)
        return;
    const schema_extension **sorted = calloc(file->extension_count, sizeof *sorted);
    if (sorted == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < file->extension_count; i++)
        write_table(file, &file->extensions[i], out);
    write_all(file, sorted, out);
    free(sorted);
}
