/* SPDX-License-Identifier: BSD-2-Clause */
/* module_inspect.c - what the note of a module says, read as upgrade/ reads it before it loads one */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/module.h"
#include "upgrade/copy.h"
#include "upgrade/elf.h"

static int read_note(int file, mrpc_module_note *note, mrpc_error *error)
{
    int copy;
    mrpc_copy_view view;
    int result = mrpc_copy_make(file, "mrpc-module", &copy, error);
    if (result != 0)
        return result;
    result = mrpc_copy_map(copy, &view, error);
    if (result == 0) {
        result = mrpc_elf_read(view.data, view.size, note, error);
        mrpc_copy_unmap(&view);
    }
    close(copy);
    return result;
}

static void print_note(const mrpc_module_note *note)
{
    bool service = note->type == MRPC_NOTE_SERVICE;
    printf("kind    %s\n", service ? "service" : "marshal");
    printf("%s    %s\n", service ? "name" : "file", note->file);
    printf("stamp   %s\n", note->stamp[0] != '\0' ? note->stamp : "-");
    printf("abi     %" PRIu32 "\n", note->abi);
    if (!service)
        printf("schema  %016" PRIx64 "\nlayout  %016" PRIx64 "\n", (uint64_t)note->schema, (uint64_t)note->layout);
}

int module_inspect(const char *path)
{
    mrpc_error error;
    mrpc_module_note note;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        fprintf(stderr, "mrpc-module: cannot open %s: %s\n", path, strerror(errno));
        return 1;
    }
    int result = read_note(file, &note, &error);
    close(file);
    if (result != 0) {
        fprintf(stderr, "mrpc-module: %s is not a module: %s\n", path, mrpc_error_text(&error));
        return 1;
    }
    print_note(&note);
    return 0;
}
