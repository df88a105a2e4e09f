/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * member_names.c - what the members of generated structs are called
 *
 * A member may not have the name of another one that the struct has anyway, nor that of a type which a member of the
 * struct is declared with: C++ does not allow `Colour Colour;`.
 */
#include "names.h"

#include <string.h>

/* The struct whose members are being named. */
typedef struct struct_scope {
    const schema_message *message;
    gen_arena *arena;
    const char **types; /* that its members are declared with, each once; without those made for its maps and oneofs */
    size_t type_count;
} struct_scope;

/* The type that a member for the field names; NULL: one of its own. */
static const char *declared_type(const schema_field *field)
{
    if (field->is_map)
        return NULL;
    return field->message != NULL && !field->repeated ? field->message->c_name : field->c_type;
}

static void add_type(struct_scope *scope, const char *type)
{
    for (size_t i = 0; i < scope->type_count; i++)
        if (strcmp(scope->types[i], type) == 0)
            return;
    scope->types[scope->type_count++] = type;
}

/* False: no memory. */
static bool list_types(struct_scope *scope)
{
    const schema_message *message = scope->message;
    scope->types = arena_alloc(scope->arena, message->field_count + 1, sizeof *scope->types);
    if (scope->types == NULL)
        return false;
    if (!message->is_map_entry)
        add_type(scope, "mrpc_message");
    for (size_t i = 0; i < message->field_count; i++)
        if (declared_type(message->fields[i]) != NULL)
            add_type(scope, declared_type(message->fields[i]));
    return true;
}

static const char *member_name(const struct_scope *scope, const char *name, bool in_union);

/* Whether `name` is what is made of another member, whose name in the schema is `base`, by appending `end`. Bases are
 * shorter than what is made of them, so that looking for bases comes to an end. */
static bool is_made_of(const struct_scope *scope, const char *name, const char *base, const char *end)
{
    size_t size = strlen(base);
    return strlen(name) >= size + strlen(end) && strncmp(name, base, size) == 0 &&
           names_taken(name, arena_printf(scope->arena, "%s%s", member_name(scope, base, false), end));
}

/* ONEOF_case, for the member and behind the name of the struct for its type. */
static bool is_case(const struct_scope *scope, const char *name)
{
    for (size_t i = 0; i < scope->message->oneof_count; i++)
        if (is_made_of(scope, name, scope->message->oneofs[i]->name, "_case"))
            return true;
    return false;
}

/* The types made for maps and oneofs: STRUCT_FIELD_map and STRUCT_ONEOF_case. */
static bool is_own_type(const struct_scope *scope, const char *name)
{
    const schema_message *message = scope->message;
    size_t size = strlen(message->c_name);
    if (strncmp(name, message->c_name, size) != 0 || name[size] != '_')
        return false;
    const char *rest = name + size + 1;
    for (size_t i = 0; i < message->field_count; i++)
        if (message->fields[i]->is_map && is_made_of(scope, rest, message->fields[i]->name, "_map"))
            return true;
    return is_case(scope, rest);
}

static bool is_type(const struct_scope *scope, const char *name)
{
    for (size_t i = 0; i < scope->type_count; i++)
        if (names_taken(name, scope->types[i]))
            return true;
    return is_own_type(scope, name);
}

static bool is_flag(const struct_scope *scope, const char *name)
{
    const schema_message *message = scope->message;
    for (size_t i = 0; strncmp(name, "has_", 4) == 0 && i < message->field_count; i++)
        if (schema_has_flag(message->fields[i]) && is_made_of(scope, name + 4, message->fields[i]->name, ""))
            return true;
    return false;
}

/* Members of a union have no neighbours but each other. */
static const char *member_name(const struct_scope *scope, const char *name, bool in_union)
{
    bool escape = names_reserved(name, names_reserved_word) || is_type(scope, name) ||
                  (!in_union && (names_taken(name, "base") || is_flag(scope, name) || is_case(scope, name)));
    return escape ? arena_printf(scope->arena, "%s_", name) : name;
}

/* An entry of a map is called after its field, not after the CamelCase name that protoc makes up for it, and errors
 * point to the field: it has no place of its own. */
static void name_map(schema_field *field, gen_arena *arena)
{
    const char *owner = field->parent->c_name;
    field->message->c_name = arena_printf(arena, "%s_%s_entry", owner, field->c_name);
    field->message->location.line = field->location.line;
    field->message->location.column = field->location.column;
    field->c_element = field->message->c_name;
    field->c_type = arena_printf(arena, "%s_%s_map", owner, field->c_name);
}

void names_assign_members(schema_message *message, gen_arena *arena)
{
    struct_scope scope = {.message = message, .arena = arena};
    if (!list_types(&scope))
        return;
    for (size_t i = 0; i < message->field_count; i++) {
        schema_field *field = message->fields[i];
        field->c_name = member_name(&scope, field->name, field->oneof != NULL);
        if (field->is_map)
            name_map(field, arena);
    }
    for (size_t i = 0; i < message->oneof_count; i++)
        message->oneofs[i]->c_name = member_name(&scope, message->oneofs[i]->name, false);
    for (size_t i = 0; i < message->message_count; i++)
        names_assign_members(message->messages[i], arena);
}
