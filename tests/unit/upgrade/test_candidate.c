/* SPDX-License-Identifier: BSD-2-Clause */
/* test_candidate.c - every kind of bad module is refused with a reason that says what is wrong, and harms nobody */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/upgrade/build.h"
#include "upgrade/candidate.h"
#include "upgrade/library.h"
#include "upgrade/table.h"

static const mrpc_fingerprint fingerprint = {0x1111, 0x2222};

/* Short, so that endless candidates end soon: those that compute, at low priority, and those that sleep. */
static const mrpc_trial_limits endless = {.wall_ms = 20000, .cpu_s = 1};
static const mrpc_trial_limits asleep = {.wall_ms = 1500};

static int check(const char *path, const mrpc_trial_limits *limits, mrpc_error *error)
{
    mrpc_candidate candidate;
    int result = mrpc_candidate_open(&candidate, path, error);
    if (result == 0)
        result = mrpc_candidate_compare(&candidate, &fingerprint, error);
    if (result == 0)
        result = mrpc_candidate_test(&candidate, limits, error);
    mrpc_candidate_close(&candidate);
    return result;
}

static void is_refused_within(const mrpc_trial_limits *limits, const char *path, int code, const char *words)
{
    mrpc_error error = {0};
    int result = check(path, limits, &error);
    if (result != code || strstr(error.text, words) == NULL)
        fail_msg("%d \"%s\" instead of %d \"%s\"", result, mrpc_error_text(&error), code, words);
    if (strstr(error.text, path) == NULL)
        fail_msg("\"%s\" does not name %s", error.text, path);
}

static void is_refused(const char *options, int code, const char *words)
{
    is_refused_within(NULL, build_module("bad.so", options), code, words);
}

static void sound_module_passes(void **state)
{
    (void)state;
    mrpc_error error = {0};
    if (check(build_module("good.so", ""), NULL, &error) != 0)
        fail_msg("%s", error.text);
}

static void wrong_abi(void **state)
{
    (void)state;
    is_refused("-DMODULE_ABI=99", MRPC_EMISMATCH, "made for ABI 99");
}

static void wrong_fingerprint(void **state)
{
    (void)state;
    is_refused("-DMODULE_SCHEMA=0xabc", MRPC_EMISMATCH, "schema fingerprint of hand.proto is 0000000000000abc");
    is_refused("-DMODULE_LAYOUT=0xdef", MRPC_EMISMATCH, "layout fingerprint of hand.proto is 0000000000000def");
}

static void note_that_is_missing_doubled_or_short(void **state)
{
    (void)state;
    is_refused("-DWITHOUT_NOTE", MRPC_EMODULE, "has no mrpc note");
    is_refused("-DSECOND_NOTE", MRPC_EMODULE, "has 2 mrpc notes");
    is_refused("-DNOTE_SIZE=30", MRPC_EMODULE, "mrpc note");
}

static void missing_symbols(void **state)
{
    (void)state;
    is_refused("-DWITHOUT_SYMBOL", MRPC_EMODULE, "does not export the symbol mrpc_module_export");
    is_refused("-DUNDEFINED_SYMBOL", MRPC_EMODULE, "undefined symbol: no_such_function");
}

static void table_that_contradicts_its_note(void **state)
{
    (void)state;
    is_refused("-DTABLE_STAMP='\"other\"'", MRPC_EMODULE, "do not agree on the stamp");
    is_refused("-DTABLE_CODECS=7,0,NULL,NULL", MRPC_EMODULE, "7 codecs");
}

static void constructor_that_exits(void **state)
{
    (void)state;
    is_refused("-DCONSTRUCTOR='exit(0)'", MRPC_EMODULE, "exit(0) while it was being loaded");
    is_refused("-DCONSTRUCTOR='_exit(3)'", MRPC_EMODULE, "exit(3) while it was being loaded");
    is_refused("-DDESTRUCTOR='_exit(0)'", MRPC_EMODULE, "while it was being unloaded");
}

static void constructor_that_crashes_or_aborts(void **state)
{
    (void)state;
    is_refused("-DCONSTRUCTOR='*(volatile int *)8 = 1'", MRPC_EMODULE, "while it was being loaded");
    is_refused("-DCONSTRUCTOR='abort()'", MRPC_EMODULE, "while it was being loaded");
}

static void constructor_that_never_ends(void **state)
{
    (void)state;
    is_refused_within(&endless, build_module("spin.so", "-DCONSTRUCTOR='for (volatile int i = 0;; i++) (void)i'"),
                      MRPC_EMODULE, "it was being loaded");
    const char *sleeper =
        build_module("sleep.so", "-DCONSTRUCTOR='for (;;) nanosleep(&(struct timespec){1, 0}, NULL)'");
    is_refused_within(&asleep, sleeper, MRPC_EMODULE, "did not end within 1500 ms");
    is_refused_within(
        &asleep, build_module("deaf.so", "-DCONSTRUCTOR='for (close(4);;) nanosleep(&(struct timespec){1, 0}, NULL)'"),
        MRPC_EMODULE, "it was being loaded");
}

