/* SPDX-License-Identifier: BSD-2-Clause */
/* commands.c - what the control socket understands; mrpcctl(1) says what each command is for */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/host.h"
#include "runtime/runtime.h"
#include "runtime/upgrade.h"

/* A field is never empty and has neither tabs nor newlines: in a row they separate. */
static const char *field(char *text)
{
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    return *text == '\0' ? "-" : text;
}

static void refuse_memory(mrpc_answer *answer)
{
    mrpc_error error;
    (void)mrpc_error_set(&error, MRPC_ENOMEM, "the program has no memory for the answer");
    mrpc_answer_refuse(answer, &error);
}

static void print_marshal(mrpc_answer *answer, mrpc_module_info *info)
{
    mrpc_answer_print(answer, "%s\tmarshal\t%u\t%s\t%s\t%" PRIu64 "\t%" PRIu64 "\t%016" PRIx64 "\t%s\n",
                      field(info->file), info->version, field(info->stamp), info->current ? "current" : "old",
                      info->messages, info->pause_ns, info->fingerprint.schema, field(info->path));
}

static void print_service(void *context, mrpc_module_info *info, const char *state)
{
    mrpc_answer_print(context, "%s\tservice\t%u\t%s\t%s\t-\t%" PRIu64 "\t-\t%s\n", field(info->file), info->version,
                      field(info->stamp), state, info->pause_ns, field(info->path));
}

static void answer_modules(mrpc_runtime *runtime, char *argument, mrpc_answer *answer)
{
    (void)argument;
    size_t room = mrpc_runtime_modules(runtime, NULL, 0) + 8; /* some may be added until they are asked for */
    mrpc_module_info *infos = calloc(room, sizeof *infos);
    if (infos == NULL) {
        refuse_memory(answer);
        return;
    }
    mrpc_answer_print(answer, "name\tkind\tversion\tstamp\tstate\tmessages\tpause_ns\tschema\tpath\n");
    size_t count = mrpc_runtime_modules(runtime, infos, room);
    for (size_t i = 0; i < count && i < room; i++)
        print_marshal(answer, &infos[i]);
    free(infos);
    mrpc_host_visit(runtime, print_service, answer);
}

/* Times in the units that people compare: the checks take milliseconds, the change some microseconds. */
static void print_report(mrpc_answer *answer, mrpc_upgrade_report *report)
{
    mrpc_answer_print(answer, "name\tversion\tstamp\ttook_us\tpause_ns\tbegan_ns\tinstalled_ns\tleft\n");
    mrpc_answer_print(answer, "%s\t%u\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%s\n",
                      field(report->now.file), report->now.version, field(report->now.stamp),
                      (report->installed - report->began) / 1000, report->now.pause_ns, report->began,
                      report->installed, field(report->left.text));
}

static void answer_upgrade(mrpc_runtime *runtime, char *argument, mrpc_answer *answer)
{
    mrpc_upgrade_report report;
    mrpc_error error;
    if (mrpc_upgrade_install(runtime, argument, &report, &error) == 0)
        print_report(answer, &report);
    else
        mrpc_answer_refuse(answer, &error);
}

static void answer_rollback(mrpc_runtime *runtime, char *argument, mrpc_answer *answer)
{
    mrpc_upgrade_report report;
    mrpc_error error;
    if (mrpc_upgrade_rollback(runtime, argument, &report, &error) == 0)
        print_report(answer, &report);
    else
        mrpc_answer_refuse(answer, &error);
}

static void answer_counters(mrpc_runtime *runtime, char *argument, mrpc_answer *answer)
{
    (void)argument;
    mrpc_counters counters = {.size = sizeof counters};
    mrpc_runtime_get_counters(runtime, &counters);
    mrpc_answer_print(answer, "counter\tvalue\tmeaning\n");
#define PRINT_COUNTER(name, help) mrpc_answer_print(answer, #name "\t%" PRIu64 "\t" help "\n", counters.name);
    MRPC_COUNTER_TABLE(PRINT_COUNTER)
#undef PRINT_COUNTER
}

static void answer_stamps(mrpc_runtime *runtime, char *argument, mrpc_answer *answer)
{
    (void)argument;
    mrpc_stamp_count stamps[STAMP_LIMIT + 1];
    size_t count = mrpc_runtime_stamps(runtime, stamps, STAMP_LIMIT + 1);
    mrpc_answer_print(answer, "stamp\tmessages\n");
    for (size_t i = 0; i < count && i < STAMP_LIMIT + 1; i++)
        mrpc_answer_print(answer, "%s\t%" PRIu64 "\n", field(stamps[i].stamp), stamps[i].messages);
}

void mrpc_upgrade_command(void *context, char *command, char *argument, mrpc_answer *answer)
{
    static const struct {
        const char *name;
        void (*run)(mrpc_runtime *runtime, char *argument, mrpc_answer *answer);
    } commands[] = {{"modules", answer_modules},
                    {"upgrade", answer_upgrade},
                    {"rollback", answer_rollback},
                    {"counters", answer_counters},
                    {"stamps", answer_stamps}};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, command) == 0) {
            commands[i].run(context, argument, answer);
            return;
        }
    mrpc_error error;
    (void)mrpc_error_set(&error, MRPC_EINVAL,
                         "there is no command \"%.32s\"; the program has modules, upgrade, rollback, counters, stamps",
                         field(command));
    mrpc_answer_refuse(answer, &error);
}
