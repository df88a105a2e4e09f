/* SPDX-License-Identifier: BSD-2-Clause */
/* test_loop.c - a loop runs what is ready and sleeps otherwise, with either poller and whichever thread drives */
#include "config.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "transports/loop/backend.h"
#include "transports/loop/loop.h"

enum { MS = 1000000 };

typedef struct fixture {
    mrpc_poller poller;
    mrpc_loop *loop;
    int pair[2];
} fixture;

typedef struct counted_watch {
    mrpc_watch watch;
    mrpc_loop *loop;
    mrpc_watch *victim; /* removed by `ready` */
    uint32_t events;
    int count;
} counted_watch;

static void count_ready(mrpc_watch *watch, uint32_t events)
{
    counted_watch *counted = (counted_watch *)watch;
    counted->events |= events;
    counted->count++;
    if (counted->victim != NULL)
        mrpc_loop_remove(counted->loop, counted->victim);
}

typedef struct counted_timer {
    mrpc_timer timer;
    mrpc_loop *loop;
    int count;
    int restarts;
} counted_timer;

static void count_expired(mrpc_timer *timer)
{
    counted_timer *counted = (counted_timer *)timer;
    counted->count++;
    if (counted->restarts-- > 0)
        assert_int_equal(mrpc_loop_start(counted->loop, timer, 0), 0);
}

static void make_loop(fixture *f)
{
    mrpc_error error = {0};
    if (mrpc_loop_new(&f->loop, f->poller, 0, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, f->pair), 0);
}

static int setup(void **state)
{
    static fixture fixtures[2];
    fixture *f = &fixtures[*state != NULL];
    f->poller = *state != NULL ? MRPC_POLLER_EPOLL : MRPC_POLLER_IO_URING;
    make_loop(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    mrpc_loop_free(f->loop);
    close(f->pair[0]);
    close(f->pair[1]);
    return 0;
}

static void write_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

/* Runs what is ready until nothing is. */
static void drain(mrpc_loop *loop)
{
    for (int i = 0; i < 100 && mrpc_loop_run(loop, 0) > 0; i++)
        ;
}

/* The other end of time, far enough for any machine, so that a lost event is a failure and not a hang. */
static uint64_t soon(mrpc_loop *loop)
{
    return mrpc_loop_now(loop) + UINT64_C(20000) * MS;
}

static void run_until(mrpc_loop *loop, const int *count, int wanted)
{
    uint64_t until = soon(loop);
    while (*count < wanted && mrpc_loop_now(loop) < until)
        assert_true(mrpc_loop_run(loop, until) >= 0);
    assert_true(*count >= wanted);
}

static void poller_is_the_one_that_was_asked_for(void **state)
{
    fixture *f = *state;
    assert_int_equal(mrpc_loop_poller(f->loop), f->poller);
}

static void each_arrival_is_an_edge(void **state)
{
    fixture *f = *state;
    counted_watch watch = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    assert_int_equal(mrpc_loop_add(f->loop, &watch.watch), 0);
    drain(f->loop);
    assert_true(watch.events & LOOP_OUT);
    for (int i = 0; i < 5; i++) {
        watch.count = 0;
        watch.events = 0;
        write_byte(f->pair[1]); /* not read: the next one is an edge nevertheless */
        run_until(f->loop, &watch.count, 1);
        assert_true(watch.events & LOOP_IN);
        drain(f->loop);
        watch.count = 0;
        assert_int_equal(mrpc_loop_run(f->loop, 0), 0);
        assert_int_equal(watch.count, 0);
    }
    mrpc_loop_remove(f->loop, &watch.watch);
}

static void hangup_is_seen(void **state)
{
    fixture *f = *state;
    counted_watch watch = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    assert_int_equal(mrpc_loop_add(f->loop, &watch.watch), 0);
    drain(f->loop);
    watch.count = 0;
    assert_int_equal(shutdown(f->pair[1], SHUT_RDWR), 0);
    run_until(f->loop, &watch.count, 1);
    assert_true(watch.events & LOOP_HANGUP);
    assert_true(watch.events & LOOP_IN);
    mrpc_loop_remove(f->loop, &watch.watch);
}

static void writable_again_is_an_edge(void **state)
{
    fixture *f = *state;
    char buffer[65536] = {0};
    counted_watch watch = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    assert_int_equal(mrpc_loop_add(f->loop, &watch.watch), 0);
    while (write(f->pair[0], buffer, sizeof buffer) > 0)
        ;
    drain(f->loop);
    watch.events = 0;
    watch.count = 0;
    while (read(f->pair[1], buffer, sizeof buffer) > 0)
        ;
    run_until(f->loop, &watch.count, 1);
    assert_true(watch.events & LOOP_OUT);
    mrpc_loop_remove(f->loop, &watch.watch);
}

/* Whoever is dispatched first removes the other, whose event was in the same batch. */
static void removed_watch_is_not_run(void **state)
{
    fixture *f = *state;
    counted_watch first = {.watch = {.ready = count_ready, .fd = f->pair[0]}, .loop = f->loop};
    counted_watch second = {.watch = {.ready = count_ready, .fd = f->pair[1]}, .loop = f->loop};
    assert_int_equal(mrpc_loop_add(f->loop, &first.watch), 0);
    assert_int_equal(mrpc_loop_add(f->loop, &second.watch), 0);
    drain(f->loop);
    first.count = second.count = 0;
    first.victim = &second.watch;
    second.victim = &first.watch;
    write_byte(f->pair[0]);
    write_byte(f->pair[1]);
    while (first.count + second.count == 0)
        assert_true(mrpc_loop_run(f->loop, soon(f->loop)) >= 0);
    drain(f->loop);
    assert_int_equal(first.count == 0 || second.count == 0, 1);
    mrpc_loop_remove(f->loop, first.count != 0 ? &first.watch : &second.watch);
}

/* The new watch gets the slot of the old one, and must not get its event. */
static void event_of_a_removed_watch_is_not_given_to_its_successor(void **state)
{
    fixture *f = *state;
    int other[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, other), 0);
    counted_watch old = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    assert_int_equal(mrpc_loop_add(f->loop, &old.watch), 0);
    drain(f->loop);
    write_byte(f->pair[1]);
    mrpc_loop_remove(f->loop, &old.watch);
    counted_watch successor = {.watch = {.ready = count_ready, .fd = other[0]}};
    assert_int_equal(mrpc_loop_add(f->loop, &successor.watch), 0);
    drain(f->loop);
    assert_false(successor.events & LOOP_IN);
    mrpc_loop_remove(f->loop, &successor.watch);
    close(other[0]);
    close(other[1]);
}

