/* SPDX-License-Identifier: BSD-2-Clause */
/* test_extension_peer.c - libprotobuf and mrpc agree on extensions: their bytes, their values, their text */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "extensions.mrpc.h"
#include "marshal/fields.h"
#include "tests/unit/marshal/codec_help.h"
#include "tests/unit/marshal/peer.h"
#include "tests/unit/marshal/random_message.h"

enum { ROUNDS = 2000 };

static test_bytes from_text(const mrpc_type *type, const char *text)
{
    test_bytes bytes = {0};
    peer_from_text(type->name, text, &bytes.data, &bytes.size);
    return bytes;
}

/* What libprotobuf writes is written again as it was, and has the same text. */
static void assert_same(const mrpc_type *type, const char *text)
{
    static char printed[20000];
    test_bytes theirs = from_text(type, text);
    void *message = test_decode(type, theirs.data, theirs.size, NULL);
    test_bytes ours = test_encode(type, message, NULL);
    assert_int_equal(ours.size, theirs.size);
    assert_memory_equal(ours.data, theirs.data, ours.size);
    char *expected = peer_to_text(type->name, theirs.data, theirs.size);
    assert_true(mrpc_message_text(type, message, printed, sizeof printed) < sizeof printed);
    assert_string_equal(printed, expected);
    free(expected);
    test_bytes_free(&ours);
    test_bytes_free(&theirs);
    mrpc_release(message);
}

static void every_kind_is_read_and_written_alike(void **state)
{
    (void)state;
    assert_same(
        &extensions_Base_type,
        "first: 1 [extensions.low]: -5 [extensions.Scope.scope] { text: 'a' } [extensions.Scope.numbers]: [1, -2]"
        "[extensions.a_double]: 1.25 [extensions.a_float]: -inf [extensions.an_int64]: -9223372036854775808"
        "[extensions.a_uint64]: 18446744073709551615 [extensions.an_int32]: -1 [extensions.a_fixed64]: 7"
        "[extensions.a_fixed32]: 8 [extensions.a_bool]: false [extensions.a_string]: 'text'"
        "[extensions.a_group] { number: 3 Inner { text: 'i' } Inner {} } [extensions.a_message] { numbers: 4 }"
        "[extensions.some_bytes]: '\\000\\377' [extensions.a_uint32]: 4294967295 [extensions.closed]: CLOSED_SIX"
        "[extensions.dense]: BELOW [extensions.an_sfixed32]: -2147483648 [extensions.an_sfixed64]: -1"
        "[extensions.an_sint32]: -2147483648 [extensions.an_sint64]: 9223372036854775807"
        "[extensions.strict] { number: 0 } [extensions.plain_string]: ''");
    assert_same(&extensions_Base_type,
                "[extensions.doubles]: [1, nan] [extensions.int32s]: [-1, 300] [extensions.bools]: [true, false]"
                "[extensions.strings]: ['', 'b'] [extensions.bytes_list]: 'x' [extensions.closed_list]: [CLOSED_FIVE]"
                "[extensions.messages] {} [extensions.messages] { base { [extensions.low]: 1 } }"
                "[extensions.many] { number: 1 } [extensions.many] {} [extensions.sint64s]: [-1, 1]"
                "[extensions.tight_int32s]: [1, 200, -3] [extensions.tight_bools]: [true, true]"
                "[extensions.tight_fixed64s]: [1, 18446744073709551615] [extensions.tight_closed]: CLOSED_SIX"
                "[extensions.high]: 1");
    assert_same(&extensions_WithSet_type, "set { [extensions.InSet] { number: 5 } [extensions.HighInSet] { text: 'x' }"
                                          "[extensions.strict_in_set] { number: 1 } }");
}

/* A field between the ranges. */
static void extensions_stand_among_the_fields(void **state)
{
    (void)state;
    test_bytes theirs =
        from_text(&extensions_Base_type,
                  "[extensions.high]: 1 middle: 'm' [extensions.a_bool]: true [extensions.low]: 2 first: 3");
    void *message = test_decode(&extensions_Base_type, theirs.data, theirs.size, NULL);
    test_bytes ours = test_encode(&extensions_Base_type, message, NULL);
    assert_int_equal(ours.size, theirs.size);
    assert_memory_equal(ours.data, theirs.data, ours.size);
    test_bytes_free(&ours);
    test_bytes_free(&theirs);
    mrpc_release(message);
}

/* --- at random --- */

/* A value for an extension that is no message. */
static void set_number(random_source *source, const mrpc_extension *extension, extensions_Base *message)
{
    static const int32_t named[] = {extensions_CLOSED_FIVE, extensions_CLOSED_SIX};
    int32_t value = named[random_below(source, 2)];
    uint64_t number = random_below(source, 2) != 0 ? random_next(source) : random_below(source, 200);
    char text[8] = "abcdefg";
    const mrpc_bytes bytes = {.data = (uint8_t *)text, .size = random_below(source, sizeof text)};
    const void *any = &number;
    if (extension->field.type == MRPC_TYPE_ENUM)
        any = &value;
    else if (!mrpc_field_is_plain(&extension->field))
        any = &bytes;
    if (extension->field.type == MRPC_TYPE_BOOL)
        number &= 0x0101010101010101;
    bool list = extension->field.kind == MRPC_FIELD_LIST;
    int result = list ? mrpc_extension_add(extension, message, any) : mrpc_extension_set(extension, message, any);
    assert_int_equal(result, extension == &extensions_dense ? MRPC_EINVAL : 0);
}

static void set_message(random_source *source, const mrpc_extension *extension, extensions_Base *message)
{
    void *value = random_message(source, extension->field.message, 2);
    bool list = extension->field.kind == MRPC_FIELD_LIST;
    int result = list ? mrpc_extension_add(extension, message, value) : mrpc_extension_set(extension, message, value);
    assert_int_equal(result, 0);
    mrpc_release(value);
}

static void change(random_source *source, extensions_Base *message)
{
    const mrpc_extension *extension =
        mrpc_file_extensions.extensions[random_below(source, mrpc_file_extensions.extension_count)];
    if (extension->extended != &extensions_Base_type)
        return;
    if (random_below(source, 5) == 0)
        mrpc_extension_clear(extension, message);
    else if (mrpc_field_is_message(&extension->field))
        set_message(source, extension, message);
    else
        set_number(source, extension, message);
}

/* Whatever is put in and taken out, in whatever order, libprotobuf writes it as it is. */
static void what_is_set_is_canonical(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        random_source source;
        random_begin(&source, round);
        extensions_Base *message = random_message(&source, &extensions_Base_type, 1);
        message->base.unknown = NULL;
        for (size_t i = random_below(&source, 30); i > 0; i--)
            change(&source, message);
        test_bytes ours = test_encode(&extensions_Base_type, message, NULL), theirs = {0};
        assert_true(peer_round_trip(extensions_Base_type.name, ours.data, ours.size, &theirs.data, &theirs.size));
        assert_int_equal(ours.size, theirs.size);
        assert_memory_equal(ours.data, theirs.data, ours.size);
        test_bytes_free(&ours);
        test_bytes_free(&theirs);
        mrpc_release(message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read_and_written_alike),
        cmocka_unit_test(extensions_stand_among_the_fields),
        cmocka_unit_test(what_is_set_is_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
