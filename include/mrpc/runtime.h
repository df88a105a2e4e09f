/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runtime.h - the engine that carries calls, inside the application
 *
 * A runtime is an event loop with its connections, timers and marshal modules. It starts no thread unless it is asked
 * to. By default whoever waits drives it: the first thread that blocks in a call runs the loop, others that block
 * meanwhile sleep, each on its own word, and the thread that leaves hands the driving to one of them. Callbacks and
 * handlers run on the thread that drives. While nobody drives, nothing happens: no byte is read, no deadline
 * fires, no keep-alive is answered. Programs with a loop of their own watch mrpc_runtime_fd() and call
 * mrpc_runtime_poll().
 *
 * Calling a function that would drive from inside a callback or handler of the same runtime fails with
 * MRPC_EDEADLK (or status FAILED_PRECONDITION), whose text names the alternatives.
 *
 * After fork() the child must not use an inherited runtime; functions answer MRPC_EFORKED (or status
 * FAILED_PRECONDITION) there.
 */
#ifndef MRPC_RUNTIME_H
#define MRPC_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/error.h>
#include <mrpc/heap.h>
#include <mrpc/message.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MRPC_STAMP_TEXT = 16 }; /* a build's stamp with its NUL */

typedef struct mrpc_runtime mrpc_runtime;

/* How the loop waits for the kernel. */
typedef enum mrpc_poller {
    MRPC_POLLER_AUTO = 0, /* io_uring where the kernel allows it, else epoll */
    MRPC_POLLER_IO_URING,
    MRPC_POLLER_EPOLL,
    MRPC_POLLER_SIMULATED /* a virtual clock, for sim:// addresses only */
} mrpc_poller;

/* Options of a runtime. Zero means the default. */
typedef struct mrpc_runtime_options {
    size_t size;        /* sizeof(mrpc_runtime_options) */
    mrpc_poller poller; /* the environment variable MRPC_POLLER (io_uring, epoll) decides when this is AUTO */
    bool thread;        /* the runtime owns a thread that drives it all the time */
    uint32_t spin_us;   /* how long to spin after the last event before sleeping in the kernel, µs; default 20; at most
                           1,000,000. Spinning stops by itself while gaps are longer than that */
    bool no_spin;       /* sleep at once */
    size_t heap_limit;  /* bytes of the heap for messages that are received; default 1 GiB */
    /* Path of a Unix socket for mrpcctl, owner-only, served by a thread of its own; one that another runtime has is an
     * error. "": none. NULL: MRPC_CONTROL from the environment, or none: that may be a path, which the first runtime
     * that is made there gets while the others go without, or a folder, in which each runtime gets a socket
     * PID-N.sock. */
    const char *control;
    const char *module_path; /* folders with marshal modules, separated by ':'; NULL: MRPC_MODULE_PATH from the
                                environment, then the folder of the executable, then the library's module folder */
    bool stamps; /* ask peers for the stamp of the marshal build that wrote each message; for tests and debugging;
                    also MRPC_STAMPS=1 */
    uint64_t simulation_seed; /* of MRPC_POLLER_SIMULATED */
    size_t reply_heap_limit;  /* bytes of the heap for messages of server-side calls, mrpc_call_heap(); default 1 GiB. A
                                 heap reserves addresses for its limit, which counts against RLIMIT_AS, and commits
                                 memory when it is used */
} mrpc_runtime_options;

/* Makes a runtime; `options` may be NULL. The caller drops it with mrpc_runtime_unref(); channels and servers keep
 * references of their own. Errors: EINVAL, ENOMEM, ESYS. */
MRPC_API MRPC_MUST_CHECK int mrpc_runtime_new(mrpc_runtime **runtime, const mrpc_runtime_options *options,
                                              mrpc_error *error);
MRPC_API mrpc_runtime *mrpc_runtime_ref(mrpc_runtime *runtime);
MRPC_API void mrpc_runtime_unref(mrpc_runtime *runtime);

/* A descriptor that is readable (level-triggered) when mrpc_runtime_poll() has something to do, timers included. Owned
 * by the runtime. Negative MRPC_E…: ESYS, ENOTSUP (simulated). */
MRPC_API MRPC_MUST_CHECK int mrpc_runtime_fd(mrpc_runtime *runtime);

/* Does what is ready and returns; waits up to timeout_ms for something when nothing is (0: do not wait, negative: no
 * limit). Returns how many events were handled (0: none came in time), or EDEADLK, EFORKED. Another thread that drives
 * is let do the work: then this one waits for it, within the timeout. */
MRPC_API int mrpc_runtime_poll(mrpc_runtime *runtime, int timeout_ms);

/* Makes one mrpc_runtime_poll() that waits, or the next one, return early. From any thread and from signal handlers. */
MRPC_API void mrpc_runtime_wake(mrpc_runtime *runtime);

/* The runtime's clock, ns; monotonic, or virtual when simulated. */
MRPC_API uint64_t mrpc_runtime_now(const mrpc_runtime *runtime);

