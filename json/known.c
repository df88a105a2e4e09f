/* SPDX-License-Identifier: BSD-2-Clause */
/* known.c - which types have a form of their own */
#include "config.h"

#include "json/known.h"

#include <string.h>

mrpc_json_known mrpc_json_known_of(const mrpc_type *type)
{
    static const struct {
        const char *name;
        mrpc_json_known known;
    } types[] = {
        {"Any", MRPC_JSON_ANY},
        {"BoolValue", MRPC_JSON_WRAPPER},
        {"BytesValue", MRPC_JSON_WRAPPER},
        {"DoubleValue", MRPC_JSON_WRAPPER},
        {"Duration", MRPC_JSON_DURATION},
        {"FieldMask", MRPC_JSON_FIELD_MASK},
        {"FloatValue", MRPC_JSON_WRAPPER},
        {"Int32Value", MRPC_JSON_WRAPPER},
        {"Int64Value", MRPC_JSON_WRAPPER},
        {"ListValue", MRPC_JSON_LIST_VALUE},
        {"StringValue", MRPC_JSON_WRAPPER},
        {"Struct", MRPC_JSON_STRUCT},
        {"Timestamp", MRPC_JSON_TIMESTAMP},
        {"UInt32Value", MRPC_JSON_WRAPPER},
        {"UInt64Value", MRPC_JSON_WRAPPER},
        {"Value", MRPC_JSON_VALUE},
    };
    static const char package[] = "google.protobuf.";
    if (strncmp(type->name, package, sizeof package - 1) != 0)
        return MRPC_JSON_ORDINARY;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type->name + sizeof package - 1, types[i].name) == 0)
            return types[i].known;
    return MRPC_JSON_ORDINARY;
}

bool mrpc_json_is_null_enum(const mrpc_field *field)
{
    return field->type == MRPC_TYPE_ENUM && strcmp(field->enumeration->name, "google.protobuf.NullValue") == 0;
}