static void removed_descriptor_is_really_closed(void **state)
{
    fixture *f = *state;
    counted_watch watch = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    assert_int_equal(mrpc_loop_add(f->loop, &watch.watch), 0);
    drain(f->loop);
    mrpc_loop_remove(f->loop, &watch.watch);
    close(f->pair[0]);
    f->pair[0] = dup(f->pair[1]);
    /* Without another run of the loop the peer sees the end. */
    struct pollfd polled = {.fd = f->pair[1], .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 20000), 1);
    char byte;
    assert_int_equal(read(f->pair[1], &byte, 1), 0);
}

static void many_descriptors_are_watched(void **state)
{
    enum { MANY = 300 };
    fixture *f = *state;
    static counted_watch watches[MANY];
    static int pairs[MANY][2];
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pairs[i]), 0);
        watches[i] = (counted_watch){.watch = {.ready = count_ready, .fd = pairs[i][0]}};
        assert_int_equal(mrpc_loop_add(f->loop, &watches[i].watch), 0);
    }
    drain(f->loop);
    for (int i = 0; i < MANY; i++) {
        watches[i].count = 0;
        write_byte(pairs[i][1]);
    }
    for (int i = 0; i < MANY; i++)
        run_until(f->loop, &watches[i].count, 1);
    for (int i = 0; i < MANY; i++) {
        mrpc_loop_remove(f->loop, &watches[i].watch);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
}

/* --- timers --- */

static void timer_expires_once_and_not_early(void **state)
{
    fixture *f = *state;
    counted_timer timer = {.timer = {.expired = count_expired}};
    uint64_t at = mrpc_loop_now(f->loop) + 3 * MS;
    assert_int_equal(mrpc_loop_start(f->loop, &timer.timer, at), 0);
    assert_int_equal(mrpc_loop_next(f->loop), at);
    run_until(f->loop, &timer.count, 1);
    assert_true(mrpc_loop_now(f->loop) >= at);
    assert_int_equal(timer.timer.place, 0);
    assert_int_equal(mrpc_loop_next(f->loop), UINT64_MAX);
    drain(f->loop);
    assert_int_equal(timer.count, 1);
}

