/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error.h - the two vocabularies of errors
 *
 * Set-up functions return an int: 0, or a negative MRPC_E… with an mrpc_error that says what went
 * wrong, where, and what to do about it. The outcome of a call is an mrpc_status, which crosses the
 * wire and uses the codes of gRPC (https://grpc.github.io/grpc/core/md_doc_statuscodes.html).
 */
#ifndef MRPC_ERROR_H
#define MRPC_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include <mrpc/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, value, "what it means"): the one table behind the enum and mrpc_strerror(). */
#define MRPC_ERROR_TABLE(X)                                                                                            \
    X(EINVAL, -1, "invalid argument")                                                                                  \
    X(ENOMEM, -2, "out of memory, or a heap reached its limit")                                                        \
    X(ELIMIT, -3, "a configured limit was reached")                                                                    \
    X(EFORMAT, -4, "malformed input")                                                                                  \
    X(ENOTSUP, -5, "not supported")                                                                                    \
    X(ENOENT, -6, "no such thing")                                                                                     \
    X(EEXIST, -7, "it exists already")                                                                                 \
    X(EPERM, -8, "not allowed")                                                                                        \
    X(ESYS, -9, "a system call failed; system_errno says how")                                                         \
    X(ECLOSED, -10, "closed, or being shut down")                                                                      \
    X(EAGAIN, -11, "would block; try again when told")                                                                 \
    X(ETIMEDOUT, -12, "timed out")                                                                                     \
    X(EPROTO, -13, "the peer broke the protocol")                                                                      \
    X(EMISMATCH, -14, "versions or fingerprints differ")                                                               \
    X(EMODULE, -15, "a module was refused")                                                                            \
    X(EDEADLK, -16, "would wait for itself")                                                                           \
    X(EFORKED, -17, "the runtime belongs to the parent process")

enum mrpc_errno {
#define MRPC_ERROR_ENUM(name, value, text) MRPC_##name = value,
    MRPC_ERROR_TABLE(MRPC_ERROR_ENUM)
#undef MRPC_ERROR_ENUM
};

/* Describes a failed set-up function. Filled by the callee; owns nothing; may be copied. */
typedef struct mrpc_error {
    int code;         /* MRPC_E…, 0 when there was no error */
    int system_errno; /* errno of the system call that failed, or 0 */
    char text[496];   /* one sentence: what, where, what to do; NUL-terminated, may be cut */
} mrpc_error;

/* The text of an error, never NULL; "no error" for NULL or a cleared one. Valid as long as *error. */
MRPC_API const char *mrpc_error_text(const mrpc_error *error);

/* What an MRPC_E… code means, in words; never NULL; static storage. */
MRPC_API const char *mrpc_strerror(int code);

/* Sets *error (when it is not NULL) and returns `code`, so that `return mrpc_error_set(…)` reads well.
 * For code that extends mrpc: transports, policies, modules. Thread-safe, never allocates. */
MRPC_API int mrpc_error_set(mrpc_error *error, int code, const char *format, ...) MRPC_PRINTF(3, 4);

/* As mrpc_error_set with MRPC_ESYS; appends the text of `system_errno`. */
MRPC_API int mrpc_error_system(mrpc_error *error, int system_errno, const char *format, ...) MRPC_PRINTF(3, 4);

/* X(name, value): gRPC's status codes. */
/* clang-format off */
#define MRPC_STATUS_TABLE(X)                                                  \
    X(OK, 0) X(CANCELLED, 1) X(UNKNOWN, 2) X(INVALID_ARGUMENT, 3)             \
    X(DEADLINE_EXCEEDED, 4) X(NOT_FOUND, 5) X(ALREADY_EXISTS, 6)              \
    X(PERMISSION_DENIED, 7) X(RESOURCE_EXHAUSTED, 8)                          \
    X(FAILED_PRECONDITION, 9) X(ABORTED, 10) X(OUT_OF_RANGE, 11)              \
    X(UNIMPLEMENTED, 12) X(INTERNAL, 13) X(UNAVAILABLE, 14)                   \
    X(DATA_LOSS, 15) X(UNAUTHENTICATED, 16)
/* clang-format on */

typedef enum mrpc_code {
#define MRPC_STATUS_ENUM(name, value) MRPC_##name = value,
    MRPC_STATUS_TABLE(MRPC_STATUS_ENUM)
#undef MRPC_STATUS_ENUM
} mrpc_code;

/* The outcome of a call. A plain value: owns nothing, may be copied and dropped. The message may be the peer's: what
 * was not UTF-8 in it is a question mark, but control characters are as the peer sent them, so that it is not for a
 * terminal as it stands. */
typedef struct mrpc_status {
    mrpc_code code;
    char message[252]; /* UTF-8, NUL-terminated; empty when code is MRPC_OK; cut at a character when longer */
} mrpc_status;

/* "OK", "NOT_FOUND", …; "UNKNOWN" for a number that is none of them. Static storage. */
MRPC_API const char *mrpc_code_name(mrpc_code code);

/* A status from a code and a printf format. */
MRPC_API mrpc_status mrpc_status_make(mrpc_code code, const char *format, ...) MRPC_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_ERROR_H */
