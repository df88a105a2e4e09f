/* SPDX-License-Identifier: BSD-2-Clause */
/* module.h - the two things that mrpc-module does */
#ifndef MRPC_TOOLS_MODULE_H
#define MRPC_TOOLS_MODULE_H

#include <stdbool.h>
#include <stddef.h>

enum { MODULE_LIST_LIMIT = 128 };

/* Arguments that are collected for another program. */
typedef struct module_list {
    const char *items[MODULE_LIST_LIMIT];
    size_t count;
} module_list;

/* False when the list is full. */
bool module_list_add(module_list *list, const char *item);

typedef struct module_build_options {
    const char *schema;   /* FILE.proto */
    const char *output;   /* NULL: the schema's name with .marshal.so, in the current folder */
    const char *stamp;    /* NULL: none */
    module_list includes; /* for protoc; none: the folder of the schema */
    module_list cflags;
    module_list options; /* for the plugin */
} module_build_options;

/* Both return an exit status, after saying on standard error what went wrong. */
int module_build(const module_build_options *options);
int module_inspect(const char *path);

#endif /* MRPC_TOOLS_MODULE_H */
