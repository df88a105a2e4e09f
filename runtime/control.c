/* SPDX-License-Identifier: BSD-2-Clause */
/* control.c - serves the control socket */
#include "config.h"

#include "runtime/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CROWDED_MS = 100 };

typedef struct control_client {
    int fd;       /* -1: free */
    bool closing; /* after the answer */
    uint64_t active_ms;
    size_t size; /* of what has come and was not yet carried out */
    size_t sent; /* of head and answer */
    char head[64];
    mrpc_answer answer; /* text NULL and code 0: none is being sent */
    bool answering;
    char line[MRPC_CONTROL_LINE];
} control_client;

struct mrpc_control {
    int listener, wake;
    bool crowded; /* somebody waits who cannot be accepted: the listener is looked at again after CROWDED_MS */
    pid_t owner;  /* a child of fork() has no thread to stop */
    pthread_t thread;
    mrpc_control_handler *handler;
    void *context;
    struct stat file; /* of the socket, so that only our own is removed */
    struct sockaddr_un address;
    control_client clients[MRPC_CONTROL_CLIENTS];
};

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* --- answers --- */

static bool answer_reserve(mrpc_answer *answer, size_t more)
{
    size_t needed = answer->size + more;
    if (needed <= answer->capacity)
        return true;
    if (needed > MRPC_CONTROL_ANSWER)
        return false;
    size_t capacity = answer->capacity * 2 > needed ? answer->capacity * 2 : needed + 256;
    char *text = realloc(answer->text, capacity);
    if (text == NULL)
        return false;
    answer->text = text;
    answer->capacity = capacity;
    return true;
}

/* Fails for good, and without memory: then only the code is sent. */
static void answer_fail(mrpc_answer *answer)
{
    answer->code = MRPC_ELIMIT;
    answer->size = 0;
}

static void answer_vprint(mrpc_answer *answer, const char *format, va_list arguments) MRPC_PRINTF(2, 0);

static void answer_vprint(mrpc_answer *answer, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0 || !answer_reserve(answer, (size_t)length + 1)) {
        answer_fail(answer);
        return;
    }
    vsnprintf(answer->text + answer->size, (size_t)length + 1, format, arguments);
    answer->size += (size_t)length;
}

