/* SPDX-License-Identifier: BSD-2-Clause */
/* candidate.c - the checks of a module before it is loaded, in their order */
#include "config.h"

#include "upgrade/candidate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "upgrade/copy.h"
#include "upgrade/elf.h"
#include "upgrade/table.h"
#include "upgrade/trust.h"

/* Puts the path before a reason that does not name it. */
static int refuse(const mrpc_candidate *candidate, int result, const mrpc_error *reason, mrpc_error *error)
{
    int number = reason->system_errno;
    (void)mrpc_error_set(error, result, "%s is refused: %s", candidate->path, mrpc_error_text(reason));
    if (error != NULL)
        error->system_errno = number;
    return result;
}

static void set_path(mrpc_candidate *candidate, const char *path)
{
    size_t length = strlen(path), room = sizeof candidate->path;
    if (length < room)
        memcpy(candidate->path, path, length + 1);
    else
        snprintf(candidate->path, room, "...%s", path + length - (room - 4));
}

static int read_note(mrpc_candidate *candidate, mrpc_error *error)
{
    mrpc_copy_view view;
    int result = mrpc_copy_map(candidate->copy, &view, error);
    if (result != 0)
        return result;
    result = mrpc_elf_read(view.data, view.size, &candidate->note, error);
    mrpc_copy_unmap(&view);
    return result != 0 ? result : mrpc_note_check_abi(&candidate->note, error);
}

/* The name that debuggers and /proc/PID/maps show, of at most 249 bytes (memfd_create(2)). */
static int make_copy(mrpc_candidate *candidate, int file, mrpc_error *error)
{
    const char *slash = strrchr(candidate->path, '/');
    char name[128];
    snprintf(name, sizeof name, "mrpc:%.100s", slash == NULL ? candidate->path : slash + 1);
    return mrpc_copy_make(file, name, &candidate->copy, error);
}

int mrpc_candidate_open(mrpc_candidate *candidate, const char *path, mrpc_error *error)
{
    *candidate = (mrpc_candidate){.copy = -1};
    set_path(candidate, path);
    int file;
    int result = mrpc_trust_open(path, geteuid(), &file, error);
    if (result != 0)
        return result;
    mrpc_error reason;
    result = make_copy(candidate, file, &reason);
    close(file);
    if (result == 0)
        result = read_note(candidate, &reason);
    if (result == 0)
        return 0;
    mrpc_candidate_close(candidate);
    return refuse(candidate, result, &reason, error);
}

int mrpc_candidate_compare(const mrpc_candidate *candidate, const mrpc_fingerprint *current, mrpc_error *error)
{
    const mrpc_module_note *note = &candidate->note;
    if (note->schema != current->schema)
        return mrpc_error_set(error, MRPC_EMISMATCH,
                              "%s is refused: its schema fingerprint of %s is %016" PRIx64
                              " and that of the program is %016" PRIx64
                              ": build it from the same version of the .proto files",
                              candidate->path, note->file, note->schema, current->schema);
    if (note->layout != current->layout)
        return mrpc_error_set(error, MRPC_EMISMATCH,
                              "%s is refused: its layout fingerprint of %s is %016" PRIx64
                              " and that of the program is %016" PRIx64
                              ": build it with the same protoc-gen-mrpc and for the same machine",
                              candidate->path, note->file, note->layout, current->layout);
    return 0;
}

int mrpc_candidate_test(const mrpc_candidate *candidate, const mrpc_trial_limits *limits, mrpc_error *error)
{
    mrpc_error reason;
    int result = mrpc_trial_run(candidate->copy, limits, &reason);
    return result == 0 ? 0 : refuse(candidate, result, &reason, error);
}

void mrpc_candidate_close(mrpc_candidate *candidate)
{
    if (candidate->copy >= 0)
        close(candidate->copy);
    candidate->copy = -1;
}
