/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - the socket that mrpcctl speaks to: requests of one line, each answered with a status and a text
 *
 * A request is a line of at most MRPC_CONTROL_LINE bytes with its newline: a command, and behind the first space its
 * argument. The answer is "ok SIZE" or "error NAME SIZE" (NAME as in mrpc/error.h, without MRPC_), a newline, and SIZE
 * bytes: rows of fields separated by tabs, the first row being their names, or the reason. A connection may ask several
 * times, one after the other.
 *
 * A thread of its own serves the socket, so that a request that takes long disturbs no call. The socket has mode 0600,
 * and a client must be root or the user of this process. No client can hold up another by being slow, silent or wrong,
 * but requests are carried out one at a time.
 */
#ifndef MRPC_RUNTIME_CONTROL_H
#define MRPC_RUNTIME_CONTROL_H

#include <stddef.h>

#include <mrpc/error.h>

enum {
    MRPC_CONTROL_LINE = 4096,       /* bytes of a request */
    MRPC_CONTROL_ANSWER = 1 << 20,  /* bytes of an answer */
    MRPC_CONTROL_CLIENTS = 16,      /* at once; one more takes the place of the one that was silent for longest */
    MRPC_CONTROL_TIMEOUT_MS = 30000 /* of silence, or of not reading an answer, after which a client is dropped */
};

typedef struct mrpc_control mrpc_control;

/* An answer that is being written. */
typedef struct mrpc_answer {
    char *text;
    size_t size, capacity;
    int code; /* 0, or MRPC_E…: then `text` is the reason */
} mrpc_answer;

/* Adds to the answer. What would make it longer than allowed, or for which there is no memory, makes it an error. */
void mrpc_answer_print(mrpc_answer *answer, const char *format, ...) MRPC_PRINTF(2, 3);
/* Replaces the answer by a refusal. */
void mrpc_answer_refuse(mrpc_answer *answer, const mrpc_error *error);

/* Carries out a request: `command` and `argument` ("" for none) are NUL-terminated and may be changed. On the thread of
 * the control socket. */
typedef void mrpc_control_handler(void *context, char *command, char *argument, mrpc_answer *answer);

/* Listens at `path`, which is made with mode 0600; a socket file that nobody listens at is replaced. Errors: EINVAL
 * (too long), EEXIST (somebody listens there, or it is something else than a socket), ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_control_start(mrpc_control **control, const char *path, mrpc_control_handler *handler,
                                       void *context, mrpc_error *error);

/* Waits for the request that is being carried out, ends the thread, removes the socket file. NULL is allowed. In a
 * child of fork() it only frees. */
void mrpc_control_stop(mrpc_control *control);

#endif /* MRPC_RUNTIME_CONTROL_H */
