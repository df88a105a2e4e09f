/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collisions.c - see collisions.h
 *
 * Every name that the generators define is claimed for the thing of the schema that it comes from. Members are claimed
 * as "STRUCT.MEMBER", which is no name in C, so that one table serves both.
 */
#include "collisions.h"

#include <string.h>

#include "suffixes.h"

enum { LEAST_BUCKETS = 1 << 12, BUCKETS_FOR_MESSAGE = 16 };

/* A thing of the schema, for error messages. */
typedef struct origin {
    const char *full_name;
    const schema_file *file;
    const schema_location *location;
} origin;

typedef struct claim {
    const char *name;
    origin from;
    struct claim *next;
} claim;

typedef struct registry {
    claim **buckets;
    size_t bucket_count; /* a power of two */
    gen_arena *arena;
    diagnostics *list;
    origin reported[2]; /* the last two that collided: one error for a pair is enough */
} registry;

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static size_t hash(const char *name)
{
    uint32_t value = 2166136261u;
    for (; *name != '\0'; name++)
        value = (value ^ (unsigned char)*name) * 16777619u;
    return value;
}

static void report(registry *r, const char *name, const origin *from, const origin *other)
{
    if (r->reported[0].location == from->location && r->reported[1].location == other->location)
        return;
    r->reported[0] = *from;
    r->reported[1] = *other;
    const char *dot = strchr(name, '.');
    if (from->location == other->location)
        diagnostic_error(r->list, from->file, from->location,
                         "%s needs the name %s in C twice; rename it or what it is a part of", from->full_name, name);
    else
        diagnostic_error(
            r->list, from->file, from->location,
            "%s needs the name %s%s in C, which %s (%s) has already; rename one of them%s", from->full_name,
            dot != NULL ? "of a member " : "", dot != NULL ? dot + 1 : name, other->full_name,
            diagnostic_place(r->arena, other->file, other->location),
            from->file != other->file ? " or give its package another prefix with --mrpc_opt=prefix=PKG:SHORT" : "");
}

/* False: another thing has the name. */
static bool claim_name(registry *r, const char *name, const origin *from)
{
    claim **bucket = &r->buckets[hash(name) & (r->bucket_count - 1)];
    for (const claim *other = *bucket; other != NULL; other = other->next)
        if (strcmp(other->name, name) == 0) {
            report(r, name, from, &other->from);
            return false;
        }
    claim *added = arena_alloc(r->arena, 1, sizeof *added);
    if (added != NULL) {
        *added = (claim){name, *from, *bucket};
        *bucket = added;
    }
    return true;
}

/* Claims FRONT joiner BACK, as in "a_b_C" "_" "new". */
static void claim_joined(registry *r, const char *front, const char *joiner, const char *back, const origin *from)
{
    (void)claim_name(r, arena_printf(r->arena, "%s%s%s", front, joiner, back), from);
}

static void claim_all(registry *r, const char *front, const char *const *backs, size_t count, const origin *from)
{
    for (size_t i = 0; i < count; i++)
        claim_joined(r, front, "_", backs[i], from);
}

#define SUFFIX_NAME(suffix) #suffix,
#define CLAIM_ALL(r, front, from, ...)                                                                                 \
    do {                                                                                                               \
        static const char *const backs[] = {__VA_ARGS__};                                                              \
        claim_all((r), (front), backs, sizeof backs / sizeof *backs, (from));                                          \
    } while (0)

static void claim_enum(registry *r, const schema_enum *enumeration)
{
    const origin from = {enumeration->full_name, enumeration->file, &enumeration->location};
    (void)claim_name(r, enumeration->c_name, &from);
    CLAIM_ALL(r, enumeration->c_name, &from, GEN_ENUM_SUFFIXES(SUFFIX_NAME));
    for (size_t i = 0; i < enumeration->value_count; i++) {
        const schema_enum_value *value = &enumeration->values[i];
        const char *full_name = arena_printf(r->arena, "%s of %s", value->name, enumeration->full_name);
        const origin place = {full_name, enumeration->file, &value->location};
        (void)claim_name(r, value->c_name, &place);
    }
}

/* Mirrors accessors.c: a field of each kind has its own functions. */
static void claim_functions(registry *r, const schema_field *field, const origin *from)
{
    const char *type = field->parent->c_name;
    if (field->is_map) {
        (void)claim_name(r, field->c_type, from);
        claim_joined(r, type, "_get_", field->c_name, from);
        claim_joined(r, type, "_put_", field->c_name, from);
        claim_joined(r, type, "_remove_", field->c_name, from);
    } else if (field->repeated) {
        claim_joined(r, type, "_add_", field->c_name, from);
    } else if (field->message != NULL) {
        claim_joined(r, type, "_make_", field->c_name, from);
    } else {
        claim_joined(r, type, "_set_", field->c_name, from);
        if (schema_has_getter(field))
            claim_joined(r, type, "_get_", field->c_name, from);
    }
}

