/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c - compares a module's table with its note */
#include "config.h"

#include "upgrade/table.h"

#include <string.h>

#include "marshal/selftest.h"

const char *mrpc_table_symbol(uint32_t type)
{
    return type == MRPC_NOTE_SERVICE ? "mrpc_service_module_export" : "mrpc_module_export";
}

int mrpc_note_check_abi(const mrpc_module_note *note, mrpc_error *error)
{
    /* NOLINTNEXTLINE(bugprone-branch-clone): the two have the same number at present */
    uint32_t own = note->type == MRPC_NOTE_SERVICE ? MRPC_SERVICE_ABI : MRPC_MODULE_ABI;
    if (note->abi == own)
        return 0;
    return mrpc_error_set(error, MRPC_EMISMATCH,
                          "it is made for ABI %u of %s modules and this libmrpc (" MRPC_VERSION_STRING
                          ") has ABI %u: build it again with the headers and the generator of this version",
                          note->abi, note->type == MRPC_NOTE_SERVICE ? "service" : "marshal", own);
}

static int differs(mrpc_error *error, const char *what)
{
    return mrpc_error_set(error, MRPC_EMODULE,
                          "its table and its note do not agree on the %s: build it again from one source", what);
}

/* An entry of a map has a place in the table but no functions; a module for another layout speaks protobuf only. */
static int check_marshal(const mrpc_module *table, const mrpc_module_note *note, mrpc_error *error)
{
    int result = mrpc_module_check(table, error);
    if (result != 0)
        return result;
    if (table->abi != note->abi)
        return differs(error, "ABI number");
    if (strcmp(table->file, note->file) != 0)
        return differs(error, "schema file");
    if (strcmp(table->stamp, note->stamp) != 0)
        return differs(error, "stamp");
    if (table->fingerprint.schema != note->schema || table->fingerprint.layout != note->layout)
        return differs(error, "fingerprints");
    return 0;
}

static int check_service(const mrpc_service_module *table, const mrpc_module_note *note, mrpc_error *error)
{
    if (table->table_size < sizeof *table)
        return mrpc_error_set(error, MRPC_EMODULE, "its table has %u bytes instead of %zu", table->table_size,
                              sizeof *table);
    if (table->abi != note->abi)
        return differs(error, "ABI number");
    if (table->name == NULL || strcmp(table->name, note->file) != 0)
        return differs(error, "name");
    if (table->stamp == NULL || strcmp(table->stamp, note->stamp) != 0)
        return differs(error, "stamp");
    if (table->service_count == 0 || table->service_count > MRPC_SERVICE_MODULE_SERVICES || table->services == NULL)
        return mrpc_error_set(error, MRPC_EMODULE, "its table has %u services; 1 to %d are allowed",
                              table->service_count, MRPC_SERVICE_MODULE_SERVICES);
    for (uint32_t i = 0; i < table->service_count; i++)
        if (table->services[i].service == NULL || table->services[i].handlers == NULL ||
            table->services[i].service->name == NULL)
            return mrpc_error_set(error, MRPC_EMODULE, "its service %u is incomplete", i);
    return 0;
}

int mrpc_table_check(const void *table, const mrpc_module_note *note, mrpc_error *error)
{
    return note->type == MRPC_NOTE_SERVICE ? check_service(table, note, error) : check_marshal(table, note, error);
}
