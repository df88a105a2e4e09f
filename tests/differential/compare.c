/* SPDX-License-Identifier: BSD-2-Clause */
/* compare.c - see compare.h */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/json.h>
#include <mrpc/text.h>

#include "marshal/fields.h"
#include "marshal/gather.h"
#include "marshal/table.h"
#include "tests/differential/compare.h"

enum { DEPTH = 3, DAMAGED = 12, BEFORE = 40, SHOWN = 400 };

/* One type under test. */
typedef struct compared_type {
    const compared_schema *schema;
    const mrpc_type *type;
    random_source *source;
    bool extended; /* the schema has extensions: they are not looked at when a message is read, and tables write them
                      last */
    bool grouped;
    bool loses_entries; /* libprotobuf's DynamicMessage has 0 for a number that a closed enum does not name, in a map */
} compared_type;

/* --- bytes --- */

static void print_bytes(const char *whose, const test_bytes *bytes, size_t from)
{
    printf("%s, %zu bytes, from %zu:", whose, bytes->size, from);
    for (size_t i = from; i < bytes->size && i - from < SHOWN; i++)
        printf(" %02x", (unsigned char)bytes->data[i]);
    printf("\n");
}

/* How many bytes both begin with. */
static size_t count_same(const test_bytes *a, const test_bytes *b)
{
    size_t same = 0;
    while (same < a->size && same < b->size && a->data[same] == b->data[same])
        same++;
    return same;
}

static bool are_same(const test_bytes *a, const test_bytes *b)
{
    return a->size == b->size && count_same(a, b) == a->size;
}

void compare_bytes(const mrpc_type *type, const char *what, const test_bytes *ours, const test_bytes *theirs)
{
    if (are_same(ours, theirs))
        return;
    size_t same = count_same(ours, theirs), from = same > BEFORE ? same - BEFORE : 0;
    print_bytes("ours", ours, from);
    print_bytes("theirs", theirs, from);
    fail_msg("%s: %s, which differs from byte %zu on", type->name, what, same);
}

/* Fails when libprotobuf refuses them. */
static test_bytes reserialize(const compared_type *with, const char *what, const test_bytes *bytes)
{
    test_bytes again;
    if (!peer_reserialize(with->schema->peer, with->type->name, bytes, &again)) {
        print_bytes("refused", bytes, 0);
        fail_msg("%s: libprotobuf refuses %s", with->type->name, what);
    }
    return again;
}

/* --- mrpc, by both of its ways where there is generated code --- */

static test_bytes encode_by_table(const mrpc_type *type, const void *message)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    assert_int_equal(mrpc_table_encode(type, &buffer.gather, message), 0);
    test_bytes bytes = test_bytes_copy(buffer.gather.block, buffer.gather.size);
    mrpc_gather_buffer_free(&buffer);
    return bytes;
}

static test_bytes encode(const compared_type *with, const void *message)
{
    int64_t size = mrpc_message_encode(with->type, message, NULL, 0);
    if (size < 0)
        fail_msg("%s: cannot be encoded: %s", with->type->name, mrpc_strerror((int)size));
    test_bytes bytes = {malloc((size_t)size + 1), (size_t)size};
    assert_non_null(bytes.data);
    assert_int_equal(mrpc_message_encode(with->type, message, bytes.data, bytes.size), size);
    if (with->type->file->linked != NULL && !with->extended) {
        test_bytes by_table = encode_by_table(with->type, message);
        compare_bytes(with->type, "generated code and tables write different bytes", &bytes, &by_table);
        test_bytes_free(&by_table);
    }
    return bytes;
}

/* Decodes from memory that sanitizers watch to the byte. NULL: it is refused, for the reason in *error. */
static void *decode(const compared_type *with, const test_bytes *bytes, mrpc_error *error)
{
    void *message = NULL;
    test_bytes copy = test_bytes_copy(bytes->data, bytes->size);
    int result = mrpc_message_decode(with->type, copy.data, copy.size, NULL, &message, error);
    assert_true(result == 0 || result == MRPC_EFORMAT);
    if (with->type->file->linked != NULL) {
        void *by_table = test_decode_by_table(with->type, &copy);
        if ((by_table == NULL) != (message == NULL) ||
            (message != NULL && !mrpc_message_equal(with->type, message, by_table))) {
            print_bytes("bytes", bytes, 0);
            fail_msg("%s: generated code and tables read something else", with->type->name);
        }
        mrpc_release(by_table);
    }
    test_bytes_free(&copy);
    return message;
}

