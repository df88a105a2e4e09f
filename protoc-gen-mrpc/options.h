/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - what the user says with `protoc --mrpc_opt=…` */
#ifndef MRPC_GEN_OPTIONS_H
#define MRPC_GEN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "output.h"

/* X(name, argument, "help"): the one table behind the parser, its error message and --help. */
#define GEN_OPTION_TABLE(X)                                                                                            \
    X(prefix, "PKG:SHORT",                                                                                             \
      "names of package PKG begin with SHORT_ (with nothing when SHORT is empty); may be repeated")                    \
    X(services, "no", "only messages: no stubs, so that the code needs libmrpc-proto alone")                           \
    X(stamp, "TEXT", "up to 15 characters that name this build of the marshal code")                                   \
    X(threshold, "N", "reference bytes and numeric lists of N bytes or more; without it the runtime decides")

typedef struct gen_prefix {
    const char *package, *text;
    struct gen_prefix *next;
} gen_prefix;

typedef struct gen_options {
    const gen_prefix *prefixes;
    bool no_services;
    const char *stamp;  /* "" when none; at most MRPC_STAMP_SIZE - 1 printable characters */
    uint32_t threshold; /* 0: what the runtime says in mrpc_gather.threshold */
} gen_options;

/* Parses "name=value,name=value". Returns 0, or MRPC_EINVAL with one line in *error. */
int options_parse(gen_options *options, const char *parameter, gen_arena *arena, output *error);

/* Writes one line for each option. */
void options_help(output *out);

#endif /* MRPC_GEN_OPTIONS_H */
