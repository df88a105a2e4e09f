/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * count_atomics.c - counts the atomic instructions of a program between two marks, from outside
 *
 *   count_atomics FILE COMMAND [ARGUMENT...]
 *
 * Runs the command, and single-steps its first thread from its first SIGUSR1 to its second (ptrace(2)); a tracer sees
 * them even when they are ignored. What FILE gets is one line for each instruction that was met in between:
 *
 *   KIND TIMES OBJECT OFFSET      where KIND is rmw (a lock prefix, or an exchange with memory), fence or plain
 *
 * A locked operation that leaves the top of the stack as it is counts as the fence that compilers make of it. Ends with
 * the command's status; 77 where this cannot be done.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKIPPED = 77, HARD_ERROR = 99 };

#if !defined(__x86_64__)

int main(void)
{
    puts("skipped: instructions are only known for x86-64");
    return SKIPPED;
}

#else

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LONGEST = 15, PLACES = 1 << 16 };

enum kind { PLAIN, RMW, FENCE };

/* An instruction that was met. */
typedef struct place {
    uint64_t address; /* 0: unused */
    uint64_t times;
    enum kind kind;
} place;

static place places[PLACES];

/* --- the instruction at an address; Intel's manual, volume 2, chapter 2 --- */

static bool is_legacy_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 || byte == 0x2e || byte == 0x36 ||
           byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65;
}

/* or $imm8, (%rsp) or 8-bit displacement of it */
static bool is_or_to_stack(const uint8_t *code)
{
    return code[0] == 0x83 && (code[1] & 0x3f) == 0x0c && (code[1] & 0xc0) != 0xc0 && (code[2] & 7) == 4;
}

static enum kind kind_of(const uint8_t *code)
{
    const uint8_t *end = code + LONGEST - 3;
    bool lock = false;
    while (code < end && (*code == 0xf0 || is_legacy_prefix(*code)))
        lock |= *code++ == 0xf0;
    if ((*code & 0xf0) == 0x40)
        code++;
    bool memory = (code[1] & 0xc0) != 0xc0;
    if ((*code == 0x86 || *code == 0x87) && memory)
        return RMW;
    if (code[0] == 0x0f && code[1] == 0xae && code[2] >= 0xf0 && code[2] <= 0xf7)
        return FENCE;
    if (!lock)
        return PLAIN;
    return is_or_to_stack(code) ? FENCE : RMW;
}

/* --- stepping --- */

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "count_atomics: %s: %s\n", what, strerror(errno));
    exit(HARD_ERROR);
}

static place *find(uint64_t address)
{
    uint64_t i = address * UINT64_C(0x9e3779b97f4a7c15) >> 48;
    while (places[i].address != 0 && places[i].address != address)
        i = (i + 1) % PLACES;
    return &places[i];
}

static void count(pid_t child)
{
    uint64_t address = (uint64_t)ptrace(PTRACE_PEEKUSER, child, offsetof(struct user_regs_struct, rip), NULL);
    place *at = find(address);
    if (at->address == 0) {
        uint8_t code[LONGEST + 1] = {0};
        struct iovec local = {.iov_base = code, .iov_len = LONGEST}, remote = local;
        remote.iov_base = (void *)(uintptr_t)address;
        (void)process_vm_readv(child, &local, 1, &remote, 1, 0);
        *at = (place){.address = address, .kind = kind_of(code)};
    }
    at->times++;
}

static int wait_for(pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) < 0)
        give_up("waitpid");
    return status;
}

/* Goes on to the next SIGUSR1, or the end; counts on the way if `step`. Returns the status there. */
static int run(pid_t child, bool step)
{
    int signal = 0;
    for (;;) {
        if (step)
            count(child);
        if (ptrace(step ? PTRACE_SINGLESTEP : PTRACE_CONT, child, NULL, (void *)(uintptr_t)signal) != 0)
            give_up("ptrace");
        int status = wait_for(child);
        if (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGUSR1)
            return status;
        signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    }
}

/* --- what it comes to --- */

/* The object that is mapped at the address, and the offset from where its first page is. */
static void locate(FILE *maps, uint64_t address, char *object, size_t size, uint64_t *offset)
{
    char line[4096], path[4096], base_path[4096] = "";
    unsigned long long begin, end, base = 0;
    (void)snprintf(object, size, "?");
    *offset = address;
    rewind(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        path[0] = '\0';
        if (sscanf(line, "%llx-%llx %*s %*s %*s %*s %4095s", &begin, &end, path) < 2)
            continue;
        if (strcmp(path, base_path) != 0) {
            memcpy(base_path, path, sizeof path);
            base = begin;
        }
        if (address < begin || address >= end)
            continue;
        (void)snprintf(object, size, "%s", path[0] == '\0' ? "?" : path);
        *offset = address - base;
        return;
    }
}

static void report(pid_t child, const char *file)
{
    static const char *const names[] = {[PLAIN] = "plain", [RMW] = "rmw", [FENCE] = "fence"};
    char name[64], object[4096];
    uint64_t offset;
    (void)snprintf(name, sizeof name, "/proc/%d/maps", (int)child);
    FILE *maps = fopen(name, "r"), *out = fopen(file, "w");
    if (maps == NULL || out == NULL)
        give_up(maps == NULL ? name : file);
    for (size_t i = 0; i < PLACES; i++) {
        if (places[i].address == 0)
            continue;
        locate(maps, places[i].address, object, sizeof object, &offset);
        fprintf(out, "%s %llu %s 0x%llx\n", names[places[i].kind], (unsigned long long)places[i].times, object,
                (unsigned long long)offset);
    }
    fclose(maps);
    if (fclose(out) != 0)
        give_up(file);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: count_atomics FILE COMMAND [ARGUMENT...]\n");
        return HARD_ERROR;
    }
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(SKIPPED);
        execvp(argv[2], argv + 2);
        _exit(HARD_ERROR);
    }
    int status = wait_for(child);
    if (WIFSTOPPED(status))
        status = run(child, false);
    else if (WEXITSTATUS(status) == SKIPPED)
        puts("skipped: ptrace() is forbidden here");
    if (WIFSTOPPED(status))
        status = run(child, true);
    if (WIFSTOPPED(status)) {
        report(child, argv[1]);
        status = run(child, false);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : HARD_ERROR;
}

#endif