static void *decode_good(const compared_type *with, const test_bytes *bytes)
{
    mrpc_error error = {0};
    void *message = decode(with, bytes, &error);
    if (message == NULL) {
        print_bytes("refused", bytes, 0);
        fail_msg("%s: libprotobuf's message is refused: %s", with->type->name, mrpc_error_text(&error));
    }
    return message;
}

/* --- text and JSON --- */

/* cmocka would cut the text off. */
static void fail_text(const compared_type *with, const char *why, const char *text)
{
    printf("%s\n", text);
    fail_msg("%s: %s", with->type->name, why);
}

/* What a message that came from a text is to libprotobuf. */
static void compare_parsed(const compared_type *with, const char *what, void *message, const test_bytes *expected)
{
    test_bytes bytes = encode(with, message), again = reserialize(with, what, &bytes);
    compare_bytes(with->type, what, &again, expected);
    test_bytes_free(&bytes);
    test_bytes_free(&again);
    mrpc_release(message);
}

static char *print_text(const compared_type *with, const void *message, size_t *size)
{
    const mrpc_registry registry = {.files = with->schema->files, .file_count = with->schema->file_count};
    const mrpc_text_options options = {.size = sizeof options, .registry = &registry, .hide_unknown = true};
    *size = mrpc_message_text_with(with->type, message, &options, NULL, 0);
    char *text = malloc(*size + 1);
    assert_non_null(text);
    assert_int_equal(mrpc_message_text_with(with->type, message, &options, text, *size + 1), *size);
    return text;
}

static void *parse_text(const compared_type *with, const char *text)
{
    const mrpc_registry registry = {.files = with->schema->files, .file_count = with->schema->file_count};
    const mrpc_text_options options = {.size = sizeof options, .registry = &registry};
    mrpc_error error = {0};
    void *message;
    if (mrpc_message_from_text(with->type, text, strlen(text), &options, NULL, &message, &error) != 0)
        fail_text(with, mrpc_error_text(&error), text);
    return message;
}

/* Each reads the text of the other. */
static void compare_text(const compared_type *with, const void *message, const test_bytes *bytes)
{
    size_t size;
    test_bytes expected, read;
    char *ours = print_text(with, message, &size),
         *theirs = peer_print_text(with->schema->peer, with->type->name, bytes);
    assert_non_null(theirs);
    if (!peer_parse_text(with->schema->peer, with->type->name, theirs, &expected))
        fail_text(with, "libprotobuf does not read its own text", theirs);
    if (!peer_parse_text(with->schema->peer, with->type->name, ours, &read))
        fail_text(with, "libprotobuf refuses the text", ours);
    compare_bytes(with->type, "the text, as libprotobuf reads it", &read, &expected);
    compare_parsed(with, "the text", parse_text(with, ours), &expected);
    compare_parsed(with, "libprotobuf's text", parse_text(with, theirs), &expected);
    with->schema->counts->texts++;
    test_bytes_free(&read);
    test_bytes_free(&expected);
    free(ours);
    free(theirs);
}

static void *parse_json(const compared_type *with, const char *json)
{
    mrpc_error error = {0};
    void *message;
    if (mrpc_json_parse(with->type, json, strlen(json), NULL, NULL, &message, &error) != 0)
        fail_text(with, mrpc_error_text(&error), json);
    return message;
}

/* The JSON of the message. NULL: it has none, because of a string of proto2 that is not UTF-8, of which libprotobuf
 * leaves the wrong bytes out. */
static char *print_json(const compared_type *with, const void *message, const char *theirs)
{
    mrpc_error error = {0};
    char *json = NULL;
    if (mrpc_json_print(with->type, message, NULL, &json, NULL, &error) != 0 &&
        strstr(mrpc_error_text(&error), "not UTF-8") == NULL)
        fail_text(with, mrpc_error_text(&error), theirs);
    return json;
}

static void compare_jsons(const compared_type *with, const char *ours, const char *theirs, const test_bytes *expected)
{
    test_bytes read;
    if (!peer_parse_json(with->schema->peer, with->type->name, ours, &read))
        fail_text(with, "libprotobuf refuses the JSON", ours);
    compare_bytes(with->type, "the JSON, as libprotobuf reads it", &read, expected);
    compare_parsed(with, "the JSON", parse_json(with, ours), expected);
    compare_parsed(with, "libprotobuf's JSON", parse_json(with, theirs), expected);
    with->schema->counts->jsons++;
    test_bytes_free(&read);
}

