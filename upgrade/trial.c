/* SPDX-License-Identifier: BSD-2-Clause */
/* trial.c - starts the self-test helper, listens to it, ends it, and says what became of it */
#include "config.h"

#include "upgrade/trial.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPORT_SIZE = 4096, FIRST_FREE_FD = 10 };

/* A running helper. */
typedef struct helper_process {
    pid_t pid;
    int process; /* a pidfd, so that a process of the same number is never hit; -1 where the kernel has none */
    int report;  /* our end of the pipe */
    char text[REPORT_SIZE];
    size_t size;
    bool timed_out;
    bool reaped; /* status is known: false where the program ignores SIGCHLD */
    siginfo_t status;
} helper_process;

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static const char *helper_path(void)
{
    const char *path = secure_getenv("MRPC_SELFTEST");
    return path != NULL && *path != '\0' ? path : MRPC_LIBEXEC_DIR "/mrpc-selftest";
}

/* The shared libmrpc that this code is part of, which service modules use; "" when it is linked statically. */
static const char *own_library(void)
{
    Dl_info info;
    if (dladdr((const void *)(uintptr_t)mrpc_trial_run, &info) == 0 || info.dli_fname == NULL)
        return "";
    const char *slash = strrchr(info.dli_fname, '/');
    return strncmp(slash == NULL ? info.dli_fname : slash + 1, "libmrpc.so", 10) == 0 ? info.dli_fname : "";
}

/* Descriptors 0 to 4 of the helper; what else is open here is close-on-exec, and the helper closes what is not. */
static int set_descriptors(posix_spawn_file_actions_t *actions, int copy, int report)
{
    int result = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (result == 0)
        result = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    if (result == 0)
        result = posix_spawn_file_actions_adddup2(actions, 1, 2);
    if (result == 0)
        result = posix_spawn_file_actions_adddup2(actions, copy, MRPC_TRIAL_COPY_FD);
    if (result == 0)
        result = posix_spawn_file_actions_adddup2(actions, report, MRPC_TRIAL_REPORT_FD);
    return result;
}

/* The helper starts with all signals at their defaults and unblocked, whatever the program does with them. */
static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int result = posix_spawnattr_setsigmask(attributes, &none);
    if (result == 0)
        result = posix_spawnattr_setsigdefault(attributes, &all);
    if (result == 0)
        result = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return result;
}