static void stopped_timer_does_not_expire(void **state)
{
    fixture *f = *state;
    counted_timer stopped = {.timer = {.expired = count_expired}}, other = {.timer = {.expired = count_expired}};
    uint64_t now = mrpc_loop_now(f->loop);
    assert_int_equal(mrpc_loop_start(f->loop, &stopped.timer, now), 0);
    assert_int_equal(mrpc_loop_start(f->loop, &other.timer, now + MS), 0);
    mrpc_loop_stop(f->loop, &stopped.timer);
    mrpc_loop_stop(f->loop, &stopped.timer); /* no harm */
    run_until(f->loop, &other.count, 1);
    assert_int_equal(stopped.count, 0);
}

static void timer_that_restarts_itself_does_not_hold_the_loop(void **state)
{
    fixture *f = *state;
    counted_timer timer = {.timer = {.expired = count_expired}, .loop = f->loop, .restarts = 1000};
    drain(f->loop);
    assert_int_equal(mrpc_loop_start(f->loop, &timer.timer, 0), 0);
    assert_int_equal(mrpc_loop_run(f->loop, 0), 1);
    assert_int_equal(timer.count, 1);
    mrpc_loop_stop(f->loop, &timer.timer);
}

static void sleep_ends_at_its_time(void **state)
{
    fixture *f = *state;
    uint64_t until = mrpc_loop_now(f->loop) + 2 * MS;
    do
        assert_true(mrpc_loop_run(f->loop, until) >= 0);
    while (mrpc_loop_now(f->loop) < until);
}

static void peeking_an_idle_loop_needs_at_most_one_system_call(void **state)
{
    fixture *f = *state;
    counted_watch watch = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    assert_int_equal(mrpc_loop_add(f->loop, &watch.watch), 0);
    drain(f->loop);
    mrpc_loop_counters before, after;
    mrpc_loop_get_counters(f->loop, &before);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(mrpc_loop_run(f->loop, 0), 0);
    mrpc_loop_get_counters(f->loop, &after);
    assert_int_equal(after.waits - before.waits, f->poller == MRPC_POLLER_IO_URING ? 0 : 1000);
    mrpc_loop_remove(f->loop, &watch.watch);
}

/* --- waking --- */

static void wake_before_a_sleep_ends_it(void **state)
{
    fixture *f = *state;
    drain(f->loop);
    uint64_t until = soon(f->loop);
    mrpc_loop_wake(f->loop);
    mrpc_loop_wake(f->loop);
    assert_true(mrpc_loop_run(f->loop, until) >= 0);
    assert_true(mrpc_loop_now(f->loop) < until);
    mrpc_loop_counters counters;
    mrpc_loop_get_counters(f->loop, &counters);
    assert_int_equal(counters.wakeups, 1);
}

typedef struct waker {
    mrpc_loop *loop;
    _Atomic int turn; /* odd: the waker's */
} waker;

static void *wake_in_turn(void *argument)
{
    waker *w = argument;
    for (int turn = 1; turn < 2000; turn += 2) {
        while (atomic_load(&w->turn) != turn)
            sched_yield();
        atomic_store(&w->turn, turn + 1);
        mrpc_loop_wake(w->loop);
    }
    return NULL;
}

static void no_wake_from_another_thread_is_lost(void **state)
{
    fixture *f = *state;
    waker w = {.loop = f->loop};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_in_turn, &w), 0);
    uint64_t until = soon(f->loop);
    for (int turn = 1; turn < 2000; turn += 2) {
        atomic_store(&w.turn, turn);
        while (atomic_load(&w.turn) != turn + 1) {
            assert_true(mrpc_loop_run(f->loop, until) >= 0);
            assert_true(mrpc_loop_now(f->loop) < until);
        }
    }
    pthread_join(thread, NULL);
}

/* --- the exported descriptor --- */

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return poll(&polled, 1, timeout_ms) == 1;
}

static void descriptor_tells_of_arrivals(void **state)
{
    fixture *f = *state;
    counted_watch watch = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    assert_int_equal(mrpc_loop_add(f->loop, &watch.watch), 0);
    int fd = mrpc_loop_fd(f->loop);
    assert_true(fd >= 0);
    assert_int_equal(mrpc_loop_fd(f->loop), fd);
    drain(f->loop);
    for (int i = 0; i < 3; i++) {
        assert_false(is_readable(fd, 0));
        watch.count = 0;
        write_byte(f->pair[1]);
        assert_true(is_readable(fd, 20000));
        run_until(f->loop, &watch.count, 1);
        drain(f->loop);
    }
    mrpc_loop_remove(f->loop, &watch.watch);
}