static void self_test_takes_the_processor_time_that_others_leave(void **state)
{
    (void)state;
    is_refused("-DCONSTRUCTOR='exit(niceness())'", MRPC_EMODULE, "exit(10) while it was being loaded");
}

static void constructor_that_reaches_out(void **state)
{
    (void)state;
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
    is_refused("-DCONSTRUCTOR='fork()'", MRPC_EMODULE, "system call that no module needs");
    is_refused("-DCONSTRUCTOR='kill(getppid(), SIGTERM)'", MRPC_EMODULE, "system call that no module needs");
    is_refused("-DCONSTRUCTOR='unlink(\"/tmp/mrpc-no-such-file\")'", MRPC_EMODULE, "system call that no module needs");
#else
    is_refused("-DCONSTRUCTOR='fork(), _exit(1)'", MRPC_EMODULE,
               "while it was being loaded"); /* no filter here, see sandbox.h */
#endif
}

static void self_test_that_fails_crashes_or_never_ends(void **state)
{
    (void)state;
    is_refused("-DCODEC='(void)0'", MRPC_EMODULE, "self-test failed");
    is_refused("-DCODEC='return -1'", MRPC_EMODULE, "self-test failed");
    is_refused("-DCODEC='abort()'", MRPC_EMODULE, "while it was running its test messages");
    is_refused("-DCODEC='*(volatile int *)8 = 1'", MRPC_EMODULE, "while it was running its test messages");
    is_refused_within(&endless, build_module("loop.so", "-DCODEC='for (volatile int i = 0;; i++) (void)i'"),
                      MRPC_EMODULE, "it was running its test messages");
}

static void module_that_cannot_be_unloaded(void **state)
{
    (void)state;
    is_refused("-Wl,-z,nodelete", MRPC_EMODULE, "without -z nodelete");
    is_refused("-DTHREAD_STORAGE_DESTRUCTOR", MRPC_EMODULE, "stays mapped");
}

static void options_of_the_linker_that_a_module_must_not_use(void **state)
{
    (void)state;
    is_refused("-Wl,--disable-new-dtags,-rpath,/tmp", MRPC_EMODULE, "without -rpath");
    is_refused("-Wl,--enable-new-dtags,-rpath,/tmp", MRPC_EMODULE, "without -rpath"); /* RUNPATH */
    is_refused("-Wl,-z,execstack", MRPC_EMODULE, "-z noexecstack");
    is_refused("-Wl,--auxiliary=libm.so.6", MRPC_EMODULE, "audit or filter");
}

static void files_that_are_no_shared_objects(void **state)
{
    (void)state;
    run("cd %s; echo 'int main(void) { return 0; }' >main.c; %s -o program main.c; %s -c -o object.o main.c; echo text "
        ">text.so; : >empty.so",
        test_folder(), "${CC:-cc}", "${CC:-cc}");
    is_refused_within(NULL, in_folder("text.so"), MRPC_EFORMAT, "not a shared object");
    is_refused_within(NULL, in_folder("empty.so"), MRPC_EFORMAT, "empty");
    is_refused_within(NULL, in_folder("object.o"), MRPC_EFORMAT, "not a shared object");
    is_refused_within(NULL, in_folder("program"), MRPC_EFORMAT, "is a program");
    run("head -c 70000000 /dev/zero >%s/huge.so", test_folder());
    is_refused_within(NULL, in_folder("huge.so"), MRPC_ELIMIT, "64 MiB");
}

static void cut_file(void **state)
{
    (void)state;
    build_module("whole.so", "");
    run("cd %s; head -c 40 whole.so >cut-header.so; head -c 200 whole.so >cut-table.so; head -c 5000 whole.so "
        ">cut-code.so",
        test_folder());
    is_refused_within(NULL, in_folder("cut-header.so"), MRPC_EFORMAT, "cut off");
    is_refused_within(NULL, in_folder("cut-table.so"), MRPC_EFORMAT, "cut off");
    is_refused_within(NULL, in_folder("cut-code.so"), MRPC_EFORMAT, "cut off");
}

