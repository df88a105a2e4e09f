/* SPDX-License-Identifier: BSD-2-Clause */
/* runtime_process.c - the program executed again, as `PROGRAM --serve SETUP ADDRESS`, `PROGRAM --call SETUP ADDRESS N`
 * or `PROGRAM --flow SETUP ADDRESS SEED` */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/runtime_flow.h"
#include "tests/unit/runtime_process.h"

/* --- those who start them --- */

/* With `output`, if it is not NULL, as the end of a pipe that its standard output goes to. */
static pid_t execute(char **arguments, int *output)
{
    char program[4096];
    int ends[2];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(size > 0);
    program[size] = '\0';
    assert_int_equal(pipe(ends), 0);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(ends[1], output != NULL ? STDOUT_FILENO : ends[1]);
        (void)close(ends[0]);
        (void)close(ends[1]);
        arguments[0] = program;
        (void)execv(program, arguments);
        _exit(127);
    }
    (void)close(ends[1]);
    if (output != NULL)
        *output = ends[0];
    else
        (void)close(ends[0]);
    return process;
}

pid_t start_server_process(const setup *how, char address[PROCESS_ADDRESS])
{
    int output;
    char wanted[PROCESS_ADDRESS];
    memcpy(wanted, address, sizeof wanted);
    char *arguments[] = {NULL, "--serve", (char *)(uintptr_t)how->name, wanted, NULL};
    pid_t process = execute(arguments, &output);
    assert_int_equal(read(output, address, PROCESS_ADDRESS), PROCESS_ADDRESS);
    (void)close(output);
    return process;
}

static pid_t execute_client(const setup *how, const char *role, const char *address, uint32_t number)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", number);
    char *arguments[] = {NULL, (char *)(uintptr_t)role, (char *)(uintptr_t)how->name, (char *)(uintptr_t)address, text,
                         NULL};
    return execute(arguments, NULL);
}

pid_t start_client_process(const setup *how, const char *address, int calls)
{
    return execute_client(how, "--call", address, (uint32_t)calls);
}

pid_t start_flow_process(const setup *how, const char *address, uint32_t seed)
{
    return execute_client(how, "--flow", address, seed);
}

void kill_process(pid_t process)
{
    int status;
    assert_int_equal(kill(process, SIGKILL), 0);
    assert_int_equal(waitpid(process, &status, 0), process);
}

/* --- what they do --- */

static _Noreturn void serve_for_ever(const setup *how, const char *address)
{
    char really[PROCESS_ADDRESS] = "";
    echo_server *server = start_server(how, address);
    (void)snprintf(really, sizeof really, "%s", echo_server_address(server));
    if (write(STDOUT_FILENO, really, sizeof really) != sizeof really)
        _exit(1);
    for (;;)
        (void)pause();
}

static void forget(void *state, const mrpc_status *status, const echo_Pong *pong)
{
    (void)state;
    (void)status;
    mrpc_release(pong);
}

static _Noreturn void call_for_ever(const setup *how, const char *address, int calls)
{
    mrpc_runtime *runtime = new_runtime(how);
    mrpc_channel *channel = new_channel(how, runtime, address);
    const echo_Ping ping = {.action = echo_NEVER};
    for (int i = 0; i < calls; i++)
        if (echo_Echo_Unary_start(channel, &ping, NULL, forget, NULL, NULL) != 0)
            _exit(1);
    for (;;)
        (void)mrpc_runtime_poll(runtime, 1000);
}

static _Noreturn void flow_for_ever(const setup *how, const char *address, uint32_t seed)
{
    flow calls;
    flow_begin(&calls, new_channel(how, new_runtime(how), address), 0, seed);
    for (;;)
        flow_run(&calls, 1000);
}

void be_process(const setup *setups, int argc, char **argv)
{
    if (argc < 4 || strncmp(argv[1], "--", 2) != 0)
        return;
    const setup *how = setups;
    while (how->name != NULL && strcmp(how->name, argv[2]) != 0)
        how++;
    if (how->name == NULL)
        _exit(2);
    if (strcmp(argv[1], "--serve") == 0)
        serve_for_ever(how, argv[3]);
    uint32_t number = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 1;
    if (strcmp(argv[1], "--flow") == 0)
        flow_for_ever(how, argv[3], number);
    call_for_ever(how, argv[3], (int)number);
}