static void descriptor_tells_of_what_is_added_later(void **state)
{
    fixture *f = *state;
    int fd = mrpc_loop_fd(f->loop);
    drain(f->loop);
    write_byte(f->pair[1]);
    counted_watch watch = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    assert_int_equal(mrpc_loop_add(f->loop, &watch.watch), 0);
    assert_true(is_readable(fd, 20000));
    drain(f->loop);
    assert_true(watch.events & LOOP_IN);
    mrpc_loop_remove(f->loop, &watch.watch);
}

static void descriptor_tells_of_timers_and_wakes(void **state)
{
    fixture *f = *state;
    int fd = mrpc_loop_fd(f->loop);
    drain(f->loop);
    counted_timer timer = {.timer = {.expired = count_expired}};
    assert_int_equal(mrpc_loop_start(f->loop, &timer.timer, mrpc_loop_now(f->loop) + MS), 0);
    assert_true(is_readable(fd, 20000));
    run_until(f->loop, &timer.count, 1);
    assert_false(is_readable(fd, 0));
    assert_int_equal(mrpc_loop_start(f->loop, &timer.timer, 0), 0);
    assert_true(is_readable(fd, 20000));
    run_until(f->loop, &timer.count, 2);
    mrpc_loop_wake(f->loop);
    assert_true(is_readable(fd, 20000));
    drain(f->loop);
    assert_false(is_readable(fd, 0));
}

/* --- threads that take turns --- */

typedef struct turn {
    fixture *f;
    counted_watch *watch;
    int runs;
} turn;

static void *drive(void *argument)
{
    turn *t = argument;
    for (int i = 0; i < t->runs; i++) {
        t->watch->count = 0;
        write_byte(t->f->pair[1]);
        run_until(t->f->loop, &t->watch->count, 1);
        drain(t->f->loop);
        char byte;
        assert_int_equal(read(t->f->pair[0], &byte, 1), 1);
    }
    return NULL;
}

static void drive_on_a_thread(turn *t)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drive, t), 0);
    pthread_join(thread, NULL);
}

/* The threads end in between, and the kernel drops what they had asked of a ring; the handle of one may be reused for
 * the next. */
static void driver_may_change(void **state)
{
    fixture *f = *state;
    counted_watch watch = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    turn t = {f, &watch, 10};
    assert_int_equal(mrpc_loop_add(f->loop, &watch.watch), 0);
    int fd = mrpc_loop_fd(f->loop);
    for (int round = 0; round < 4; round++) {
        drive_on_a_thread(&t);
        drive(&t);
        assert_false(is_readable(fd, 0));
        watch.count = 0;
        write_byte(f->pair[1]);
        assert_true(is_readable(fd, 20000));
        run_until(f->loop, &watch.count, 1);
        drain(f->loop);
    }
    mrpc_loop_remove(f->loop, &watch.watch);
}

static void loop_takes_its_own_poller_again_when_one_thread_stays(void **state)
{
    fixture *f = *state;
    counted_watch watch = {.watch = {.ready = count_ready, .fd = f->pair[0]}};
    turn t = {f, &watch, 1};
    assert_int_equal(mrpc_loop_add(f->loop, &watch.watch), 0);
    drive(&t);
    assert_int_equal(f->loop->backend->poller, f->poller);
    drive_on_a_thread(&t);
    assert_int_equal(f->loop->backend->poller, MRPC_POLLER_EPOLL);
    t.runs = 1000;
    drive(&t);
    assert_int_equal(f->loop->backend->poller, f->poller);
    mrpc_loop_remove(f->loop, &watch.watch);
}

static void unknown_poller_is_an_error(void **state)
{
    (void)state;
    mrpc_loop *loop;
    mrpc_error error;
    assert_int_equal(mrpc_loop_new(&loop, (mrpc_poller)17, 0, &error), MRPC_EINVAL);
    assert_non_null(strstr(mrpc_error_text(&error), "17"));
}

static void auto_takes_one_of_them(void **state)
{
    (void)state;
    mrpc_loop *loop;
    assert_int_equal(mrpc_loop_new(&loop, MRPC_POLLER_AUTO, 0, NULL), 0);
    assert_true(mrpc_loop_poller(loop) == MRPC_POLLER_IO_URING || mrpc_loop_poller(loop) == MRPC_POLLER_EPOLL);
    mrpc_loop_free(loop);
}

