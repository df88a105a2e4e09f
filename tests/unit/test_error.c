/* SPDX-License-Identifier: BSD-2-Clause */
/* test_error.c - errors and statuses carry their text, whole characters only, and their names */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/error.h>

static void set_fills_code_and_text(void **state)
{
    (void)state;
    mrpc_error error = {.code = 7, .system_errno = 9};
    assert_int_equal(mrpc_error_set(&error, MRPC_ELIMIT, "heap %s is full at %d", "h", 3), MRPC_ELIMIT);
    assert_int_equal(error.code, MRPC_ELIMIT);
    assert_int_equal(error.system_errno, 0);
    assert_string_equal(mrpc_error_text(&error), "heap h is full at 3");
}

static void null_error_only_returns_the_code(void **state)
{
    (void)state;
    assert_int_equal(mrpc_error_set(NULL, MRPC_EINVAL, "%s", "x"), MRPC_EINVAL);
    assert_int_equal(mrpc_error_system(NULL, ENOENT, "%s", "x"), MRPC_ESYS);
    assert_string_equal(mrpc_error_text(NULL), "no error");
}

static void cleared_error_has_no_stale_text(void **state)
{
    (void)state;
    mrpc_error error;
    (void)mrpc_error_set(&error, MRPC_EINVAL, "old");
    error.code = 0;
    assert_string_equal(mrpc_error_text(&error), "no error");
}

static void system_error_appends_its_text(void **state)
{
    (void)state;
    mrpc_error error;
    assert_int_equal(mrpc_error_system(&error, ENOENT, "open %s", "/nowhere"), MRPC_ESYS);
    assert_int_equal(error.system_errno, ENOENT);
    assert_string_equal(error.text, "open /nowhere: No such file or directory");
}

/* Whatever the alignment of two-, three- and four-byte characters to the end of the buffer, none is cut in half. */
static void long_text_is_cut_at_a_character(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < 3; c++) {
        size_t width = strlen(characters[c]);
        for (size_t shift = 0; shift < width; shift++) {
            char text[1024];
            memset(text, 'a', shift);
            size_t length = shift;
            for (; length + width < sizeof text; length += width)
                memcpy(text + length, characters[c], width);
            text[length] = '\0';
            mrpc_error error;
            (void)mrpc_error_set(&error, MRPC_EFORMAT, "%s", text);
            size_t kept = strlen(error.text);
            assert_true(kept < sizeof error.text && kept + width >= sizeof error.text);
            assert_int_equal((kept - shift) % width, 0);
            assert_memory_equal(error.text, text, kept);
            mrpc_status status = mrpc_status_make(MRPC_INTERNAL, "%s", text);
            assert_int_equal((strlen(status.message) - shift) % width, 0);
        }
    }
}

static void long_system_error_stays_in_its_buffer(void **state)
{
    (void)state;
    char text[sizeof((mrpc_error *)NULL)->text];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t cut = 0; cut < 32; cut++) {
        mrpc_error error;
        memset(&error, 'z', sizeof error);
        assert_int_equal(mrpc_error_system(&error, EPERM, "%s", text + cut), MRPC_ESYS);
        assert_non_null(memchr(error.text, '\0', sizeof error.text));
    }
}

static void every_code_has_a_meaning_of_its_own(void **state)
{
    (void)state;
    for (int code = -17; code <= 0; code++)
        assert_string_not_equal(mrpc_strerror(code), "unknown error");
    assert_string_equal(mrpc_strerror(MRPC_EFORKED), "the runtime belongs to the parent process");
    assert_string_equal(mrpc_strerror(0), "no error");
    assert_string_equal(mrpc_strerror(-18), "unknown error");
    assert_string_equal(mrpc_strerror(1), "unknown error");
}

static void status_codes_have_grpc_names(void **state)
{
    (void)state;
    assert_string_equal(mrpc_code_name(MRPC_OK), "OK");
    assert_string_equal(mrpc_code_name(MRPC_DEADLINE_EXCEEDED), "DEADLINE_EXCEEDED");
    assert_string_equal(mrpc_code_name(MRPC_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(mrpc_code_name((mrpc_code)99), "UNKNOWN");
}

static void status_carries_its_message_unless_ok(void **state)
{
    (void)state;
    mrpc_status status = mrpc_status_make(MRPC_NOT_FOUND, "no key \"%s\"", "k");
    assert_int_equal(status.code, MRPC_NOT_FOUND);
    assert_string_equal(status.message, "no key \"k\"");
    assert_string_equal(mrpc_status_make(MRPC_OK, "%s", "ignored").message, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_code_and_text),
        cmocka_unit_test(null_error_only_returns_the_code),
        cmocka_unit_test(cleared_error_has_no_stale_text),
        cmocka_unit_test(system_error_appends_its_text),
        cmocka_unit_test(long_text_is_cut_at_a_character),
        cmocka_unit_test(long_system_error_stays_in_its_buffer),
        cmocka_unit_test(every_code_has_a_meaning_of_its_own),
        cmocka_unit_test(status_codes_have_grpc_names),
        cmocka_unit_test(status_carries_its_message_unless_ok),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
