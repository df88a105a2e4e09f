/* SPDX-License-Identifier: BSD-2-Clause */
/* queue.c - completion queues */
#include "config.h"

#include "runtime/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/runtime.h"

enum { CAPACITY_LIMIT = 1 << 20 };

typedef struct cell {
    _Atomic uint64_t sequence; /* position + 1 when it holds the event of that position */
    _Atomic(void *) tag;
    mrpc_unary_result *result; /* for an event that nobody takes */
} cell;

struct mrpc_queue {
    mrpc_runtime *runtime;
    cell *cells;
    uint32_t capacity;
    uint64_t mask;
    uint64_t tail; /* the driver's */
    _Atomic uint64_t head;
    _Atomic uint32_t reserved; /* operations in flight, and events that were not taken */
    mrpc_waiter *waiters;
    _Atomic bool signalled;         /* event_fd is readable */
    _Atomic int event_fd, epoll_fd; /* -1 until the descriptor is asked for */
    bool quiet;                     /* the driver is in mrpc_queue_next() of this queue, and takes events itself */
    bool released;
};

mrpc_runtime *mrpc_queue_runtime(const mrpc_queue *queue)
{
    return queue->runtime;
}

int mrpc_queue_new(mrpc_queue **queue, mrpc_runtime *runtime, uint32_t capacity, mrpc_error *error)
{
    *queue = NULL;
    if (runtime == NULL || capacity == 0 || capacity > CAPACITY_LIMIT)
        return mrpc_error_set(error, MRPC_EINVAL, "a queue needs a runtime and room for 1 to %d operations",
                              CAPACITY_LIMIT);
    uint64_t slots = 1;
    while (slots < capacity)
        slots *= 2;
    mrpc_queue *fresh = calloc(1, sizeof *fresh);
    cell *cells = calloc(slots, sizeof *cells);
    if (fresh == NULL || cells == NULL) {
        free(fresh);
        free(cells);
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for a queue of %u operations", capacity);
    }
    fresh->runtime = mrpc_runtime_ref(runtime);
    fresh->cells = cells;
    fresh->capacity = capacity;
    fresh->mask = slots - 1;
    atomic_init(&fresh->event_fd, -1);
    atomic_init(&fresh->epoll_fd, -1);
    *queue = fresh;
    return 0;
}

bool mrpc_queue_reserve(mrpc_queue *queue)
{
    if (atomic_fetch_add(&queue->reserved, 1) < queue->capacity)
        return true;
    atomic_fetch_sub(&queue->reserved, 1);
    return false;
}

void mrpc_queue_give_back(mrpc_queue *queue)
{
    atomic_fetch_sub(&queue->reserved, 1);
}

/* --- putting and taking --- */

bool mrpc_queue_has_events(const mrpc_queue *queue)
{
    uint64_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    return atomic_load_explicit(&queue->cells[head & queue->mask].sequence, memory_order_acquire) == head + 1;
}

static void signal_descriptor(mrpc_queue *queue)
{
    int fd = atomic_load(&queue->event_fd);
    if (fd < 0 || atomic_exchange(&queue->signalled, true))
        return;
    const uint64_t one = 1;
    (void)!write(fd, &one, sizeof one);
}

/* Nothing is to be taken as far as the caller saw; what came meanwhile makes the descriptor readable again. It is read
 * before the flag falls: who sees the flag up does not write, and whose event came before it fell is seen below. The
 * other way round the read could take what was written for an event behind a flag that stays up for ever. */
static void clear_descriptor(mrpc_queue *queue)
{
    int fd = atomic_load(&queue->event_fd);
    if (fd < 0)
        return;
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
    (void)atomic_exchange(&queue->signalled, false);
    if (mrpc_queue_has_events(queue))
        signal_descriptor(queue);
}

static bool take(mrpc_queue *queue, void **tag, mrpc_unary_result **result)
{
    uint64_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    for (;;) {
        cell *first = &queue->cells[head & queue->mask];
        if (atomic_load_explicit(&first->sequence, memory_order_acquire) != head + 1)
            return false;
        void *found = atomic_load_explicit(&first->tag, memory_order_relaxed);
        if (result != NULL)
            *result = first->result;
        if (atomic_compare_exchange_weak(&queue->head, &head, head + 1)) {
            *tag = found;
            atomic_fetch_sub(&queue->reserved, 1);
            return true;
        }
    }
}

static void free_queue(mrpc_queue *queue)
{
    if (atomic_load(&queue->epoll_fd) >= 0)
        (void)close(atomic_load(&queue->epoll_fd));
    if (atomic_load(&queue->event_fd) >= 0)
        (void)close(atomic_load(&queue->event_fd));
    free(queue->cells);
    free(queue);
}