static void claim_field(registry *r, const schema_field *field)
{
    const origin from = {field->full_name, field->parent->file, &field->location};
    const char *type = field->parent->c_name;
    if (field->oneof == NULL)
        claim_joined(r, type, ".", field->c_name, &from);
    else
        claim_joined(r, arena_printf(r->arena, "%s_%s", type, field->oneof->c_name), "_", field->c_name, &from);
    if (schema_has_flag(field))
        claim_joined(r, type, ".has_", field->c_name, &from);
    claim_functions(r, field, &from);
}

static void claim_oneof(registry *r, const schema_oneof *oneof)
{
    const origin from = {oneof->full_name, oneof->parent->file, &oneof->location};
    const char *type = oneof->parent->c_name;
    const char *name = arena_printf(r->arena, "%s_%s", type, oneof->c_name);
    claim_joined(r, type, ".", oneof->c_name, &from);
    claim_joined(r, arena_printf(r->arena, "%s.%s", type, oneof->c_name), "_", "case", &from);
    claim_joined(r, type, "_clear_", oneof->c_name, &from);
    CLAIM_ALL(r, name, &from, "case", "NOT_SET");
}

static void claim_message(registry *r, const schema_message *message)
{
    const origin from = {message->full_name, message->file, &message->location};
    if (!claim_name(r, message->c_name, &from))
        return; /* and so would all in it */
    if (message->is_map_entry) {
        CLAIM_ALL(r, message->c_name, &from, "type", "fields");
        return;
    }
    CLAIM_ALL(r, message->c_name, &from, GEN_MESSAGE_SUFFIXES(SUFFIX_NAME));
    claim_joined(r, message->c_name, ".", "base", &from);
    for (size_t i = 0; i < message->field_count; i++)
        claim_field(r, message->fields[i]);
    for (size_t i = 0; i < message->oneof_count; i++)
        claim_oneof(r, message->oneofs[i]);
    for (size_t i = 0; i < message->enum_count; i++)
        claim_enum(r, message->enums[i]);
}

/* Mirrors extensions.c. */
static void claim_extension(registry *r, const schema_extension *extension, const schema_file *file)
{
    const origin from = {extension->field->full_name, file, &extension->field->location};
    (void)claim_name(r, extension->c_name, &from);
    CLAIM_ALL(r, extension->c_name, &from, GEN_EXTENSION_SUFFIXES(SUFFIX_NAME));
    if (extension->field->repeated)
        CLAIM_ALL(r, extension->c_name, &from, GEN_LIST_SUFFIXES(SUFFIX_NAME));
    else
        CLAIM_ALL(r, extension->c_name, &from, GEN_SINGLE_SUFFIXES(SUFFIX_NAME));
}

/* Mirrors service.c. */
static void claim_method(registry *r, const schema_method *method)
{
    const origin from = {method->full_name, method->file, &method->location};
    (void)claim_name(r, method->c_name, &from);
    CLAIM_ALL(r, method->c_name, &from, GEN_CALL_SUFFIXES(SUFFIX_NAME));
    if (method->client_streaming || method->server_streaming)
        CLAIM_ALL(r, method->c_name, &from, GEN_STREAM_SUFFIXES(SUFFIX_NAME));
    else
        CLAIM_ALL(r, method->c_name, &from, GEN_UNARY_SUFFIXES(SUFFIX_NAME));
}

static void claim_service(registry *r, const schema_service *service, const schema_file *file)
{
    const origin from = {service->full_name, file, &service->location};
    CLAIM_ALL(r, service->c_name, &from, GEN_SERVICE_SUFFIXES(SUFFIX_NAME));
    for (size_t i = 0; i < service->method_count; i++)
        claim_method(r, &service->methods[i]);
}

/* Its tables and its marshal module. */
static void claim_file(registry *r, const schema_file *file)
{
    const origin from = {file->name, file, &file->syntax_location};
    claim_joined(r, "mrpc_file", "_", file->c_symbol, &from);
    claim_joined(r, "mrpc_module", "_", file->c_symbol, &from);
}

#undef CLAIM_ALL
#undef SUFFIX_NAME

static size_t buckets_for(schema_file *const *files, size_t count)
{
    size_t messages = 0, buckets = LEAST_BUCKETS;
    for (size_t i = 0; i < count; i++)
        messages += files[i]->all_message_count;
    while (buckets < BUCKETS_FOR_MESSAGE * messages)
        buckets *= 2;
    return buckets;
}

int collisions_check(schema_file *const *files, size_t count, gen_arena *arena, diagnostics *list)
{
    registry r = {.bucket_count = buckets_for(files, count), .arena = arena, .list = list};
    r.buckets = arena_alloc(arena, r.bucket_count, sizeof(claim *));
    for (size_t i = 0; r.buckets != NULL && i < count; i++) {
        claim_file(&r, files[i]);
        for (size_t j = 0; j < files[i]->enum_count; j++)
            claim_enum(&r, files[i]->enums[j]);
        for (size_t j = 0; j < files[i]->all_message_count; j++)
            claim_message(&r, files[i]->all_messages[j]);
        for (size_t j = 0; j < files[i]->extension_count; j++)
            claim_extension(&r, &files[i]->extensions[j], files[i]);
        for (size_t j = 0; j < files[i]->service_count; j++)
            claim_service(&r, &files[i]->services[j], files[i]);
    }
    return arena->failed ? MRPC_ENOMEM : 0;
}
