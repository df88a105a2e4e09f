/* SPDX-License-Identifier: BSD-2-Clause */
/* descriptor.c - see <mrpc/descriptor.h> */
#include "config.h"

#include <string.h>

#include <mrpc/descriptor.h>

int mrpc_file_descriptor(const mrpc_file *file, mrpc_heap *heap, google_protobuf_FileDescriptorProto **descriptor,
                         mrpc_error *error)
{
    return google_protobuf_FileDescriptorProto_decode(file->descriptor, file->descriptor_size, heap, descriptor, error);
}

/* What of `name` is behind "SCOPE." when it begins so, or behind nothing for an empty scope; else NULL. */
static const char *name_within(const char *name, const mrpc_string *scope)
{
    if (scope->size == 0)
        return name;
    return strncmp(name, scope->data, scope->size) == 0 && name[scope->size] == '.' ? name + scope->size + 1 : NULL;
}

/* The message of the list that is called as `name` begins, up to a dot or its end. */
static const google_protobuf_DescriptorProto *find_message(const google_protobuf_DescriptorProto_list *list,
                                                           const char *name)
{
    size_t size = strcspn(name, ".");
    for (size_t i = 0; i < list->size; i++) {
        const mrpc_string *own = &list->data[i]->name;
        if (own->size == size && memcmp(own->data, name, size) == 0)
            return list->data[i];
    }
    return NULL;
}

const google_protobuf_DescriptorProto *mrpc_type_descriptor(const mrpc_type *type,
                                                            const google_protobuf_FileDescriptorProto *descriptor)
{
    const google_protobuf_DescriptorProto_list *list = &descriptor->message_type;
    const char *name = name_within(type->name, &descriptor->package);
    const google_protobuf_DescriptorProto *found = NULL;
    while (name != NULL && (found = find_message(list, name)) != NULL) {
        list = &found->nested_type;
        name = name_within(name, &found->name);
    }
    return name == NULL ? found : NULL;
}
