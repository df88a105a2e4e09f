/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_load.c - runs the threads of the load and adds up what they found */
#include "kv_load.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kv_load_worker.h"

enum { CORPUS_BYTES = 24 << 20, SWAP_LIMIT = 10000, AFTER_SWAP_NS = 20000000 };

void kv_load_complain(kv_load *load, const char *format, ...)
{
    if (load->faults++ >= SHOWN_FAULTS)
        return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "kv_client: %s\n", text);
}

/* --- the end --- */

static volatile sig_atomic_t told_to_stop;

static void stop(int number)
{
    (void)number;
    told_to_stop = 1;
}

bool kv_load_is_over(const kv_load *load)
{
    return told_to_stop || kv_now() >= load->end;
}

/* --- swaps --- */

typedef struct swap_window {
    uint64_t begin, end;
} swap_window;

/* The longest gap in each window around a swap, and in one of the same length without a swap; µs. */
typedef struct gap_samples {
    size_t swaps, count; /* all of them, and those that could be compared */
    uint64_t length;     /* of all windows around a swap, ns */
    uint32_t around[SWAP_LIMIT], without[SWAP_LIMIT];
} gap_samples;

static size_t read_swaps(const char *path, swap_window *windows, size_t limit)
{
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    size_t count = 0;
    if (file == NULL)
        return 0;
    while (count < limit && fscanf(file, "%" SCNu64 " %" SCNu64, &windows[count].begin, &windows[count].end) == 2)
        windows[count++].end += AFTER_SWAP_NS;
    fclose(file);
    return count;
}

static bool touches_swap(const swap_window *windows, size_t count, uint64_t begin, uint64_t end)
{
    for (size_t i = 0; i < count; i++)
        if (begin < windows[i].end && windows[i].begin < end)
            return true;
    return false;
}

/* Each swap is compared with the window of the same length that lies half-way to the next one. A swap whose other
 * window would touch a swap is left out on both sides: the same number of windows of the same lengths is compared. */
static void compare_gaps(const kv_timeline *timeline, const swap_window *windows, size_t count, uint64_t end,
                         gap_samples *samples)
{
    samples->swaps = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t length = windows[i].end - windows[i].begin, next = i + 1 < count ? windows[i + 1].begin : end;
        if (next < windows[i].end + length)
            continue;
        uint64_t begin = windows[i].end + (next - windows[i].end - length) / 2;
        if (touches_swap(windows, count, begin, begin + length))
            continue;
        samples->around[samples->count] = kv_timeline_gap(timeline, windows[i].begin, windows[i].end);
        samples->without[samples->count] = kv_timeline_gap(timeline, begin, begin + length);
        samples->length += length;
        samples->count++;
    }
}

/* --- threads --- */

typedef struct load_run {
    kv_load load;
    kv_corpus corpus;
    mrpc_runtime *runtime;
    mrpc_channel **channels;
    kv_load_worker *workers;
    kv_load_watcher watcher;
    unsigned worker_count, channel_count;
    bool watcher_started;
    unsigned workers_started;
} load_run;

static bool open_channels(load_run *run, const kv_load_options *options)
{
    mrpc_error error = {0};
    mrpc_runtime_options runtime = {.size = sizeof runtime};
    if (mrpc_runtime_new(&run->runtime, &runtime, &error) == 0) {
        mrpc_channel_options channel = {.size = sizeof channel, .runtime = run->runtime};
        while (run->channel_count < options->connections &&
               mrpc_channel_new(&run->channels[run->channel_count], options->address, &channel, &error) == 0)
            run->channel_count++;
        if (run->channel_count == options->connections && mrpc_channel_connect(run->channels[0], 10000, &error) == 0)
            return true;
    }
    fprintf(stderr, "kv_client: %s\n", mrpc_error_text(&error));
    return false;
}

static bool start_watcher(load_run *run)
{
    run->watcher = (kv_load_watcher){.load = &run->load, .channel = run->channels[0]};
    run->watcher_started = pthread_create(&run->watcher.thread, NULL, kv_load_watch, &run->watcher) == 0;
    while (run->watcher_started && !run->load.watching)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return run->watcher_started;
}

static bool start_workers(load_run *run)
{
    for (unsigned i = 0; i < run->worker_count; i++) {
        kv_load_worker *worker = &run->workers[i];
        worker->load = &run->load;
        worker->channel = run->channels[i % run->channel_count];
        worker->number = i;
        worker->dice = UINT64_C(0x9E3779B97F4A7C15) * (i + 1);
        if (pthread_create(&worker->thread, NULL, kv_load_work, worker) != 0)
            return false;
        run->workers_started++;
    }
    return true;
}

/* The watcher ends when it sees this key; when it cannot be told, its stream ends with its channel. */
static void end_watcher(load_run *run)
{
    kv_PutRequest request;
    kv_PutRequest_init(&request);
    request.key = (mrpc_bytes){(uint8_t *)KV_LOAD_LAST_KEY, strlen(KV_LOAD_LAST_KEY)};
    mrpc_status status = kv_Store_Put(run->channels[0], &request, NULL, MRPC_CALL_OPTIONS(.timeout_ms = 20000));
    if (status.code != MRPC_OK)
        kv_load_complain(&run->load, "cannot end the watch: %s: %s", mrpc_code_name(status.code), status.message);
    pthread_join(run->watcher.thread, NULL);
}

/* --- results --- */

typedef struct load_result {
    uint64_t calls, failed, wrong, changes, bytes;
    kv_histogram histogram;
    double seconds;
} load_result;

