/* SPDX-License-Identifier: BSD-2-Clause */
/* mrpc-module - makes the marshal module of a .proto file in one step, and says what a module is without loading it */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mrpc/marshal.h>

#include "tools/module.h"

enum { EXIT_USAGE = 2, OPTION_STAMP = 256, OPTION_CFLAGS, OPTION_MRPC_OPT };

static const char usage[] = "usage: mrpc-module build [-o OUT.so] [--stamp TEXT] [-I DIR]... [--cflags FLAGS] "
                            "[--mrpc_opt OPTION]... FILE.proto\n"
                            "       mrpc-module inspect FILE.so\n"
                            "       mrpc-module --help | --version\n";

static const char help[] =
    "\n"
    "build: makes the marshal module of FILE.proto, a shared object that programs which use mrpc load.\n"
    "  -o, --output OUT.so   where to (default: the schema's name with .marshal.so, in the current folder)\n"
    "      --stamp TEXT      a name for this build, at most 15 characters, which peers can be shown\n"
    "  -I, --include DIR     where protoc looks for FILE.proto and what it imports (default: the folder of "
    "FILE.proto)\n"
    "      --cflags FLAGS    more flags for the C compiler, separated by spaces (default: $CFLAGS, or -O2)\n"
    "      --mrpc_opt OPTION an option of protoc-gen-mrpc\n"
    "\n"
    "inspect: prints what the ELF note of a module says; nothing of the module is loaded or run.\n"
    "\n"
    "Environment: PROTOC (protoc), CC (cc), CFLAGS. Exit status: 0 done, 1 it failed, 2 wrong usage. More in "
    "mrpc-module(1).\n";

bool module_list_add(module_list *list, const char *item)
{
    if (list->count == MODULE_LIST_LIMIT) {
        fprintf(stderr, "mrpc-module: too many arguments; %d of a kind are allowed\n", MODULE_LIST_LIMIT);
        return false;
    }
    list->items[list->count++] = item;
    return true;
}

/* Cuts `flags` at spaces, in place. */
static bool split_flags(module_list *list, char *flags)
{
    char *rest = NULL;
    for (char *flag = strtok_r(flags, " \t\n", &rest); flag != NULL; flag = strtok_r(NULL, " \t\n", &rest))
        if (!module_list_add(list, flag))
            return false;
    return true;
}

static bool check_stamp(const char *stamp)
{
    size_t size = strlen(stamp);
    for (size_t i = 0; i < size; i++)
        if (stamp[i] <= ' ' || stamp[i] > '~' || strchr("\"\\,", stamp[i]) != NULL)
            size = MRPC_STAMP_SIZE;
    if (size < MRPC_STAMP_SIZE)
        return true;
    fprintf(stderr,
            "mrpc-module: the stamp '%s' is not possible: at most %d printable characters, without spaces, commas, "
            "quotes and backslashes\n",
            stamp, MRPC_STAMP_SIZE - 1);
    return false;
}

static bool take_option(module_build_options *options, int option, bool *own_cflags)
{
    switch (option) {
    case 'o':
        options->output = optarg;
        return true;
    case 'I':
        return module_list_add(&options->includes, optarg);
    case OPTION_STAMP:
        options->stamp = optarg;
        return check_stamp(optarg);
    case OPTION_CFLAGS:
        *own_cflags = true;
        return split_flags(&options->cflags, optarg);
    case OPTION_MRPC_OPT:
        return module_list_add(&options->options, optarg);
    default:
        fputs(usage, stderr);
        return false;
    }
}

static int build(int argc, char **argv)
{
    static const struct option known[] = {{"output", required_argument, NULL, 'o'},
                                          {"include", required_argument, NULL, 'I'},
                                          {"stamp", required_argument, NULL, OPTION_STAMP},
                                          {"cflags", required_argument, NULL, OPTION_CFLAGS},
                                          {"mrpc_opt", required_argument, NULL, OPTION_MRPC_OPT},
                                          {NULL, 0, NULL, 0}};
    static char optimize[] = "-O2";
    module_build_options options = {0};
    bool own_cflags = false;
    for (int option; (option = getopt_long(argc, argv, "o:I:", known, NULL)) != -1;)
        if (!take_option(&options, option, &own_cflags))
            return EXIT_USAGE;
    if (optind + 1 != argc) {
        fputs(optind == argc ? "mrpc-module: which FILE.proto?\n" : "mrpc-module: one FILE.proto at a time\n", stderr);
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    char *cflags = getenv("CFLAGS");
    if (!own_cflags && !split_flags(&options.cflags, cflags != NULL ? cflags : optimize))
        return EXIT_USAGE;
    options.schema = argv[optind];
    return module_build(&options);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0) {
        printf("%s%s", usage, help);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "--version") == 0 || strcmp(command, "-V") == 0) {
        puts("mrpc-module " MRPC_VERSION_STRING);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "build") == 0) {
        argv[1] = argv[0]; /* the name that getopt complains by */
        return build(argc - 1, argv + 1);
    }
    if (strcmp(command, "inspect") == 0 && argc == 3)
        return module_inspect(argv[2]);
    if (*command != '\0' && strcmp(command, "inspect") != 0)
        fprintf(stderr, "mrpc-module: there is no command '%s'\n", command);
    fputs(usage, stderr);
    return EXIT_USAGE;
}