/* Returns 0 or an errno. */
static int spawn_with(pid_t *pid, char *const arguments[], int copy, int report)
{
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int result = posix_spawn_file_actions_init(&actions);
    if (result != 0)
        return result;
    result = posix_spawnattr_init(&attributes);
    if (result != 0)
        goto destroy_actions;
    result = set_descriptors(&actions, copy, report);
    if (result == 0)
        result = set_signals(&attributes);
    if (result == 0)
        result = posix_spawn(pid, helper_path(), &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
destroy_actions:
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

/* As spawn_with, with descriptors moved out of the way of those that the helper gets. */
static int spawn(pid_t *pid, char *const arguments[], int copy, int report)
{
    int high_copy = fcntl(copy, F_DUPFD_CLOEXEC, FIRST_FREE_FD),
        high_report = fcntl(report, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    int result = high_copy < 0 || high_report < 0 ? errno : spawn_with(pid, arguments, high_copy, high_report);
    if (high_copy >= 0)
        close(high_copy);
    if (high_report >= 0)
        close(high_report);
    return result;
}

static int start(helper_process *helper, int copy, const mrpc_trial_limits *limits, mrpc_error *error)
{
    char cpu[16], memory[16], library[4096];
    snprintf(cpu, sizeof cpu, "%u", limits->cpu_s);
    snprintf(memory, sizeof memory, "%u", limits->memory_mib);
    snprintf(library, sizeof library, "%s", own_library());
    char *arguments[] = {"mrpc-selftest", cpu, memory, library, NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return mrpc_error_system(error, errno, "cannot make a pipe for the self-test");
    int result = spawn(&helper->pid, arguments, copy, ends[1]);
    close(ends[1]);
    if (result != 0) {
        close(ends[0]);
        if (result == ENOENT)
            return mrpc_error_set(error, MRPC_ENOENT,
                                  "the self-test program %s is missing: install it, or set MRPC_SELFTEST to its path",
                                  helper_path());
        return mrpc_error_system(error, result, "cannot start the self-test program %s", helper_path());
    }
    helper->report = ends[0];
    helper->process = (int)syscall(SYS_pidfd_open, helper->pid, 0);
    return 0;
}

/* Reads what is there; false at the end of the report. What does not fit is dropped: a sound helper writes much less.
 */
static bool read_report(helper_process *helper)
{
    char spill[256];
    size_t room = REPORT_SIZE - 1 - helper->size;
    ssize_t count =
        read(helper->report, room > 0 ? helper->text + helper->size : spill, room > 0 ? room : sizeof spill);
    if (count > 0 && room > 0)
        helper->size += (size_t)count;
    return count > 0 || (count < 0 && errno == EINTR);
}

/* Until the helper has closed the pipe, which it does by ending, or the time is up. */
static void listen_until(helper_process *helper, uint64_t deadline)
{
    struct pollfd wait = {.fd = helper->report, .events = POLLIN};
    bool open = true;
    while (open) {
        uint64_t now = now_ms();
        if (now >= deadline) {
            helper->timed_out = true;
            return;
        }
        if (poll(&wait, 1, (int)(deadline - now)) > 0)
            open = read_report(helper);
    }
}

static void kill_helper(const helper_process *helper)
{
    if (helper->process >= 0)
        (void)syscall(SYS_pidfd_send_signal, helper->process, SIGKILL, NULL, 0);
    else
        kill(helper->pid, SIGKILL);
}

/* It is killed in any case: a module may have closed the pipe and gone on. A process that is just ending keeps its own
 * status. */
static void end(helper_process *helper)
{
    kill_helper(helper);
    idtype_t type = helper->process >= 0 ? P_PIDFD : P_PID;
    id_t id = (id_t)(helper->process >= 0 ? helper->process : helper->pid);
    int result;
    do
        result = waitid(type, id, &helper->status, WEXITED);
    while (result != 0 && errno == EINTR);
    helper->reaped = result == 0;
    if (helper->process >= 0)
        close(helper->process);
    close(helper->report);
    helper->text[helper->size] = '\0';
}

/* The text of the last line that begins with `word`, which ends at its newline; NULL when there is none. */
static char *last_line(helper_process *helper, const char *word)
{
    size_t length = strlen(word);
    char *found = NULL;
    for (char *line = helper->text; *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end == NULL)
            break;
        if (strncmp(line, word, length) == 0)
            found = line + length;
        line = end + 1;
    }
    if (found != NULL)
        *strchr(found, '\n') = '\0';
    return found;
}

/* What the module did to end the helper before it could say a verdict. */
static int explain_end(const helper_process *helper, const char *stage, const mrpc_trial_limits *limits,
                       mrpc_error *error)
{
    if (helper->timed_out)
        return mrpc_error_set(error, MRPC_EMODULE, "its self-test did not end within %u ms; it was %s", limits->wall_ms,
                              stage);
    if (!helper->reaped || helper->status.si_code == CLD_EXITED)
        return mrpc_error_set(error, MRPC_EMODULE, "it ended the self-test's process by exit(%d) while it was %s",
                              helper->reaped ? helper->status.si_status : 0, stage);
    int number = helper->status.si_status;
    if (number == SIGXCPU)
        return mrpc_error_set(error, MRPC_EMODULE, "its self-test used up %u s of CPU time; it was %s", limits->cpu_s,
                              stage);
    if (number == SIGSYS)
        return mrpc_error_set(error, MRPC_EMODULE, "it made a system call that no module needs while it was %s", stage);
    const char *name = sigabbrev_np(number);
    return mrpc_error_set(error, MRPC_EMODULE, "its self-test crashed (SIG%s) while it was %s",
                          name == NULL ? "?" : name, stage);
}

static int judge(helper_process *helper, const mrpc_trial_limits *limits, mrpc_error *error)
{
    if (!helper->timed_out && last_line(helper, "passed") != NULL)
        return 0;
    const char *refusal = last_line(helper, "refused ");
    if (refusal != NULL) {
        char *text;
        long code = strtol(refusal, &text, 10);
        return mrpc_error_set(error, code == MRPC_EMISMATCH ? MRPC_EMISMATCH : MRPC_EMODULE, "%s",
                              text + (*text == ' '));
    }
    const char *stage = last_line(helper, "at ");
    return explain_end(helper, stage == NULL ? "starting" : stage, limits, error);
}

int mrpc_trial_run(int copy, const mrpc_trial_limits *limits, mrpc_error *error)
{
    mrpc_trial_limits actual = {0};
    if (limits != NULL)
        actual = *limits;
    if (actual.wall_ms == 0)
        actual.wall_ms = 30000;
    if (actual.cpu_s == 0)
        actual.cpu_s = 5;
    if (actual.memory_mib == 0)
        actual.memory_mib = 1024;
    helper_process *helper = calloc(1, sizeof *helper);
    if (helper == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for the self-test");
    int result = start(helper, copy, &actual, error);
    if (result != 0)
        goto free_helper;
    listen_until(helper, now_ms() + actual.wall_ms);
    end(helper);
    result = judge(helper, &actual, error);
free_helper:
    free(helper);
    return result;
}
