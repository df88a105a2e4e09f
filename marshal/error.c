/* SPDX-License-Identifier: BSD-2-Clause */
/* error.c - fills and names errors and statuses; the tables are in mrpc/error.h */
#include "config.h"

#include <mrpc/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *mrpc_error_text(const mrpc_error *error)
{
    return error == NULL || error->code == 0 ? "no error" : error->text;
}

const char *mrpc_strerror(int code)
{
    switch (code) {
    case 0:
        return "no error";
#define ERROR_CASE(name, value, text)                                                                                  \
    case MRPC_##name:                                                                                                  \
        return text;
        MRPC_ERROR_TABLE(ERROR_CASE)
#undef ERROR_CASE
    default:
        return "unknown error";
    }
}

/* Ends `text`, which was cut to `size` bytes with its NUL, at a whole UTF-8 character (RFC 3629, section 3). */
static void drop_cut_character(char *text, size_t size)
{
    size_t length = size - 1, start = length;
    while (start > 0 && length - start < 4) {
        unsigned char byte = (unsigned char)text[--start];
        if ((byte & 0xC0) == 0x80)
            continue;
        size_t needed = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
        if (length - start < needed)
            text[start] = '\0';
        return;
    }
}

/* vsnprintf that never leaves half a character; returns the length of what is in `text`. */
static size_t print_text(char *text, size_t size, const char *format, va_list arguments) MRPC_PRINTF(3, 0);

static size_t print_text(char *text, size_t size, const char *format, va_list arguments)
{
    text[0] = '\0';
    if (vsnprintf(text, size, format, arguments) >= (int)size)
        drop_cut_character(text, size);
    return strlen(text);
}

int mrpc_error_set(mrpc_error *error, int code, const char *format, ...)
{
    if (error == NULL)
        return code;
    va_list arguments;
    va_start(arguments, format);
    print_text(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->code = code;
    error->system_errno = 0;
    return code;
}

int mrpc_error_system(mrpc_error *error, int system_errno, const char *format, ...)
{
    if (error == NULL)
        return MRPC_ESYS;
    va_list arguments;
    va_start(arguments, format);
    size_t length = print_text(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    /* GNU's strerror_r: it may return a constant and leave the buffer alone. */
    char buffer[128];
    size_t room = sizeof error->text - length;
    if (snprintf(error->text + length, room, ": %s", strerror_r(system_errno, buffer, sizeof buffer)) >= (int)room)
        drop_cut_character(error->text, sizeof error->text);
    error->code = MRPC_ESYS;
    error->system_errno = system_errno;
    return MRPC_ESYS;
}

const char *mrpc_code_name(mrpc_code code)
{
    switch (code) {
#define CODE_CASE(name, value)                                                                                         \
    case MRPC_##name:                                                                                                  \
        return #name;
        MRPC_STATUS_TABLE(CODE_CASE)
#undef CODE_CASE
    default:
        return "UNKNOWN";
    }
}

mrpc_status mrpc_status_make(mrpc_code code, const char *format, ...)
{
    mrpc_status status = {.code = code};
    if (code == MRPC_OK)
        return status;
    va_list arguments;
    va_start(arguments, format);
    print_text(status.message, sizeof status.message, format, arguments);
    va_end(arguments);
    return status;
}
