/* SPDX-License-Identifier: BSD-2-Clause */
/* test_elf.c - any bytes are read without reading outside of them; what is accepted is whole */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/upgrade/build.h"
#include "upgrade/elf.h"

static unsigned char *original;
static size_t original_size;

static uint64_t seed = 20240607;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int load_original(void **state)
{
    (void)state;
    FILE *file = fopen(build_module("sound.so", ""), "rb");
    assert_non_null(file);
    original = malloc(1 << 20);
    original_size = fread(original, 1, 1 << 20, file);
    fclose(file);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    free(original);
    remove_folder();
    return 0;
}

/* In memory of just this size, so that a sanitizer sees a read behind it. */
static int read_copy(const void *data, size_t size)
{
    unsigned char *exact = malloc(size > 0 ? size : 1);
    assert_non_null(exact);
    memcpy(exact, data, size);
    mrpc_module_note note;
    mrpc_error error = {0};
    int result = mrpc_elf_read(exact, size, &note, &error);
    free(exact);
    assert_true(result == 0 || result == MRPC_EFORMAT || result == MRPC_EMODULE);
    assert_true(result == 0 || error.text[0] != '\0');
    return result;
}

static void sound_module_is_read(void **state)
{
    (void)state;
    mrpc_module_note note;
    mrpc_error error = {0};
    if (mrpc_elf_read(original, original_size, &note, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(note.type, MRPC_NOTE_MODULE);
    assert_int_equal(note.schema, 0x1111);
    assert_int_equal(note.layout, 0x2222);
    assert_string_equal(note.stamp, "one");
    assert_string_equal(note.file, "hand.proto");
}

/* Nothing may be missing before the end of the last segment that is loaded (section headers behind it are not read). */
static void every_length_is_survived(void **state)
{
    (void)state;
    size_t accepted = 0;
    for (size_t size = 0; size < original_size; size += size < 2048 ? 1 : 61)
        if (read_copy(original, size) == 0 && accepted == 0)
            accepted = size;
    assert_true(accepted == 0 || accepted > original_size / 2);
}

static void mutations_are_survived(void **state)
{
    (void)state;
    unsigned char *mutant = malloc(original_size);
    assert_non_null(mutant);
    size_t refused = 0;
    for (int round = 0; round < 20000; round++) {
        memcpy(mutant, original, original_size);
        for (uint64_t changes = 1 + random_number() % 4; changes > 0; changes--) {
            size_t at = random_number() % (random_number() % 2 == 0 ? 1024 : original_size);
            static const uint64_t values[] = {0, 1, 0x7F, 0xFF, UINT64_MAX, 1ULL << 63, 0xFFFFFFFF, 4096};
            size_t width = (size_t)1 << random_number() % 4;
            uint64_t value = random_number() % 2 == 0 ? values[random_number() % 8] : random_number();
            if (width <= original_size - at)
                memcpy(mutant + at, &value, width);
        }
        refused += read_copy(mutant, original_size) != 0;
    }
    free(mutant);
    assert_in_range(refused, 100, 20000);
}

int main(void)
{
    umask(022);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_module_is_read),
        cmocka_unit_test(every_length_is_survived),
        cmocka_unit_test(mutations_are_survived),
    };
    return cmocka_run_group_tests(tests, load_original, clean);
}
