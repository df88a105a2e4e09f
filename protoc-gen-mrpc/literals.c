/* SPDX-License-Identifier: BSD-2-Clause */
/* literals.c - see literals.h */
#include "literals.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BYTES_IN_LINE = 24 };

/* As many digits as give the same number back, as a floating constant. Infinity and NaN are no constants of C without
 * <math.h>, whose macros conversion warnings stumble over. */
static void write_real(output *out, double value, bool is_float)
{
    const char *end = is_float ? "f" : "";
    char text[40];
    if (isnan(value)) {
        output_printf(out, "__builtin_nan%s(\"\")", end);
        return;
    }
    if (isinf(value)) {
        output_printf(out, "%s__builtin_inf%s()", value < 0 ? "-" : "", end);
        return;
    }
    snprintf(text, sizeof text, "%.*g", is_float ? 9 : 17, value);
    output_printf(out, "%s%s%s", text, strpbrk(text, ".e") != NULL ? "" : ".0", end);
}

/* The least number of a type is not written as the negative of one that the type does not have. */
static void write_signed(output *out, int64_t value, int bits)
{
    if (value == (bits == 32 ? INT32_MIN : INT64_MIN))
        output_printf(out, "INT%d_MIN", bits);
    else if (bits == 32)
        output_printf(out, "%" PRId64, value);
    else
        output_printf(out, "INT64_C(%" PRId64 ")", value);
}

/* The same on every machine, whatever a byte stands for. */
static void write_text(output *out, const char *text, size_t size, int indent)
{
    const char *between = size > BYTES_IN_LINE ? "\n" : "";
    output_text(out, size == 0 ? "\"\"" : "");
    for (size_t at = 0; at < size; at += BYTES_IN_LINE) {
        output_printf(out, "%s%*s", between, *between != '\0' ? indent : 0, "");
        output_literal_bytes(out, text + at, size - at < BYTES_IN_LINE ? size - at : BYTES_IN_LINE);
    }
}

void literal_default(output *out, const schema_field *field, int indent)
{
    const schema_default *absent = &field->absent;
    switch (field->type) {
    case MRPC_TYPE_STRING:
    case MRPC_TYPE_BYTES:
        write_text(out, absent->text, absent->size, indent);
        break;
    case MRPC_TYPE_ENUM:
        output_text(out, absent->value->c_name);
        break;
    case MRPC_TYPE_BOOL:
        output_text(out, absent->bits != 0 ? "true" : "false");
        break;
    case MRPC_TYPE_FLOAT:
    case MRPC_TYPE_DOUBLE:
        write_real(out, absent->real, field->type == MRPC_TYPE_FLOAT);
        break;
    case MRPC_TYPE_UINT32:
    case MRPC_TYPE_FIXED32:
        output_printf(out, "UINT32_C(%" PRIu64 ")", absent->bits);
        break;
    case MRPC_TYPE_UINT64:
    case MRPC_TYPE_FIXED64:
        output_printf(out, "UINT64_C(%" PRIu64 ")", absent->bits);
        break;
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_SINT64:
    case MRPC_TYPE_SFIXED64:
        write_signed(out, (int64_t)absent->bits, 64);
        break;
    default:
        write_signed(out, (int64_t)absent->bits, 32);
        break;
    }
}
