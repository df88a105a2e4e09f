/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - see options.h */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mrpc/marshal.h>

typedef int option_setter(gen_options *options, const char *value, gen_arena *arena, output *error);

static bool is_identifier(const char *text)
{
    if (isdigit((unsigned char)*text))
        return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && *text != '_')
            return false;
    return true;
}

/* The same prefix may be given twice: build systems repeat options. */
static int set_prefix(gen_options *options, const char *value, gen_arena *arena, output *error)
{
    const char *colon = strchr(value, ':');
    if (colon == NULL || !is_identifier(colon + 1)) {
        output_printf(error, "option prefix=%s: expected PKG:SHORT, where SHORT can begin a name in C", value);
        return MRPC_EINVAL;
    }
    gen_prefix *prefix = arena_alloc(arena, 1, sizeof *prefix);
    if (prefix == NULL)
        return MRPC_ENOMEM;
    prefix->package = arena_text(arena, value, (size_t)(colon - value));
    prefix->text = colon + 1;
    for (const gen_prefix *other = options->prefixes; other != NULL; other = other->next)
        if (strcmp(other->package, prefix->package) == 0 && strcmp(other->text, prefix->text) != 0) {
            output_printf(error, "option prefix: package %s is given two prefixes, %s and %s", prefix->package,
                          other->text, prefix->text);
            return MRPC_EINVAL;
        }
    prefix->next = (gen_prefix *)options->prefixes;
    options->prefixes = prefix;
    return 0;
}

/* The text stands in a C string, in an ELF note and in mrpcctl's table: nothing that would need quoting anywhere. */
static int set_stamp(gen_options *options, const char *value, gen_arena *arena, output *error)
{
    (void)arena;
    size_t size = strlen(value);
    bool printable = true;
    for (size_t i = 0; i < size; i++)
        printable &= isgraph((unsigned char)value[i]) != 0 && value[i] != '"' && value[i] != '\\';
    if (size >= MRPC_STAMP_SIZE || !printable) {
        output_printf(error,
                      "option stamp=%s: expected at most %d characters of ASCII without blanks, quotes and backslashes",
                      value, MRPC_STAMP_SIZE - 1);
        return MRPC_EINVAL;
    }
    options->stamp = value;
    return 0;
}

static int set_services(gen_options *options, const char *value, gen_arena *arena, output *error)
{
    (void)arena;
    options->no_services = strcmp(value, "no") == 0;
    if (options->no_services || strcmp(value, "yes") == 0)
        return 0;
    output_printf(error, "option services=%s: expected yes or no", value);
    return MRPC_EINVAL;
}

static int set_threshold(gen_options *options, const char *value, gen_arena *arena, output *error)
{
    (void)arena;
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end != '\0' || errno != 0 || number == 0 || number > UINT32_MAX) {
        output_printf(error, "option threshold=%s: expected a number of bytes from 1 to 4294967295", value);
        return MRPC_EINVAL;
    }
    options->threshold = (uint32_t)number;
    return 0;
}

static option_setter *find_setter(const char *name)
{
#define OPTION_FIND(option, argument, help)                                                                            \
    if (strcmp(name, #option) == 0)                                                                                    \
        return set_##option;
    GEN_OPTION_TABLE(OPTION_FIND)
#undef OPTION_FIND
    return NULL;
}

/* The list of options in the error comes from the same table as the parser. */
static int set_option(gen_options *options, const char *name, const char *value, gen_arena *arena, output *error)
{
    option_setter *setter = find_setter(name);
    if (setter == NULL) {
#define OPTION_LIST(option, argument, help) " " #option "=" argument
        output_printf(error, "unknown option '%s'; the options are:" GEN_OPTION_TABLE(OPTION_LIST), name);
#undef OPTION_LIST
        return MRPC_EINVAL;
    }
    if (value == NULL) {
        output_printf(error, "option %s needs a value: %s=…", name, name);
        return MRPC_EINVAL;
    }
    return setter(options, value, arena, error);
}

/* protoc joins several --mrpc_opt with commas; an empty item is what `--mrpc_opt=` gives. */
int options_parse(gen_options *options, const char *parameter, gen_arena *arena, output *error)
{
    *options = (gen_options){.stamp = ""};
    for (const char *item = parameter; *item != '\0';) {
        size_t size = strcspn(item, ",");
        const char *equals = memchr(item, '=', size);
        size_t name_size = equals != NULL ? (size_t)(equals - item) : size;
        const char *name = arena_text(arena, item, name_size);
        const char *value = equals != NULL ? arena_text(arena, equals + 1, size - name_size - 1) : NULL;
        int result = size == 0 ? 0 : set_option(options, name, value, arena, error);
        if (result != 0)
            return result;
        item += size;
        item += *item == ',';
    }
    return arena->failed ? MRPC_ENOMEM : 0;
}

void options_help(output *out)
{
#define OPTION_HELP(option, argument, help) output_printf(out, "  %-20s %s\n", #option "=" argument, help);
    GEN_OPTION_TABLE(OPTION_HELP)
#undef OPTION_HELP
}