/* Two threads that make, use and free a loop in turn. Nothing but `whose` orders them, which ThreadSanitizer does not
 * take for an order; each has the memory that the kernel took from the other a moment ago. */
enum { TURNS = 20 };
static _Atomic int whose;

static void *make_loops_in_turn(void *argument)
{
    int parity = *(int *)argument, failures = 0;
    for (int round = parity; round < TURNS; round += 2) {
        mrpc_loop *loop;
        while (atomic_load_explicit(&whose, memory_order_relaxed) != round)
            sched_yield();
        if (mrpc_loop_new(&loop, MRPC_POLLER_AUTO, 0, NULL) == 0) {
            mrpc_loop_wake(loop);
            failures += mrpc_loop_run(loop, 0) < 0 || mrpc_loop_run(loop, 0) < 0;
            mrpc_loop_free(loop);
        } else {
            failures++;
        }
        atomic_store_explicit(&whose, round + 1, memory_order_relaxed);
    }
    return failures == 0 ? NULL : argument;
}

static void loops_of_two_threads_may_have_the_same_memory(void **state)
{
    (void)state;
    int parities[2] = {0, 1};
    pthread_t other;
    void *failed;
    assert_int_equal(pthread_create(&other, NULL, make_loops_in_turn, &parities[1]), 0);
    assert_null(make_loops_in_turn(&parities[0]));
    assert_int_equal(pthread_join(other, &failed), 0);
    assert_null(failed);
}

/* What a container's filter or sysctl kernel.io_uring_disabled does. */
static int forbid_io_uring(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0;
}

static int try_without_io_uring(void)
{
    mrpc_loop *loop;
    mrpc_error error = {0};
    if (forbid_io_uring() != 0)
        return 1;
    if (mrpc_loop_new(&loop, MRPC_POLLER_IO_URING, 0, &error) != MRPC_ENOTSUP)
        return 2;
    if (error.code != MRPC_ENOTSUP || strstr(error.text, "epoll") == NULL)
        return 3;
    if (mrpc_loop_new(&loop, MRPC_POLLER_AUTO, 0, &error) != 0 || mrpc_loop_poller(loop) != MRPC_POLLER_EPOLL)
        return 4;
    mrpc_loop_free(loop);
    return 0;
}

static void forbidden_io_uring_is_refused_and_auto_takes_epoll(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(try_without_io_uring());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define EPOLL_TEST(test)                                                                                               \
    {                                                                                                                  \
        "epoll: " #test, test, setup, teardown, (void *)1                                                              \
    }
#ifdef HAVE_LIBURING
#define BOTH(test) {"io_uring: " #test, test, setup, teardown, NULL}, EPOLL_TEST(test)
#else
#define BOTH(test) EPOLL_TEST(test)
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(poller_is_the_one_that_was_asked_for),
        BOTH(each_arrival_is_an_edge),
        BOTH(hangup_is_seen),
        BOTH(writable_again_is_an_edge),
        BOTH(removed_watch_is_not_run),
        BOTH(event_of_a_removed_watch_is_not_given_to_its_successor),
        BOTH(removed_descriptor_is_really_closed),
        BOTH(many_descriptors_are_watched),
        BOTH(timer_expires_once_and_not_early),
        BOTH(stopped_timer_does_not_expire),
        BOTH(timer_that_restarts_itself_does_not_hold_the_loop),
        BOTH(sleep_ends_at_its_time),
        BOTH(peeking_an_idle_loop_needs_at_most_one_system_call),
        BOTH(wake_before_a_sleep_ends_it),
        BOTH(no_wake_from_another_thread_is_lost),
        BOTH(descriptor_tells_of_arrivals),
        BOTH(descriptor_tells_of_what_is_added_later),
        BOTH(descriptor_tells_of_timers_and_wakes),
        BOTH(driver_may_change),
        BOTH(loop_takes_its_own_poller_again_when_one_thread_stays),
        cmocka_unit_test(unknown_poller_is_an_error),
        cmocka_unit_test(auto_takes_one_of_them),
        cmocka_unit_test(loops_of_two_threads_may_have_the_same_memory),
        cmocka_unit_test(forbidden_io_uring_is_refused_and_auto_takes_epoll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
