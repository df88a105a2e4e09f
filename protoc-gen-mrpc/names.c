/* SPDX-License-Identifier: BSD-2-Clause */
/* names.c - see names.h */
#include "names.h"

#include <ctype.h>
#include <string.h>

#include "suffixes.h"

typedef struct naming {
    gen_arena *arena;
    const schema_file *file;
} naming;

bool names_taken(const char *name, const char *taken)
{
    size_t size = strlen(taken);
    return strncmp(name, taken, size) == 0 && name[size + strspn(name + size, "_")] == '\0';
}

bool names_reserved(const char *name, bool (*reserved)(const char *name))
{
    char stem[64];
    size_t size = strlen(name);
    while (size > 0 && name[size - 1] == '_')
        size--;
    if (size >= sizeof stem)
        return false;
    memcpy(stem, name, size);
    stem[size] = '\0';
    return reserved(stem);
}

/* What the library itself may declare. */
static bool is_library_name(const char *name)
{
    if (strncmp(name, "mrpc_", 5) != 0)
        return false;
    for (; *name != '\0'; name++)
        if (isupper((unsigned char)*name))
            return false;
    return true;
}

static bool is_bad_global(const char *name)
{
    return is_library_name(name) || names_reserved_global(name);
}

/* The C name of something that stands in `scope` (a prefix that ends in an underscore, or ""). `suffix` says which last
 * parts belong to generated functions there; NULL for none. */
static const char *global_name(naming *n, const char *scope, const char *name, bool (*suffix)(const char *name))
{
    const char *whole = arena_printf(n->arena, "%s%s", scope, name);
    bool escape = names_reserved(whole, is_bad_global) || (suffix != NULL && names_reserved(name, suffix));
    return escape ? arena_printf(n->arena, "%s_", whole) : whole;
}

/* Values are siblings of their enum, as in protobuf's own scoping. */
static void name_enum(naming *n, schema_enum *enumeration, const char *scope, bool (*suffix)(const char *name))
{
    enumeration->c_name = global_name(n, scope, enumeration->name, suffix);
    for (size_t i = 0; i < enumeration->value_count; i++)
        enumeration->values[i].c_name = global_name(n, scope, enumeration->values[i].name, suffix);
}

/* Entries of maps are called after their fields, see member_names.c. */
static void name_message(naming *n, schema_message *message, const char *scope, bool (*suffix)(const char *name))
{
    if (message->is_map_entry)
        return;
    message->c_name = global_name(n, scope, message->name, suffix);
    const char *inner = arena_printf(n->arena, "%s_", message->c_name);
    for (size_t i = 0; i < message->message_count; i++)
        name_message(n, message->messages[i], inner, names_message_suffix);
    for (size_t i = 0; i < message->enum_count; i++)
        name_enum(n, message->enums[i], inner, names_message_suffix);
}

static const char *scalar_type(mrpc_field_type type)
{
    static const char *const names[] = {
        [MRPC_TYPE_DOUBLE] = "double",    [MRPC_TYPE_FLOAT] = "float",     [MRPC_TYPE_INT64] = "int64_t",
        [MRPC_TYPE_UINT64] = "uint64_t",  [MRPC_TYPE_INT32] = "int32_t",   [MRPC_TYPE_FIXED64] = "uint64_t",
        [MRPC_TYPE_FIXED32] = "uint32_t", [MRPC_TYPE_BOOL] = "bool",       [MRPC_TYPE_STRING] = "mrpc_string",
        [MRPC_TYPE_BYTES] = "mrpc_bytes", [MRPC_TYPE_UINT32] = "uint32_t", [MRPC_TYPE_SFIXED32] = "int32_t",
        [MRPC_TYPE_SFIXED64] = "int64_t", [MRPC_TYPE_SINT32] = "int32_t",  [MRPC_TYPE_SINT64] = "int64_t",
    };
    return names[type];
}

/* The list type of the runtime for scalars, strings, bytes and enums. */
static const char *scalar_list(gen_arena *arena, const schema_field *field)
{
    const char *type = field->type == MRPC_TYPE_ENUM ? "int32_t" : scalar_type(field->type);
    size_t size = strlen(type);
    if (strncmp(type, "mrpc_", 5) == 0)
        return arena_printf(arena, "%s_list", type);
    if (size > 2 && strcmp(type + size - 2, "_t") == 0)
        size -= 2;
    return arena_printf(arena, "mrpc_%.*s_list", (int)size, type);
}

/* The types of members need the names of all messages of the file, hence a pass of their own; those of maps need the
 * names of members, see member_names.c. */
