/* SPDX-License-Identifier: BSD-2-Clause */
/* names.c - names of fields in lowerCamelCase, as protoc makes them (ToJsonName in descriptor.cc of protobuf) */
#include "config.h"

#include <string.h>

#include "json/known.h"

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The next character of a name in camel case; '\0' at its end. */
static char next_camel(const char **at)
{
    bool capital = false;
    for (; **at == '_'; ++*at)
        capital = true;
    if (**at == '\0')
        return '\0';
    char c = *(*at)++;
    return capital ? upper(c) : c;
}

/* A name that the option json_name gave stands behind the field's own. */
static const char *given_name(const mrpc_field *field)
{
    return (field->flags & MRPC_FIELD_JSON_NAME) != 0 ? field->name + strlen(field->name) + 1 : NULL;
}

size_t mrpc_json_name(const mrpc_field *field, char *name, size_t size)
{
    const char *at = given_name(field);
    bool given = at != NULL;
    size_t length = 0;
    if (!given)
        at = field->name;
    for (char c; (c = given ? *at++ : next_camel(&at)) != '\0'; length++)
        if (length + 1 < size)
            name[length] = c;
    if (size > 0)
        name[length < size ? length : size - 1] = '\0';
    return length;
}

bool mrpc_json_is_named(const mrpc_field *field, const char *name, size_t size)
{
    if (strlen(field->name) == size && memcmp(field->name, name, size) == 0)
        return true;
    const char *given = given_name(field), *at = field->name;
    if (given != NULL)
        return strlen(given) == size && memcmp(given, name, size) == 0;
    for (size_t i = 0; i < size; i++)
        if (name[i] == '\0' || next_camel(&at) != name[i])
            return false;
    return next_camel(&at) == '\0';
}

size_t mrpc_json_camel_path(const char *path, size_t size, char *to)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        if (is_upper(path[i]))
            return SIZE_MAX;
        if (path[i] != '_') {
            to[length++] = path[i];
            continue;
        }
        if (++i == size || path[i] < 'a' || path[i] > 'z')
            return SIZE_MAX;
        to[length++] = upper(path[i]);
    }
    return length;
}

size_t mrpc_json_snake_path(const char *path, size_t size, char *to)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        if (path[i] == '_')
            return SIZE_MAX;
        if (is_upper(path[i]))
            to[length++] = '_';
        to[length++] = is_upper(path[i]) ? (char)(path[i] - 'A' + 'a') : path[i];
    }
    return length;
}
