/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libprotoc.h - the plugin as C sees it: protoc's request as schema.h, and files for the answer
 *
 * Behind it is libprotoc.cc, the only C++ of this folder.
 */
#ifndef MRPC_GEN_LIBPROTOC_H
#define MRPC_GEN_LIBPROTOC_H

#include "arena.h"
#include "output.h"
#include "schema.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What protoc asks for. Valid during the call of the generator. */
typedef struct plugin_request {
    schema_file **files; /* all files of the run, each behind its imports */
    bool *wanted;        /* as many: whether code is to be made for the file; the rest is only imported */
    size_t file_count;
    const char *parameter; /* of --mrpc_opt and --mrpc_out, "" when none */
    gen_arena *arena;      /* for what the generator adds to the schema */
    void *context;         /* of plugin_write */
} plugin_request;

/* Makes the code. Returns 0, or MRPC_E… with the text for the user in *error. */
typedef int plugin_generator(const plugin_request *request, output *error);

/* Adds a file to the answer. Returns 0 or MRPC_ENOMEM. */
int plugin_write(const plugin_request *request, const char *name, const char *data, size_t size);

/* Talks to protoc over standard input and output; returns the exit status of the program. */
int plugin_main(int argc, char **argv, plugin_generator *generator);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_GEN_LIBPROTOC_H */