static void type_field(naming *n, schema_field *field)
{
    bool is_message = field->type == MRPC_TYPE_MESSAGE || field->type == MRPC_TYPE_GROUP;
    if (field->is_map)
        return;
    if (is_message)
        field->c_element = arena_printf(n->arena, "%s *", field->message->c_name);
    else
        field->c_element = field->type == MRPC_TYPE_ENUM ? field->enumeration->c_name : scalar_type(field->type);
    if (field->repeated)
        field->c_type =
            is_message ? arena_printf(n->arena, "%s_list", field->message->c_name) : scalar_list(n->arena, field);
    else
        field->c_type = field->c_element;
}

static void type_message(naming *n, schema_message *message)
{
    for (size_t i = 0; i < message->field_count; i++)
        type_field(n, message->fields[i]);
    for (size_t i = 0; i < message->message_count; i++)
        type_message(n, message->messages[i]);
}

/* An extension stands where it is declared, not where the message is that it extends. */
static void name_extension(naming *n, schema_extension *extension)
{
    const schema_message *scope = extension->scope;
    const char *front = scope != NULL ? arena_printf(n->arena, "%s_", scope->c_name) : n->file->c_prefix;
    extension->c_name = global_name(n, front, extension->field->name, scope != NULL ? names_message_suffix : NULL);
    type_field(n, extension->field);
}

static void name_service(naming *n, schema_service *service)
{
    service->c_name = global_name(n, n->file->c_prefix, service->name, NULL);
    const char *inner = arena_printf(n->arena, "%s_", service->c_name);
    for (size_t i = 0; i < service->method_count; i++) {
        schema_method *method = &service->methods[i];
        method->c_name = global_name(n, inner, method->name, names_service_suffix);
        bool escape = names_reserved(method->name, names_reserved_word);
        method->c_member = escape ? arena_printf(n->arena, "%s_", method->name) : method->name;
    }
}

/* "a_b_" of a package, or what the user wants instead. */
static const char *file_prefix(const schema_file *file, const gen_options *options, gen_arena *arena)
{
    const char *text = file->package;
    for (const gen_prefix *prefix = options->prefixes; prefix != NULL; prefix = prefix->next)
        if (strcmp(prefix->package, file->package) == 0)
            text = prefix->text;
    if (*text == '\0')
        return "";
    char *copy = arena_alloc(arena, strlen(text) + 2, 1);
    if (copy == NULL)
        return "";
    for (size_t i = 0; text[i] != '\0'; i++)
        copy[i] = (char)(text[i] == '.' ? '_' : text[i]);
    copy[strlen(text)] = '_';
    return copy;
}

/* Enums of the top level come first only because messages refer to them; the order does not change any name. */
int names_assign(schema_file *file, const gen_options *options, gen_arena *arena)
{
    naming n = {arena, file};
    file->c_prefix = file_prefix(file, options, arena);
    file->c_header = names_output(arena, file->name, ".mrpc.h");
    file->c_symbol = names_symbol(arena, file->name);
    for (size_t i = 0; i < file->enum_count; i++)
        name_enum(&n, file->enums[i], file->c_prefix, NULL);
    for (size_t i = 0; i < file->message_count; i++)
        name_message(&n, file->messages[i], file->c_prefix, NULL);
    for (size_t i = 0; i < file->message_count; i++)
        type_message(&n, file->messages[i]);
    for (size_t i = 0; i < file->message_count; i++)
        names_assign_members(file->messages[i], arena);
    for (size_t i = 0; i < file->extension_count; i++)
        name_extension(&n, &file->extensions[i]);
    for (size_t i = 0; i < file->service_count; i++)
        name_service(&n, &file->services[i]);
    return arena->failed ? MRPC_ENOMEM : 0;
}

static size_t stem_size(const char *file_name)
{
    size_t size = strlen(file_name);
    return size > 6 && strcmp(file_name + size - 6, ".proto") == 0 ? size - 6 : size;
}

const char *names_symbol(gen_arena *arena, const char *file_name)
{
    static const char digits[] = "0123456789abcdef";
    size_t size = stem_size(file_name), used = 0;
    char *symbol = arena_alloc(arena, 3 * size + 1, 1);
    for (size_t i = 0; symbol != NULL && i < size; i++) {
        unsigned char c = (unsigned char)file_name[i];
        if (c < 0x80 && isalnum(c)) {
            symbol[used++] = (char)c;
        } else {
            symbol[used++] = '_';
            symbol[used++] = digits[c >> 4];
            symbol[used++] = digits[c & 15];
        }
    }
    return symbol != NULL ? symbol : "";
}

const char *names_output(gen_arena *arena, const char *file_name, const char *suffix)
{
    return arena_printf(arena, "%.*s%s", (int)stem_size(file_name), file_name, suffix);
}
