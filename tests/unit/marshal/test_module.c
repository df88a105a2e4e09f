/* SPDX-License-Identifier: BSD-2-Clause */
/* test_module.c - generated modules pass their own self-test, which finds what is wrong with others */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/marshal.h>

#include "everything.mrpc.h"
#include "marshal/selftest.h"

extern const mrpc_module mrpc_module_everything, mrpc_module_everything_5fimport;

enum { CODECS = 64 };

static int try_module(const mrpc_module *module, mrpc_error *error)
{
    int result = mrpc_module_check(module, error);
    return result == 0 ? mrpc_module_self_test(module, error) : result;
}

static void assert_passes(const mrpc_module *module)
{
    mrpc_error error = {0};
    if (try_module(module, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
}

static void generated_modules_pass(void **state)
{
    (void)state;
    assert_true(mrpc_module_everything.vector_count >= 3 * 8);
    assert_passes(&mrpc_module_everything);
    assert_passes(&mrpc_module_everything_5fimport);
}

/* What is imported is in the module as far as it is reached, by a field or by a method. */
static bool has_codec(const mrpc_module *module, const char *name)
{
    for (uint32_t i = 0; i < module->codec_count; i++)
        if (strcmp(module->codecs[i].name, name) == 0)
            return true;
    return false;
}

static void module_has_what_its_messages_and_methods_reach(void **state)
{
    (void)state;
    assert_true(has_codec(&mrpc_module_everything, "everything.other.Imported"));
    assert_true(has_codec(&mrpc_module_everything, "everything.other.Only"));
    assert_false(has_codec(&mrpc_module_everything, "everything.other.NotReached"));
    assert_true(has_codec(&mrpc_module_everything_5fimport, "everything.other.NotReached"));
    assert_int_equal(mrpc_module_everything.abi, MRPC_MODULE_ABI);
    assert_string_equal(mrpc_module_everything.file, "everything.proto");
    assert_string_equal(mrpc_module_everything.stamp, "");
}

/* A copy of the module with one codec that does something else. */
static void assert_found_out(void (*change)(mrpc_codec *codec), const char *reason)
{
    static mrpc_codec codecs[CODECS];
    mrpc_module module = mrpc_module_everything;
    mrpc_error error = {0};
    assert_true(module.codec_count <= CODECS);
    memcpy(codecs, module.codecs, module.codec_count * sizeof *codecs);
    module.codecs = codecs;
    change(&codecs[module.vectors[0].codec]);
    assert_int_equal(try_module(&module, &error), MRPC_EMODULE);
    if (strstr(mrpc_error_text(&error), reason) == NULL)
        fail_msg("the reason is: %s", mrpc_error_text(&error));
}

static const mrpc_codec *plain_codec(void)
{
    return &mrpc_module_everything.codecs[mrpc_module_everything.vectors[0].codec];
}

static int marshal_garbage(mrpc_gather *gather, const void *message)
{
    int result = plain_codec()->marshal(gather, message);
    gather->block[gather->size - 1] = (char)(gather->block[gather->size - 1] ^ 1);
    return result;
}

static int unmarshal_anything(mrpc_scatter *scatter)
{
    scatter->stamp = "";
    return 0;
}

static int unmarshal_unstamped(mrpc_scatter *scatter)
{
    int result = plain_codec()->unmarshal(scatter);
    scatter->stamp = "other";
    return result;
}

static int encode_nothing(mrpc_gather *gather, const void *message)
{
    (void)message;
    gather->stamp = "";
    return 0;
}

static int decode_nothing(mrpc_decoder *decoder, void *message)
{
    (void)message;
    decoder->stamp = "";
    decoder->cursor = decoder->end;
    return 0;
}

static int decode_refusing(mrpc_decoder *decoder, void *message)
{
    (void)decoder;
    (void)message;
    return MRPC_EFORMAT;
}

static void change_marshal(mrpc_codec *codec)
{
    codec->marshal = marshal_garbage;
}

static void change_unmarshal(mrpc_codec *codec)
{
    codec->unmarshal = unmarshal_anything;
}

static void change_stamp(mrpc_codec *codec)
{
    codec->unmarshal = unmarshal_unstamped;
}

static void change_encode(mrpc_codec *codec)
{
    codec->encode = encode_nothing;
}

static void change_decode(mrpc_codec *codec)
{
    codec->decode = decode_nothing;
}

static void refuse_decode(mrpc_codec *codec)
{
    codec->decode = decode_refusing;
}

static void drop_marshal(mrpc_codec *codec)
{
    codec->marshal = NULL;
}

static void drop_name(mrpc_codec *codec)
{
    codec->name = NULL;
}

static void codecs_that_do_something_else_are_found_out(void **state)
{
    (void)state;
    assert_found_out(change_marshal, "marshalled it is not the same");
    assert_found_out(change_unmarshal, "cut off is accepted");
    assert_found_out(change_stamp, "stamp");
    assert_found_out(change_encode, "encoded it is not the same");
    assert_found_out(change_decode, "it is not the same");
    assert_found_out(refuse_decode, "refused");
    assert_found_out(drop_marshal, "incomplete");
    assert_found_out(drop_name, "incomplete");
}

static void assert_bad_table(const mrpc_module *module, int expected, const char *reason)
{
    mrpc_error error = {0};
    assert_int_equal(mrpc_module_check(module, &error), expected);
    assert_non_null(strstr(mrpc_error_text(&error), reason));
}

static void tables_that_cannot_be_are_refused(void **state)
{
    (void)state;
    mrpc_module module = mrpc_module_everything;
    module.table_size--;
    assert_bad_table(&module, MRPC_EMODULE, "bytes");
    module = mrpc_module_everything;
    module.abi++;
    assert_bad_table(&module, MRPC_EMISMATCH, "ABI");
    module = mrpc_module_everything;
    module.codec_count = UINT32_MAX;
    assert_bad_table(&module, MRPC_EMODULE, "cannot be");
    module = mrpc_module_everything;
    module.stamp = "sixteen letters.";
    assert_bad_table(&module, MRPC_EMODULE, "stamp");
    module = mrpc_module_everything;
    mrpc_vector vector = module.vectors[0];
    module.vectors = &vector;
    module.vector_count = 1;
    vector.codec = module.codec_count;
    assert_bad_table(&module, MRPC_EMODULE, "vector 0");
}

/* The program was compiled with the headers of another libmrpc. */
static void linked_module_of_another_abi_is_not_called(void **state)
{
    (void)state;
    static mrpc_codec codecs[CODECS];
    mrpc_module module = mrpc_module_everything;
    memcpy(codecs, module.codecs, module.codec_count * sizeof *codecs);
    for (uint32_t i = 0; i < module.codec_count; i++)
        codecs[i].decode = decode_refusing;
    module.codecs = codecs;
    mrpc_file file = *everything_Plain_type.file;
    mrpc_type type = everything_Plain_type;
    file.linked = &module;
    type.file = &file;
    void *message = NULL;
    mrpc_error error;
    assert_int_equal(mrpc_message_decode(&type, "\x28\x07", 2, NULL, &message, &error), MRPC_EFORMAT);
    module.abi--;
    assert_int_equal(mrpc_message_decode(&type, "\x28\x07", 2, NULL, &message, &error), 0);
    assert_int_equal(((everything_Plain *)message)->an_int32, 7);
    mrpc_release(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_modules_pass),
        cmocka_unit_test(module_has_what_its_messages_and_methods_reach),
        cmocka_unit_test(codecs_that_do_something_else_are_found_out),
        cmocka_unit_test(tables_that_cannot_be_are_refused),
        cmocka_unit_test(linked_module_of_another_abi_is_not_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
