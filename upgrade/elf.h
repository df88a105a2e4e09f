/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf.h - reads what a shared object says of itself, before any of it is loaded
 *
 * Works on bytes that may be anything; reads nothing outside of them. The format is that of the System V ABI, "Object
 * files" (https://gabi.xinuos.com), and for notes and dynamic tags also elf(5).
 *
 * A module is an ELF64 shared object for this machine that is whole (no segment reaches beyond the end of the file,
 * which the dynamic linker would answer with SIGBUS), has neither writable code nor an executable stack, brings no
 * search path and no file of its own choice along, can be unloaded, and has one note of owner "mrpc".
 */
#ifndef MRPC_UPGRADE_ELF_H
#define MRPC_UPGRADE_ELF_H

#include <stddef.h>

#include <mrpc/error.h>
#include <mrpc/marshal.h>

enum {
    MRPC_ELF_SEGMENTS = 64,     /* program headers that a module may have; linkers make about ten */
    MRPC_ELF_NOTE_BYTES = 65536 /* of all notes of one segment */
};

/* Checks the object [data, data + size) and copies its note, whose strings are then known to end and to be printable.
 * Does not look at the note's ABI and fingerprints. EFORMAT (not an ELF object, cut off), EMODULE (something in it that
 * a module must not have; no note, or not one). The texts speak of "the file". */
MRPC_MUST_CHECK int mrpc_elf_read(const void *data, size_t size, mrpc_module_note *note, mrpc_error *error);

#endif /* MRPC_UPGRADE_ELF_H */
