/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - protoc-gen-mrpc: protoc's plugin for mrpc, and what it says when a person runs it */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "generator.h"

static const char usage[] =
    "protoc-gen-mrpc is a plugin of protoc, which runs it as in:\n"
    "\n"
    "  protoc --mrpc_out=DIR [--mrpc_opt=OPTION,...] FILE.proto\n"
    "\n"
    "and finds it in PATH or with --plugin=protoc-gen-mrpc=PROGRAM. It writes FILE.mrpc.h, FILE.mrpc.c and\n"
    "FILE.marshal.c into DIR.\n"
    "\n"
    "Options for --mrpc_opt:\n";

static int show_help(void)
{
    output text = {0};
    output_text(&text, usage);
    options_help(&text);
    output_text(&text, "\nRun by hand: --help, --version. More in protoc-gen-mrpc(1).\n");
    bool failed = text.failed || fputs(output_string(&text), stdout) == EOF || fflush(stdout) != 0;
    output_free(&text);
    return failed;
}

static int show_version(void)
{
    return puts("protoc-gen-mrpc " MRPC_VERSION_STRING) == EOF || fflush(stdout) != 0;
}

/* protoc gives no arguments and a request on standard input; anything else is a person. */
int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return show_help();
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return show_version();
    if (argc > 1) {
        fprintf(stderr, "protoc-gen-mrpc: unknown argument '%s'; --help says how protoc runs this program\n", argv[1]);
        return 2;
    }
    if (isatty(STDIN_FILENO)) {
        fprintf(stderr, "protoc-gen-mrpc: protoc runs this program, see protoc-gen-mrpc --help\n");
        return 2;
    }
    return plugin_main(argc, argv, generate_all);
}