void mrpc_queue_put(mrpc_queue *queue, void *tag, mrpc_unary_result *result, const mrpc_status *status,
                    const void *reply)
{
    mrpc_engine *engine = &queue->runtime->engine;
    if (queue->released) {
        mrpc_release(reply);
        if (atomic_fetch_sub(&queue->reserved, 1) == 1) {
            engine->drops++;
            free_queue(queue);
        }
        return;
    }
    result->status = *status;
    result->reply = reply;
    cell *last = &queue->cells[queue->tail & queue->mask];
    atomic_store_explicit(&last->tag, tag, memory_order_relaxed);
    last->result = result;
    atomic_store_explicit(&last->sequence, ++queue->tail, memory_order_release);
    if (queue->waiters != NULL)
        mrpc_engine_complete(engine, queue->waiters);
    else if (!queue->quiet)
        signal_descriptor(queue);
}

/* --- waiting --- */

typedef struct queue_wait {
    mrpc_waiter waiter; /* first */
    mrpc_queue *queue;
} queue_wait;

static void begin_wait(mrpc_engine *engine, mrpc_waiter *waiter)
{
    mrpc_queue *queue = ((queue_wait *)waiter)->queue;
    if (mrpc_queue_has_events(queue))
        mrpc_engine_complete(engine, waiter);
    else
        mrpc_waiter_expect(waiter, &queue->waiters);
}

static int wait_for_event(mrpc_queue *queue, uint64_t until)
{
    queue_wait wait = {.waiter.begin = begin_wait, .waiter.until = until, .queue = queue};
    int result = mrpc_engine_wait(&queue->runtime->engine, &wait.waiter);
    return result != 0 ? result : wait.waiter.result;
}

/* Does what is ready, when nobody else does. */
static void do_ready(mrpc_queue *queue)
{
    mrpc_engine *engine = &queue->runtime->engine;
    if (!mrpc_engine_enter(engine))
        return;
    queue->quiet = true;
    mrpc_engine_turn(engine, false);
    queue->quiet = false;
    mrpc_engine_leave(engine, true);
}

static int taken(mrpc_queue *queue)
{
    if (mrpc_queue_has_events(queue))
        signal_descriptor(queue);
    return 1;
}

int mrpc_queue_next(mrpc_queue *queue, void **tag, int timeout_ms)
{
    mrpc_engine *engine = &queue->runtime->engine;
    if (mrpc_engine_forked(engine))
        return MRPC_EFORKED;
    if (take(queue, tag, NULL))
        return taken(queue);
    if (mrpc_engine_inside(engine))
        return MRPC_EDEADLK;
    do_ready(queue);
    if (take(queue, tag, NULL))
        return taken(queue);
    uint64_t until = timeout_ms == 0 ? 0 : mrpc_engine_deadline(engine, timeout_ms);
    while (timeout_ms != 0) {
        int result = wait_for_event(queue, until);
        if (take(queue, tag, NULL))
            return taken(queue);
        if (result == MRPC_ETIMEDOUT)
            break;
        if (result != 0)
            return result;
    }
    clear_descriptor(queue);
    return 0;
}

/* --- the descriptor --- */

static int watch(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : MRPC_ESYS;
}

typedef struct fd_request {
    mrpc_queue *queue;
    int result;
} fd_request;

static int open_descriptor(mrpc_queue *queue, int loop_fd)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC), event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_fd < 0 || event_fd < 0 || watch(epoll_fd, loop_fd) != 0 || watch(epoll_fd, event_fd) != 0) {
        if (epoll_fd >= 0)
            (void)close(epoll_fd);
        if (event_fd >= 0)
            (void)close(event_fd);
        return MRPC_ESYS;
    }
    atomic_store(&queue->epoll_fd, epoll_fd);
    atomic_store(&queue->event_fd, event_fd);
    if (mrpc_queue_has_events(queue))
        signal_descriptor(queue);
    return epoll_fd;
}

static void make_descriptor(void *argument)
{
    fd_request *request = argument;
    request->result = atomic_load(&request->queue->epoll_fd);
    if (request->result >= 0)
        return;
    request->result = mrpc_runtime_fd(request->queue->runtime);
    if (request->result >= 0)
        request->result = open_descriptor(request->queue, request->result);
}

int mrpc_queue_fd(mrpc_queue *queue)
{
    int known = atomic_load(&queue->epoll_fd);
    if (known >= 0)
        return known;
    fd_request request = {.queue = queue};
    int result = mrpc_engine_run_exclusive(&queue->runtime->engine, make_descriptor, &request);
    return result != 0 ? result : request.result;
}

/* --- freeing --- */

static void release_queue(void *argument)
{
    mrpc_queue *queue = argument;
    void *tag;
    mrpc_unary_result *result;
    while (take(queue, &tag, &result)) {
        mrpc_release(result->reply);
        result->reply = NULL;
    }
    queue->released = true;
    if (atomic_load(&queue->reserved) > 0)
        return;
    queue->runtime->engine.drops++;
    free_queue(queue);
}

void mrpc_queue_free(mrpc_queue *queue)
{
    if (queue != NULL)
        (void)!mrpc_engine_run_exclusive(&queue->runtime->engine, release_queue, queue);
}
