/* SPDX-License-Identifier: BSD-2-Clause */
/* extension.h - how the functions on extensions see them among unknown fields; see <mrpc/extension.h> */
#ifndef MRPC_MARSHAL_EXTENSION_H
#define MRPC_MARSHAL_EXTENSION_H

#include <mrpc/extension.h>

#include "marshal/unknown.h"
#include "marshal/wire.h"

static inline bool mrpc_extension_is_list(const mrpc_extension *extension)
{
    return extension->field.kind == MRPC_FIELD_LIST;
}

/* The name in text: of one that a message declares for itself in a MessageSet, that of the message; else its full name.
 * (PrintableNameForExtension in
 * https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.h) */
const char *mrpc_extension_name(const mrpc_extension *extension);

/* The message type with that name in a file (NULL: none), in those that it imports, or in those of a registry; NULL:
 * there is none. */
const mrpc_type *mrpc_find_message_type(const mrpc_file *file, const mrpc_registry *registry, const char *name);

/* Takes the next field that is the extension, or a part of it; of a list, packed or not. False: there is none. */
bool mrpc_extension_next_field(const mrpc_extension *extension, mrpc_input *in, mrpc_unknown_field *field);

/* Whether it is one more field of a message that has the extension: also turns a MessageSet's group into a field. */
bool mrpc_extension_is(const mrpc_extension *extension, mrpc_unknown_field *field);

/* Going through the values of an extension: `{extension, in}`. */
typedef struct mrpc_elements {
    const mrpc_extension *extension;
    mrpc_input in;     /* the fields that are still to come */
    mrpc_input packed; /* what is still to come of a packed one */
} mrpc_elements;

/* One value as it was written. */
typedef struct mrpc_element {
    uint64_t number;  /* of a number, bool or enum */
    mrpc_input bytes; /* of what is none */
} mrpc_element;

bool mrpc_elements_next(mrpc_elements *walk, mrpc_element *element);

/* Makes a value in C of one that is no message. */
void mrpc_element_store(const mrpc_extension *extension, const mrpc_element *element, void *value);

/* The message that several parts make, which is the work of mrpc_extension_get_message(). */
int mrpc_extension_merge(const mrpc_extension *extension, mrpc_input in, void *owner, void **value, mrpc_error *error);

#endif /* MRPC_MARSHAL_EXTENSION_H */