void mrpc_answer_print(mrpc_answer *answer, const char *format, ...)
{
    if (answer->code != 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    answer_vprint(answer, format, arguments);
    va_end(arguments);
}

void mrpc_answer_refuse(mrpc_answer *answer, const mrpc_error *error)
{
    answer->code = 0;
    answer->size = 0;
    mrpc_answer_print(answer, "%s", mrpc_error_text(error));
    answer->code = error->code;
}

static const char *code_name(int code)
{
    switch (code) {
#define CODE_CASE(name, value, text)                                                                                   \
    case value:                                                                                                        \
        return #name;
        MRPC_ERROR_TABLE(CODE_CASE)
#undef CODE_CASE
    default:
        return "EINVAL";
    }
}

/* --- clients --- */

static void drop_client(control_client *client)
{
    close(client->fd);
    free(client->answer.text);
    *client = (control_client){.fd = -1};
}

/* Makes the head of the answer, after which it can be sent. */
static void begin_answer(control_client *client)
{
    if (client->answer.code == 0)
        snprintf(client->head, sizeof client->head, "ok %zu\n", client->answer.size);
    else
        snprintf(client->head, sizeof client->head, "error %s %zu\n", code_name(client->answer.code),
                 client->answer.size);
    client->answering = true;
    client->sent = 0;
}

static void refuse(control_client *client, int code, const char *reason)
{
    mrpc_error error;
    (void)mrpc_error_set(&error, code, "%s", reason);
    mrpc_answer_refuse(&client->answer, &error);
    begin_answer(client);
}

/* Sends what can be sent; false when the client has gone. */
static bool send_answer(control_client *client)
{
    size_t head = strlen(client->head), whole = head + client->answer.size;
    while (client->sent < whole) {
        bool in_head = client->sent < head;
        const char *from = in_head ? client->head + client->sent : client->answer.text + (client->sent - head);
        size_t size = in_head ? head - client->sent : whole - client->sent;
        ssize_t count = send(client->fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0)
            return errno == EAGAIN || errno == EINTR;
        client->sent += (size_t)count;
        client->active_ms = now_ms();
    }
    free(client->answer.text);
    client->answer = (mrpc_answer){0};
    client->answering = false;
    return !client->closing;
}

static void carry_out(mrpc_control *control, control_client *client, size_t length)
{
    client->line[length] = '\0';
    if (strlen(client->line) != length) {
        client->closing = true;
        refuse(client, MRPC_EINVAL, "the request contains a NUL byte");
        return;
    }
    char *space = strchr(client->line, ' '), none[1] = "";
    if (space != NULL)
        *space = '\0';
    control->handler(control->context, client->line, space != NULL ? space + 1 : none, &client->answer);
    begin_answer(client);
}

/* Carries out the requests that have come whole, one after the other as long as their answers can be sent at once.
 * False: the client has gone. */
static bool serve_client(mrpc_control *control, control_client *client)
{
    while (!client->answering) {
        char *end = memchr(client->line, '\n', client->size);
        if (end == NULL && client->size < sizeof client->line)
            return true;
        if (end == NULL) {
            client->closing = true;
            refuse(client, MRPC_EINVAL, "the request is longer than 4095 bytes");
        } else {
            size_t length = (size_t)(end - client->line);
            carry_out(control, client, length);
            client->size -= length + 1;
            memmove(client->line, end + 1, client->size);
        }
        if (!send_answer(client))
            return false;
    }
    return true;
}

/* Nothing is read while an answer waits to be taken. False: the client has gone. */
static bool read_client(mrpc_control *control, control_client *client)
{
    ssize_t count = recv(client->fd, client->line + client->size, sizeof client->line - client->size, MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    if (count == 0)
        return false;
    client->size += (size_t)count;
    client->active_ms = now_ms();
    return serve_client(control, client);
}

static void client_event(mrpc_control *control, control_client *client, short events)
{
    bool there = true;
    if (client->answering && (events & (POLLOUT | POLLERR | POLLHUP)) != 0)
        there = send_answer(client) && serve_client(control, client);
    else if ((events & (POLLIN | POLLERR | POLLHUP)) != 0)
        there = read_client(control, client);
    if (!there)
        drop_client(client);
}

static control_client *free_place(mrpc_control *control)
{
    control_client *oldest = &control->clients[0];
    for (size_t i = 0; i < MRPC_CONTROL_CLIENTS; i++) {
        control_client *client = &control->clients[i];
        if (client->fd < 0)
            return client;
        if (client->active_ms < oldest->active_ms)
            oldest = client;
    }
    drop_client(oldest);
    return oldest;
}

/* Mode 0600 keeps others out already; this holds too when somebody has changed the mode. */
static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

/* Who cannot be accepted (EMFILE, ENOMEM) stays in the backlog, of which poll(2) would tell at once again. */
static void accept_client(mrpc_control *control)
{
    int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    control->crowded = fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
    if (fd < 0)
        return;
    control_client *client = free_place(control);
    *client = (control_client){.fd = fd, .active_ms = now_ms()};
    if (is_allowed(fd))
        return;
    client->closing = true;
    refuse(client, MRPC_EPERM, "only root and the user of this process may use the control socket");
    if (!send_answer(client))
        drop_client(client);
}

static void drop_silent_clients(mrpc_control *control)
{
    uint64_t now = now_ms();
    for (size_t i = 0; i < MRPC_CONTROL_CLIENTS; i++) {
        control_client *client = &control->clients[i];
        if (client->fd >= 0 && now - client->active_ms > MRPC_CONTROL_TIMEOUT_MS)
            drop_client(client);
    }
}

/* --- the thread --- */

enum { WAKE, LISTENER, CLIENTS /* and those behind it, at their own index */ };

/* poll(2) passes over negative descriptors. Returns how many there are up to the last one: more than the process may
 * have descriptors would be refused. */
static nfds_t fill_polls(const mrpc_control *control, struct pollfd *polls, int *timeout)
{
    nfds_t count = CLIENTS;
    *timeout = -1;
    polls[WAKE] = (struct pollfd){.fd = control->wake, .events = POLLIN};
    polls[LISTENER] = (struct pollfd){.fd = control->crowded ? -1 : control->listener, .events = POLLIN};
    for (nfds_t i = 0; i < MRPC_CONTROL_CLIENTS; i++) {
        const control_client *client = &control->clients[i];
        polls[CLIENTS + i] = (struct pollfd){.fd = client->fd, .events = client->answering ? POLLOUT : POLLIN};
        if (client->fd < 0)
            continue;
        *timeout = 1000;
        count = CLIENTS + i + 1;
    }
    if (control->crowded)
        *timeout = CROWDED_MS;
    return count;
}

static void *serve(void *argument)
{
    mrpc_control *control = argument;
    struct pollfd polls[CLIENTS + MRPC_CONTROL_CLIENTS];
    for (;;) {
        int timeout;
        nfds_t count = fill_polls(control, polls, &timeout);
        if (poll(polls, count, timeout) < 0)
            continue;
        if (polls[WAKE].revents != 0)
            return NULL;
        for (nfds_t i = CLIENTS; i < count; i++)
            if (polls[i].revents != 0)
                client_event(control, &control->clients[i - CLIENTS], polls[i].revents);
        drop_silent_clients(control);
        if (control->crowded || polls[LISTENER].revents != 0)
            accept_client(control);
    }
}

/* The program's signals are for its own threads. */
static int start_thread(mrpc_control *control)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&control->thread, NULL, serve, control);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

/* --- the socket --- */

static int in_use(const char *path, mrpc_error *error)
{
    return mrpc_error_set(error, MRPC_EEXIST,
                          "the control socket %s belongs to a process that runs; choose another path", path);
}

/* Removes a socket file that nobody listens at. */
static int remove_stale(const mrpc_control *control, const char *path, mrpc_error *error)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0 : mrpc_error_system(error, errno, "cannot examine the control socket %s", path);
    if (!S_ISSOCK(status.st_mode))
        return mrpc_error_set(error, MRPC_EEXIST, "%s is not a socket; choose another path for the control socket",
                              path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return mrpc_error_system(error, errno, "cannot make a socket");
    bool listened_at = connect(probe, (const struct sockaddr *)&control->address, sizeof control->address) == 0 ||
                       errno != ECONNREFUSED;
    close(probe);
    if (listened_at)
        return in_use(path, error);
    if (unlink(path) != 0)
        return mrpc_error_system(error, errno, "cannot remove the old control socket %s", path);
    return 0;
}

/* The mode of the descriptor is that of the file which bind() makes, so that there is no moment at which others may
 * connect. */
static int listen_at(mrpc_control *control, const char *path, mrpc_error *error)
{
    int result = remove_stale(control, path, error);
    if (result != 0)
        return result;
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listener < 0)
        return mrpc_error_system(error, errno, "cannot make the control socket");
    if (fchmod(control->listener, 0600) == 0 &&
        bind(control->listener, (const struct sockaddr *)&control->address, sizeof control->address) == 0) {
        if (chmod(path, 0600) == 0 && lstat(path, &control->file) == 0 &&
            listen(control->listener, MRPC_CONTROL_CLIENTS) == 0)
            return 0;
        result = mrpc_error_system(error, errno, "cannot listen at the control socket %s", path);
        unlink(path);
    } else if (errno == EADDRINUSE) {
        result = in_use(path, error); /* by who was faster just now */
    } else {
        result = mrpc_error_system(error, errno, "cannot make the control socket %s", path);
    }
    close(control->listener);
    return result;
}