static void add_up(load_run *run, load_result *result)
{
    for (unsigned i = 0; i < run->workers_started; i++) {
        const kv_load_worker *worker = &run->workers[i];
        result->calls += worker->calls;
        result->failed += worker->failed;
        result->wrong += worker->wrong;
        result->changes += worker->changes;
        result->bytes += worker->bytes;
        kv_histogram_merge(&result->histogram, &worker->histogram);
    }
    result->failed += run->watcher.failed;
    result->wrong += run->watcher.wrong;
    if (result->failed == 0 && run->watcher.events != result->changes) {
        result->wrong++;
        kv_load_complain(&run->load, "Watch saw %" PRIu64 " changes of %" PRIu64, run->watcher.events, result->changes);
    }
}

static void print_stamps(FILE *out, mrpc_runtime *runtime)
{
    mrpc_stamp_count stamps[65];
    size_t count = mrpc_runtime_stamps(runtime, stamps, 65);
    for (size_t i = 0; i < count && i < 65; i++)
        fprintf(out, "stamp %s %" PRIu64 "\n", stamps[i].stamp[0] != '\0' ? stamps[i].stamp : "-", stamps[i].messages);
}

static bool write_report(const load_run *run, const load_result *result, const gap_samples *gaps, const char *path)
{
    FILE *out = path != NULL ? fopen(path, "we") : NULL;
    if (out == NULL)
        return path == NULL;
    fprintf(out, "calls %" PRIu64 "\nfailed %" PRIu64 "\nwrong %" PRIu64 "\nrate %.0f\n", result->calls, result->failed,
            result->wrong, (double)result->calls / result->seconds);
    fprintf(out, "p50_us %.1f\np99_us %.1f\np999_us %.1f\n",
            (double)kv_histogram_quantile(&result->histogram, 0.5) / 1000,
            (double)kv_histogram_quantile(&result->histogram, 0.99) / 1000,
            (double)kv_histogram_quantile(&result->histogram, 0.999) / 1000);
    fprintf(out, "watched %" PRIu64 "\nmegabytes %.0f\nswaps %zu\ngap_windows %zu\n", run->watcher.events,
            (double)result->bytes / 1e6, gaps->swaps, gaps->count);
    fprintf(out, "gap_window_ms %.0f\n", gaps->count > 0 ? (double)gaps->length / (double)gaps->count / 1e6 : 0);
    for (size_t i = 0; i < gaps->count; i++)
        fprintf(out, "gap_us %u %u\n", gaps->around[i], gaps->without[i]);
    print_stamps(out, run->runtime);
    return fclose(out) == 0;
}

static int conclude(load_run *run, const kv_load_options *options)
{
    load_result *result = calloc(1, sizeof *result);
    swap_window *windows = calloc(SWAP_LIMIT, sizeof *windows);
    gap_samples *gaps = calloc(1, sizeof *gaps);
    int status = 1;
    if (result != NULL && windows != NULL && gaps != NULL) {
        uint64_t end = kv_now();
        result->seconds = (double)(end - run->load.timeline->start) / 1e9;
        add_up(run, result);
        size_t count = read_swaps(options->swaps, windows, SWAP_LIMIT);
        compare_gaps(run->load.timeline, windows, count, end, gaps);
        printf("%" PRIu64 " calls, %" PRIu64 " failed, %" PRIu64
               " wrong, %.0f calls/s, %.0f MB/s, p50 %.1f us, p99 %.1f us, %" PRIu64 " changes watched\n",
               result->calls, result->failed, result->wrong, (double)result->calls / result->seconds,
               (double)result->bytes / 1e6 / result->seconds,
               (double)kv_histogram_quantile(&result->histogram, 0.5) / 1000,
               (double)kv_histogram_quantile(&result->histogram, 0.99) / 1000, run->watcher.events);
        bool written = write_report(run, result, gaps, options->report);
        if (!written)
            fprintf(stderr, "kv_client: cannot write %s\n", options->report);
        status = result->failed != 0 || result->wrong != 0 || !written;
    }
    free(gaps);
    free(windows);
    free(result);
    return status;
}

/* Closes what there is, in reverse order. */
static void close_run(load_run *run)
{
    for (unsigned i = 0; i < run->channel_count; i++)
        mrpc_channel_close(run->channels[i]);
    mrpc_runtime_unref(run->runtime);
    free(run->load.timeline);
    free(run->workers);
    free(run->channels);
    kv_corpus_free(&run->corpus);
}

static int carry_out(load_run *run, const kv_load_options *options)
{
    if (!open_channels(run, options) || !start_watcher(run))
        return 1;
    run->load.timeline->start = kv_now();
    run->load.timeline->last = run->load.timeline->start;
    run->load.end = run->load.timeline->start + (uint64_t)(options->seconds * 1e9);
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    bool started = start_workers(run);
    for (unsigned i = 0; i < run->workers_started; i++)
        pthread_join(run->workers[i].thread, NULL);
    end_watcher(run);
    int status = conclude(run, options);
    return started ? status : 1;
}

int kv_load_run(const kv_load_options *options)
{
    load_run run = {.worker_count = options->workers};
    if (!kv_corpus_read(&run.corpus, options->folder, CORPUS_BYTES))
        return 1;
    run.load.corpus = &run.corpus;
    run.load.timeline = kv_timeline_new(options->seconds + 30);
    run.workers = calloc(options->workers, sizeof run.workers[0]);
    run.channels = calloc(options->connections, sizeof run.channels[0]);
    int status = 1;
    if (run.load.timeline != NULL && run.workers != NULL && run.channels != NULL)
        status = carry_out(&run, options);
    else
        fputs("kv_client: no memory\n", stderr);
    close_run(&run);
    return status;
}