/* Counters since the runtime was made. X(name, "help"). A snapshot; each is consistent in itself. */
#define MRPC_COUNTER_TABLE(X)                                                                                          \
    X(calls_started, "calls begun by this side")                                                                       \
    X(calls_accepted, "calls begun by peers")                                                                          \
    X(calls_ended, "calls that have ended, both sides")                                                                \
    X(calls_failed, "calls that ended with a status other than OK")                                                    \
    X(messages_sent, "messages handed to a transport")                                                                 \
    X(messages_received, "messages handed to the application")                                                         \
    X(bytes_sent, "bytes handed to a transport")                                                                       \
    X(bytes_received, "bytes taken from a transport")                                                                  \
    X(bytes_copied_out, "payload bytes copied in user space on the way out")                                           \
    X(bytes_copied_in, "payload bytes copied in user space on the way in")                                             \
    X(bytes_referenced, "payload bytes sent from where they lay")                                                      \
    X(system_calls_send, "send, sendmsg, ibv_post_send")                                                               \
    X(system_calls_receive, "recv")                                                                                    \
    X(system_calls_wait, "io_uring_enter, epoll_wait")                                                                 \
    X(wakeups_sent, "times another thread or process was woken")                                                       \
    X(connections_opened, "connections that were established")                                                         \
    X(connections_closed, "connections that have ended")                                                               \
    X(module_swaps, "marshal modules that were replaced")                                                              \
    X(allocations, "allocations outside message heaps: 0 per call in steady state")                                    \
    X(rdma_requests, "rdma: work requests that were posted")                                                           \
    X(rdma_signalled, "rdma: those of them that asked for a completion")                                               \
    X(rdma_registrations, "rdma: pieces of memory that were registered: 0 per call in steady state")                   \
    X(rdma_offers, "rdma: messages that were offered to the peer to be read from where they lie")                      \
    X(rdma_reads, "rdma: work requests that have read what peers offered")

typedef struct mrpc_counters {
    size_t size; /* sizeof(mrpc_counters) of the caller; set before the call */
#define MRPC_COUNTER_MEMBER(name, help) uint64_t name;
    MRPC_COUNTER_TABLE(MRPC_COUNTER_MEMBER)
#undef MRPC_COUNTER_MEMBER
} mrpc_counters;

MRPC_API void mrpc_runtime_get_counters(const mrpc_runtime *runtime, mrpc_counters *counters);

/* --- marshal modules --- */

/* What is known of one version of a marshal module. Strings are copies in the struct. */
typedef struct mrpc_module_info {
    char file[256]; /* the schema file */
    char path[256]; /* where it was loaded from; "" when linked in */
    char stamp[MRPC_STAMP_TEXT];
    mrpc_fingerprint fingerprint;
    uint32_t version;  /* counts up from 1 for each schema file */
    bool current;      /* new messages use it */
    uint64_t messages; /* that it has handled; 0 for a service module */
    uint64_t pause_ns; /* for which the engine did nothing else when it was put in place; 0: it was the first */
} mrpc_module_info;

/* Replaces the marshal module of the schema that the file belongs to, or the service module of its name, after all
 * checks of docs/ARCHITECTURE.md ("Upgrade"); blocks for as long as they take, may be called from any thread but not
 * from a handler; calls in flight go on, and the engine pauses only while a pointer changes. *now, which may be NULL,
 * is what is in place then, with the pause. On refusal the old module goes on and *error says why: EFORMAT, EMODULE,
 * EMISMATCH (fingerprint or ABI), EPERM (owner or mode of the file), EINVAL, ENOENT, ELIMIT, ENOMEM, ESYS; EDEADLK (in
 * a handler), EFORKED. */
MRPC_API MRPC_MUST_CHECK int mrpc_runtime_upgrade(mrpc_runtime *runtime, const char *path, mrpc_module_info *now,
                                                  mrpc_error *error);

/* Puts the version before the current one of `file` (a schema file's or a service module's name) back, and the current
 * one in its place: a second call undoes the first. *now as above. ENOENT: there is none; EDEADLK, EFORKED; for a
 * service module also the errors of an upgrade. */
MRPC_API MRPC_MUST_CHECK int mrpc_runtime_rollback(mrpc_runtime *runtime, const char *file, mrpc_module_info *now,
                                                   mrpc_error *error);

/* Fills up to `count` entries and returns how many there are in all. */
MRPC_API size_t mrpc_runtime_modules(mrpc_runtime *runtime, mrpc_module_info *modules, size_t count);

/* How many messages written by each peer's marshal build have been received, when stamps are on. Fills up to `count`
 * and returns how many builds there are in all (at most 64 are counted, the rest as "other"). */
typedef struct mrpc_stamp_count {
    char stamp[MRPC_STAMP_TEXT];
    uint64_t messages;
} mrpc_stamp_count;
MRPC_API size_t mrpc_runtime_stamps(mrpc_runtime *runtime, mrpc_stamp_count *stamps, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_RUNTIME_H */