/* Each reads the JSON of the other, where libprotobuf has JSON for the message, and reads its own. */
static void compare_json(const compared_type *with, const void *message, const test_bytes *bytes)
{
    test_bytes expected = {0};
    char *theirs = peer_print_json(with->schema->peer, with->type->name, bytes);
    if (theirs != NULL && peer_parse_json(with->schema->peer, with->type->name, theirs, &expected)) {
        char *ours = print_json(with, message, theirs);
        if (ours != NULL)
            compare_jsons(with, ours, theirs, &expected);
        free(ours);
    }
    test_bytes_free(&expected);
    free(theirs);
}

static void compare_texts(const compared_type *with, const void *message, const test_bytes *bytes)
{
    compare_text(with, message, bytes);
    /* libprotobuf's JSON has no extensions, and its parser makes messages of groups. */
    if (!with->extended && !with->grouped)
        compare_json(with, message, bytes);
}

/* --- whole messages --- */

/* A message of libprotobuf's, perhaps with its maps in any order: read, and written as libprotobuf writes it. */
static void compare_theirs(const compared_type *with, const test_bytes *bytes)
{
    test_bytes canonical = reserialize(with, "its own bytes", bytes);
    void *first = decode_good(with, bytes), *second = decode_good(with, &canonical);
    test_bytes written = encode(with, first), rewritten = encode(with, second);
    if (!with->extended) {
        compare_bytes(with->type, "a message of libprotobuf's is written otherwise", &written, &canonical);
        assert_true(mrpc_message_equal(with->type, first, second));
    }
    if (!with->extended || with->type->file->linked != NULL)
        compare_bytes(with->type, "canonical bytes do not stay the same", &rewritten, &canonical);
    test_bytes again = reserialize(with, "what was written", &written);
    compare_bytes(with->type, "a message of libprotobuf's does not stay the same", &again, &canonical);
    compare_texts(with, first, &canonical);
    with->schema->counts->messages++;
    test_bytes_free(&written);
    test_bytes_free(&rewritten);
    test_bytes_free(&again);
    test_bytes_free(&canonical);
    mrpc_release(first);
    mrpc_release(second);
}

/* A message that was made here: libprotobuf reads it, and writes the same bytes. */
static void compare_ours(const compared_type *with)
{
    void *message = random_message(with->source, with->type, DEPTH);
    test_bytes bytes = encode(with, message), again = reserialize(with, "what was written", &bytes);
    compare_bytes(with->type, "libprotobuf writes the message otherwise", &bytes, &again);
    void *decoded = decode_good(with, &bytes);
    assert_true(mrpc_message_equal(with->type, message, decoded));
    compare_texts(with, message, &bytes);
    with->schema->counts->messages++;
    mrpc_release(decoded);
    mrpc_release(message);
    test_bytes_free(&bytes);
    test_bytes_free(&again);
}

/* --- bytes that are perhaps no message of the type --- */

/* libprotobuf drops the bits of a varint beyond the 64th, and of a tag beyond the 32nd, which mrpc refuses; it reads
 * extensions, which mrpc does when they are asked for. */
static bool may_differ(const compared_type *with, bool accepted, const mrpc_error *error)
{
    return accepted ? with->extended : strstr(mrpc_error_text(error), "cut off or too long") != NULL;
}

/* Until libprotobuf would not change it any more. It writes unknown fields in the shortest form, and a number of 64
 * bits that a closed enum does not name comes out of a packed list as it is, and with 32 of its bits when it is read
 * again. */
static test_bytes settle(const compared_type *with, const char *what, const test_bytes *bytes)
{
    test_bytes once = reserialize(with, what, bytes), twice = reserialize(with, what, &once);
    test_bytes_free(&once);
    return twice;
}

/* Without unknown fields. */
static void compare_known(const compared_type *with, const test_bytes *ours, const test_bytes *theirs)
{
    char *our_text = peer_print_text(with->schema->peer, with->type->name, ours),
         *their_text = peer_print_text(with->schema->peer, with->type->name, theirs);
    assert_string_equal(our_text, their_text);
    assert_int_equal(ours->size, theirs->size);
    free(our_text);
    free(their_text);
}

static void compare_understood(const compared_type *with, const void *message, const test_bytes *bytes)
{
    test_bytes written = encode(with, message), ours = settle(with, "what was written", &written),
               theirs = settle(with, "bytes that it has read", bytes);
    if (!with->extended && !are_same(&ours, &theirs))
        print_bytes("read", bytes, 0);
    if (with->extended) /* whose numbers, if they are not known, libprotobuf does not write before other unknown fields
                         */
        compare_known(with, &ours, &theirs);
    else
        compare_bytes(with->type, "damaged bytes are read as something else", &ours, &theirs);
    test_bytes_free(&written);
    test_bytes_free(&ours);
    test_bytes_free(&theirs);
}

