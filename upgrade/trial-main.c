/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trial-main.c - mrpc-selftest: loads a candidate module and runs its self-test, for the process that thinks of loading
 * it
 *
 * Not run by hand. trial.h says what it is given and what it reports.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "marshal/selftest.h"
#include "upgrade/copy.h"
#include "upgrade/elf.h"
#include "upgrade/library.h"
#include "upgrade/sandbox.h"
#include "upgrade/table.h"
#include "upgrade/trial.h"

static void report(const char *format, ...) MRPC_PRINTF(1, 2);

/* One line, in one write; a reader that has gone ends the process by SIGPIPE. */
static void report(const char *format, ...)
{
    char line[640];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof line)
        length = (int)sizeof line - 1;
    for (char *c = line; c < line + length - 1; c++)
        if (*c == '\n')
            *c = ' ';
    line[length - 1] = '\n';
    ssize_t written = write(MRPC_TRIAL_REPORT_FD, line, (size_t)length);
    (void)written;
}

static int refuse(const mrpc_error *error)
{
    report("refused %d %s\n", error->code, mrpc_error_text(error));
    return 1;
}

static int read_note(mrpc_module_note *note, mrpc_error *error)
{
    mrpc_copy_view view;
    int result = mrpc_copy_map(MRPC_TRIAL_COPY_FD, &view, error);
    if (result != 0)
        return result;
    result = mrpc_elf_read(view.data, view.size, note, error);
    mrpc_copy_unmap(&view);
    return result;
}

static int test_table(const void *table, const mrpc_module_note *note, mrpc_error *error)
{
    report("at having its table checked\n");
    int result = mrpc_table_check(table, note, error);
    if (result != 0 || note->type != MRPC_NOTE_MODULE)
        return result;
    report("at running its test messages\n");
    return mrpc_module_self_test(table, error);
}

/* Loads, tests, unloads. */
static int test(const mrpc_module_note *note, mrpc_error *error)
{
    mrpc_library library;
    int result = mrpc_library_open(&library, MRPC_TRIAL_COPY_FD, mrpc_table_symbol(note->type), error);
    if (result != 0)
        return result;
    result = test_table(library.table, note, error);
    report("at being unloaded (its destructors)\n");
    mrpc_error closing;
    int closed = mrpc_library_close(&library, &closing);
    if (result == 0 && closed != 0) {
        *error = closing;
        result = closed;
    }
    return result;
}

/* Service modules use functions of libmrpc: the very one of the process that asks. Loaded before anything is forbidden,
 * and never unloaded. */
static int load_library(const char *path, mrpc_error *error)
{
    if (*path == '\0' || dlopen(path, RTLD_NOW | RTLD_GLOBAL) != NULL)
        return 0;
    return mrpc_error_set(error, MRPC_EMODULE, "the self-test cannot load %s: %s", path, dlerror());
}

static int usage(void)
{
    fputs("mrpc-selftest is run by libmrpc to test a module before it loads it; see mrpcctl(1), \"upgrade\"\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc != 4 || lseek(MRPC_TRIAL_COPY_FD, 0, SEEK_CUR) < 0)
        return usage();
    mrpc_error error;
    if (mrpc_sandbox_limit(MRPC_TRIAL_REPORT_FD + 1, (uint32_t)strtoul(argv[1], NULL, 10),
                           (uint32_t)strtoul(argv[2], NULL, 10)) != 0) {
        (void)mrpc_error_system(&error, errno, "the self-test cannot limit itself");
        return refuse(&error);
    }
    mrpc_module_note note;
    int result = read_note(&note, &error);
    if (result == 0 && note.type == MRPC_NOTE_SERVICE)
        result = load_library(argv[3], &error);
    if (result == 0) {
        report("at being loaded (its constructors, its symbols)\n"); /* before it may have to wait for its turn */
        mrpc_sandbox_step_back();
        mrpc_sandbox_filter();
        result = test(&note, &error);
    }
    if (result != 0)
        return refuse(&error);
    report("passed\n");
    _exit(0); /* nothing of the module is there any more; nothing else needs to be run */
}
