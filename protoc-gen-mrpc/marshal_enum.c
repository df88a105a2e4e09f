/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_enum.c - the functions names_…: whether a closed enum names a number */
#include <inttypes.h>
#include <stdlib.h>

#include "kinds.h"
#include "marshal_parts.h"

/* INT32_MIN cannot be written as a single constant. */
static void write_label(int32_t number, output *out)
{
    if (number == INT32_MIN)
        output_text(out, "    case -INT32_C(2147483647) - 1:\n");
    else
        output_printf(out, "    case %" PRId32 ":\n", number);
}

/* Numbers without a gap, as most enums have them, are one comparison. */
static void write_range(int32_t first, int32_t last, output *out)
{
    output_printf(out, "    return number - UINT32_C(%" PRIu32 ") <= UINT32_C(%" PRIu32 ");\n", (uint32_t)first,
                  (uint32_t)last - (uint32_t)first);
}

/* `values` are sorted; of aliases only the first counts. */
static void write_switch(const schema_enum_value *const *values, size_t count, output *out)
{
    output_text(out, "    switch ((int32_t)number) {\n");
    for (size_t i = 0; i < count; i++)
        if (i == 0 || values[i]->number != values[i - 1]->number)
            write_label(values[i]->number, out);
    output_text(out, "        return true;\n    default:\n        return false;\n    }\n");
}

void marshal_write_enum(const schema_enum *enumeration, output *out)
{
    size_t count = enumeration->value_count;
    const schema_enum_value **values = calloc(count + 1, sizeof(schema_enum_value *));
    if (values == NULL) {
        out->failed = true;
        return;
    }
    schema_sort_values(enumeration, values);
    bool has_gap = false;
    for (size_t i = 1; i < count; i++)
        has_gap |= (int64_t)values[i]->number - values[i - 1]->number > 1;
    output_printf(out, "/* %s */\nMRPC_INLINE bool names_%s(uint32_t number)\n{\n", enumeration->full_name,
                  enumeration->c_name);
    if (has_gap)
        write_switch(values, count, out);
    else
        write_range(values[0]->number, values[count - 1]->number, out);
    output_text(out, "}\n\n");
    free(values);
}
