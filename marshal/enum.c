/* SPDX-License-Identifier: BSD-2-Clause */
/* enum.c - names and numbers of enums */
#include "config.h"

#include <string.h>

#include <mrpc/message.h>

/* Of several names of one number the first in the schema counts, which stands first among them. */
const char *mrpc_enum_name(const mrpc_enum *enumeration, int32_t number)
{
    uint32_t low = 0, high = enumeration->value_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (enumeration->values[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < enumeration->value_count && enumeration->values[low].number == number;
    return found ? enumeration->values[low].name : NULL;
}

bool mrpc_enum_number(const mrpc_enum *enumeration, const char *name, int32_t *number)
{
    for (uint32_t i = 0; i < enumeration->value_count; i++) {
        if (strcmp(enumeration->values[i].name, name) == 0) {
            *number = enumeration->values[i].number;
            return true;
        }
    }
    return false;
}
