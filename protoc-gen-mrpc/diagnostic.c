/* SPDX-License-Identifier: BSD-2-Clause */
/* diagnostic.c - see diagnostic.h */
#include "diagnostic.h"

#include <stdarg.h>
#include <stdio.h>

static int at_least_one(int number)
{
    return number > 0 ? number : 1;
}

void diagnostic_error(diagnostics *list, const schema_file *file, const schema_location *location, const char *format,
                      ...)
{
    if (list->count++ >= DIAGNOSTIC_LIMIT)
        return;
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    output_printf(&list->text, "\n%s:%d:%d: error: %s", file->name, at_least_one(location->line),
                  at_least_one(location->column), text);
}

const char *diagnostic_place(gen_arena *arena, const schema_file *file, const schema_location *location)
{
    return arena_printf(arena, "%s:%d:%d", file->name, at_least_one(location->line), at_least_one(location->column));
}