static void owner_mode_and_kind_of_file(void **state)
{
    (void)state;
    build_module("writable.so", "");
    run("chmod 666 %s/writable.so", test_folder());
    is_refused_within(NULL, in_folder("writable.so"), MRPC_EPERM, "chmod go-w");
    is_refused_within(NULL, in_folder("absent.so"), MRPC_ENOENT, "there is no file");
    if (geteuid() == 0) { /* else test_trust.c shows it */
        build_module("foreign.so", "");
        run("chown 65534 %s/foreign.so", test_folder());
        is_refused_within(NULL, in_folder("foreign.so"), MRPC_EPERM, "belongs to user 65534");
    }
}

static void missing_helper_is_named(void **state)
{
    (void)state;
    assert_int_equal(setenv("MRPC_SELFTEST", "/nowhere/mrpc-selftest", 1), 0);
    mrpc_error error = {0};
    int result = check(build_module("good.so", ""), NULL, &error);
    use_built_helper();
    assert_int_equal(result, MRPC_ENOENT);
    assert_non_null(strstr(error.text, "/nowhere/mrpc-selftest"));
}

/* Opens the candidate at `path` in this process; the descriptor of the copy stays the caller's. */
static const mrpc_module *load(const char *path, mrpc_library *library)
{
    mrpc_error error = {0};
    mrpc_candidate candidate;
    assert_int_equal(mrpc_candidate_open(&candidate, path, &error), 0);
    if (mrpc_library_open(library, candidate.copy, mrpc_table_symbol(candidate.note.type), &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(mrpc_table_check(library->table, &candidate.note, &error), 0);
    return library->table;
}

static void same_path_with_new_content_is_a_new_module(void **state)
{
    (void)state;
    mrpc_library first, second;
    const mrpc_module *one = load(build_module("same.so", "-DMODULE_STAMP='\"first\"'"), &first);
    const mrpc_module *two = load(build_module("same.so", "-DMODULE_STAMP='\"second\"'"), &second);
    assert_string_equal(one->stamp, "first");
    assert_string_equal(two->stamp, "second");
    mrpc_error error;
    assert_int_equal(mrpc_library_close(&second, &error), 0);
    assert_int_equal(mrpc_library_close(&first, &error), 0);
    close(first.copy);
    close(second.copy);
}

/* The descriptor's number, and so the path, is used again each time: what is loaded must be the new one all the same.
 */
static void unloading_is_complete_and_numbers_may_be_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        char options[64], stamp[32];
        snprintf(stamp, sizeof stamp, "build %d", i);
        snprintf(options, sizeof options, "-DMODULE_STAMP='\"%s\"'", stamp);
        mrpc_library library;
        assert_string_equal(load(build_module("again.so", options), &library)->stamp, stamp);
        bool mapped = false;
        mrpc_error error;
        assert_int_equal(mrpc_library_is_mapped(library.copy, &mapped, &error), 0);
        assert_true(mapped);
        assert_int_equal(mrpc_library_close(&library, &error), 0);
        close(library.copy);
    }
}

static void copy_cannot_be_written_any_more(void **state)
{
    (void)state;
    mrpc_candidate candidate;
    mrpc_error error;
    assert_int_equal(mrpc_candidate_open(&candidate, build_module("good.so", ""), &error), 0);
    assert_int_equal(pwrite(candidate.copy, "x", 1, 0), -1);
    assert_int_equal(ftruncate(candidate.copy, 0), -1);
    mrpc_candidate_close(&candidate);
}

static int prepare(void **state)
{
    (void)state;
    use_built_helper();
    return 0;
}

static int clean(void **state)
{
    (void)state;
    remove_folder();
    return 0;
}

int main(void)
{
    umask(022);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_module_passes),
        cmocka_unit_test(wrong_abi),
        cmocka_unit_test(wrong_fingerprint),
        cmocka_unit_test(note_that_is_missing_doubled_or_short),
        cmocka_unit_test(missing_symbols),
        cmocka_unit_test(table_that_contradicts_its_note),
        cmocka_unit_test(constructor_that_exits),
        cmocka_unit_test(constructor_that_crashes_or_aborts),
        cmocka_unit_test(constructor_that_never_ends),
        cmocka_unit_test(self_test_takes_the_processor_time_that_others_leave),
        cmocka_unit_test(constructor_that_reaches_out),
        cmocka_unit_test(self_test_that_fails_crashes_or_never_ends),
        cmocka_unit_test(module_that_cannot_be_unloaded),
        cmocka_unit_test(options_of_the_linker_that_a_module_must_not_use),
        cmocka_unit_test(files_that_are_no_shared_objects),
        cmocka_unit_test(cut_file),
        cmocka_unit_test(owner_mode_and_kind_of_file),
        cmocka_unit_test(missing_helper_is_named),
        cmocka_unit_test(same_path_with_new_content_is_a_new_module),
        cmocka_unit_test(unloading_is_complete_and_numbers_may_be_used_again),
        cmocka_unit_test(copy_cannot_be_written_any_more),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
