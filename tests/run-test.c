/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run-test.c - runs one test with a time limit and leaves no process behind
 *
 *     run-test COMMAND [ARGUMENT...]
 *
 * The limit is TEST_TIMEOUT seconds (120); what a test leaves behind has TEST_GRACE seconds (5) to end by itself. The
 * runner adopts whatever the test starts (PR_SET_CHILD_SUBREAPER), so also what became a daemon is found, killed and
 * counted as a failure. Exit status: the test's; 1 when it was killed, timed out or left a process behind; 99
 * (automake's "hard error") when it could not be run.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HARD_ERROR = 99, POLL_MS = 10 };

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Calls act(pid) for each direct child; returns how many there are. */
static int each_child(void (*act)(pid_t pid))
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    int count = 0, pid;
    for (; file != NULL && fscanf(file, "%d", &pid) == 1; count++)
        act(pid);
    if (file != NULL)
        fclose(file);
    return count;
}

static void kill_child(pid_t pid)
{
    kill(pid, SIGKILL);
}

static void describe_child(pid_t pid)
{
    char path[64], name[64] = "?\n";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(name, sizeof name, file) == NULL)
            strcpy(name, "?\n");
        fclose(file);
    }
    fprintf(stderr, "run-test: left behind: process %d %s", (int)pid, name);
}

/* Reaps children for at most `limit_ms`. True when none is left; *status is that of `pid` once it ended. With
 * `all` unset it returns as soon as `pid` ended. */
static bool reap(pid_t pid, int *status, bool *ended, bool all, long limit_ms)
{
    for (long end = now_ms() + limit_ms;;) {
        int one;
        pid_t got = waitpid(-1, &one, WNOHANG);
        if (got == pid) {
            *status = one;
            *ended = true;
        }
        if (got < 0 && errno == ECHILD)
            return true;
        if (!all && *ended)
            return false;
        if (got > 0)
            continue;
        if (now_ms() >= end)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
}

/* Kills the group, then generation by generation what the runner has adopted. */
static void kill_all(pid_t group, int *status, bool *ended)
{
    kill(-group, SIGKILL);
    for (int round = 0; round < 1000 && each_child(kill_child) > 0; round++)
        (void)reap(group, status, ended, true, 2 * POLL_MS);
}

/* Seconds from the environment; 0 when they make no sense. */
static long seconds_from(const char *variable, long otherwise)
{
    const char *text = getenv(variable);
    long seconds = text == NULL ? otherwise : strtol(text, NULL, 10);
    return seconds < 0 || seconds > 86400 ? 0 : seconds;
}

static pid_t start(char **command)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setpgid(0, 0);
    execvp(command[0], command);
    fprintf(stderr, "run-test: cannot run %s: %s\n", command[0], strerror(errno));
    _exit(HARD_ERROR);
}

static int result(const char *name, int status, bool timed_out, bool left_behind, long limit)
{
    if (timed_out)
        fprintf(stderr, "run-test: %s timed out after %ld s and was killed\n", name, limit);
    else if (WIFSIGNALED(status))
        fprintf(stderr, "run-test: %s died of signal %d (%s)\n", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (left_behind)
        fprintf(stderr, "run-test: %s left processes behind, which were killed\n", name);
    if (timed_out || WIFSIGNALED(status))
        return 1;
    return left_behind && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77) ? 1 : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: run-test COMMAND [ARGUMENT...]\n");
        return HARD_ERROR;
    }
    long limit = seconds_from("TEST_TIMEOUT", 120), grace = seconds_from("TEST_GRACE", 5);
    if (limit == 0 || grace == 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        fprintf(stderr, "run-test: TEST_TIMEOUT and TEST_GRACE must be 1 to 86400 seconds, and Linux 3.4 or later\n");
        return HARD_ERROR;
    }
    pid_t pid = start(argv + 1);
    if (pid < 0) {
        perror("run-test: fork");
        return HARD_ERROR;
    }
    setpgid(pid, pid); /* here and in the child, so that it is done whoever runs first */
    int status = 0;
    bool ended = false, clean = reap(pid, &status, &ended, false, limit * 1000), timed_out = !ended;
    /* What is just about to exit may do so: only what stays is a leak. */
    bool left_behind = !timed_out && !clean && !reap(pid, &status, &ended, true, grace * 1000);
    if (timed_out || left_behind) {
        each_child(describe_child);
        kill_all(pid, &status, &ended);
    }
    return result(argv[1], status, timed_out, left_behind, limit);
}
