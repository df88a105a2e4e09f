/* SPDX-License-Identifier: BSD-2-Clause */
/* elf.c - whatever a file that calls itself a module has in it */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "upgrade/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mrpc_module_note note;
    mrpc_error error = {0};
    int result = mrpc_elf_read(data, size, &note, &error);
    /* A note that was accepted has text that ends; a refusal has a reason. */
    bool right = result == 0 ? strnlen(note.file, sizeof note.file) < sizeof note.file && note.file[0] != '\0' &&
                                   strnlen(note.stamp, sizeof note.stamp) < sizeof note.stamp
                             : error.text[0] != '\0';
    if (!right)
        __builtin_trap();
    return 0;
}