static void remove_file(const mrpc_control *control)
{
    struct stat status;
    const char *path = control->address.sun_path;
    if (lstat(path, &status) == 0 && status.st_dev == control->file.st_dev && status.st_ino == control->file.st_ino)
        unlink(path);
}

static int set_address(mrpc_control *control, const char *path, mrpc_error *error)
{
    control->address.sun_family = AF_UNIX;
    size_t length = strlen(path), limit = sizeof control->address.sun_path - 1;
    if (length == 0 || length > limit)
        return mrpc_error_set(error, MRPC_EINVAL, "the path of a control socket has 1 to %zu bytes, \"%.100s\" has %zu",
                              limit, path, length);
    memcpy(control->address.sun_path, path, length + 1);
    return 0;
}

int mrpc_control_start(mrpc_control **result, const char *path, mrpc_control_handler *handler, void *context,
                       mrpc_error *error)
{
    mrpc_control *control = calloc(1, sizeof *control);
    if (control == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for the control socket");
    control->handler = handler;
    control->context = context;
    control->owner = getpid();
    for (size_t i = 0; i < MRPC_CONTROL_CLIENTS; i++)
        control->clients[i].fd = -1;
    int code = set_address(control, path, error);
    if (code != 0)
        goto free_control;
    control->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control->wake < 0) {
        code = mrpc_error_system(error, errno, "cannot make an eventfd for the control socket");
        goto free_control;
    }
    code = listen_at(control, path, error);
    if (code != 0)
        goto close_wake;
    int started = start_thread(control);
    if (started == 0) {
        *result = control;
        return 0;
    }
    code = mrpc_error_system(error, started, "cannot start the thread of the control socket");
    remove_file(control);
    close(control->listener);
close_wake:
    close(control->wake);
free_control:
    free(control);
    return code;
}

void mrpc_control_stop(mrpc_control *control)
{
    if (control == NULL)
        return;
    if (control->owner == getpid()) {
        (void)eventfd_write(control->wake, 1);
        pthread_join(control->thread, NULL);
        remove_file(control);
    }
    for (size_t i = 0; i < MRPC_CONTROL_CLIENTS; i++)
        if (control->clients[i].fd >= 0)
            drop_client(&control->clients[i]);
    close(control->listener);
    close(control->wake);
    free(control);
}