/* What one accepts the other does, and both understand the same. */
static void compare_any(const compared_type *with, const test_bytes *bytes)
{
    test_bytes theirs;
    mrpc_error error = {0};
    void *message = decode(with, bytes, &error);
    bool accepted = peer_reserialize(with->schema->peer, with->type->name, bytes, &theirs);
    if (accepted != (message != NULL) && !may_differ(with, message != NULL, &error)) {
        print_bytes("bytes", bytes, 0);
        fail_msg("%s: %s", with->type->name,
                 accepted ? mrpc_error_text(&error) : "libprotobuf refuses what is accepted here");
    }
    if (accepted && message != NULL && !with->loses_entries)
        compare_understood(with, message, bytes);
    *(message != NULL ? &with->schema->counts->accepted : &with->schema->counts->refused) += 1;
    mrpc_release(message);
    test_bytes_free(&theirs);
}

static void compare_damaged(const compared_type *with, const test_bytes *good)
{
    for (unsigned i = 0; i < DAMAGED && good->size != 0; i++) {
        test_bytes bad = test_bytes_copy(good->data, good->size);
        for (size_t changes = 1 + random_below(with->source, 3); changes > 0; changes--)
            bad.data[random_below(with->source, bad.size)] = (char)random_next(with->source);
        if (random_below(with->source, 4) == 0)
            bad.size = random_below(with->source, bad.size);
        compare_any(with, &bad);
        test_bytes_free(&bad);
    }
}

/* Two messages one behind the other are one in which the second is merged into the first. */
static void compare_merged(const compared_type *with, const test_bytes *first, const test_bytes *second)
{
    test_bytes both = {malloc(first->size + second->size + 1), first->size + second->size};
    assert_non_null(both.data);
    if (first->size > 0)
        memcpy(both.data, first->data, first->size);
    if (second->size > 0)
        memcpy(both.data + first->size, second->data, second->size);
    compare_any(with, &both);
    test_bytes_free(&both);
}

/* --- types --- */

/* `other` is of the type that was before. */
static void compare_round(const compared_type *with, test_bytes *other)
{
    test_bytes first = peer_random(with->schema->peer, with->type->name, with->source, DEPTH),
               second = peer_random(with->schema->peer, with->type->name, with->source, DEPTH);
    compare_theirs(with, &first);
    compare_theirs(with, &second);
    compare_ours(with);
    compare_merged(with, &first, &second);
    compare_damaged(with, &first);
    compare_any(with, other);
    test_bytes_free(&second);
    test_bytes_free(other);
    *other = first;
}

static bool is_map_of_closed_enum(const mrpc_field *field)
{
    return field->kind == MRPC_FIELD_MAP && (field->message->fields[1].flags & MRPC_FIELD_CLOSED) != 0;
}

static void look_at_fields(compared_type *with, const mrpc_type *type)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        with->grouped |= type->fields[i].type == MRPC_TYPE_GROUP;
        with->loses_entries |= type->file->linked == NULL && is_map_of_closed_enum(&type->fields[i]);
    }
}

static void look_at_files(compared_type *with)
{
    for (size_t f = 0; f < with->schema->file_count; f++) {
        const mrpc_file *file = with->schema->files[f];
        with->extended |= file->extension_count > 0;
        for (uint32_t i = 0; i < file->type_count; i++)
            look_at_fields(with, file->types[i]);
    }
}

void compare_schema(const compared_schema *schema, random_source *source, unsigned rounds)
{
    compared_type with = {.schema = schema, .source = source};
    test_bytes other = {0};
    look_at_files(&with);
    for (size_t f = 0; f < schema->file_count; f++)
        for (uint32_t i = 0; i < schema->files[f]->type_count; i++) {
            with.type = schema->files[f]->types[i];
            if (mrpc_type_is_entry(with.type))
                continue;
            schema->counts->types++;
            for (unsigned round = 0; round < rounds; round++)
                compare_round(&with, &other);
        }
    test_bytes_free(&other);
}

void compare_print(const compare_counts *counts)
{
    print_message("# %" PRIu64 " types, %" PRIu64 " messages, %" PRIu64 " of them as text, %" PRIu64 " as JSON; "
                  "of other bytes %" PRIu64 " were refused and %" PRIu64 " accepted\n",
                  counts->types, counts->messages, counts->texts, counts->jsons, counts->refused, counts->accepted);
}
