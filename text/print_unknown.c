/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print_unknown.c - what a message keeps among its unknown fields: extensions by their names, by number, as those of
 * which a file is at hand that declares them; then all else as it came, as far as the encoding tells
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "marshal/extension.h"
#include "text/printer.h"

/* --- by their number, as far as the encoding tells --- */

/* Bytes that could be a message are printed as one, within so many others at most: each level is read once more. */
enum { GUESSED_LEVELS = 10 };

static void print_input(struct mrpc_printer *out, mrpc_input in, uint32_t levels);

static bool take_varint(mrpc_input *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        uint8_t byte = *in->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool take_fixed(mrpc_input *in, unsigned bytes, uint64_t *value)
{
    if ((size_t)(in->end - in->at) < bytes)
        return false;
    *value = 0;
    for (unsigned i = 0; i < bytes; i++)
        *value |= (uint64_t)*in->at++ << (8 * i);
    return true;
}

static bool print_unknown_number(struct mrpc_printer *out, mrpc_input *in, unsigned kind, uint64_t number)
{
    uint64_t value;
    bool taken = kind == 0 ? take_varint(in, &value) : take_fixed(in, kind == 1 ? 8 : 4, &value);
    if (!taken)
        return false;
    mrpc_print_indent(out);
    mrpc_print_format(out, "%" PRIu64 ": ", number);
    if (kind == 0)
        mrpc_print_format(out, "%" PRIu64, value);
    else
        mrpc_print_format(out, "0x%0*" PRIx64, kind == 1 ? 16 : 8, value);
    mrpc_print(out, "\n", 1);
    return true;
}

/* Whether bytes are fields. Text seldom is. */
static bool could_be_message(mrpc_input in)
{
    mrpc_unknown_field field;
    if (in.at == in.end)
        return false;
    while (mrpc_unknown_next(&in, &field))
        ;
    return in.at == in.end;
}

static void print_guess(struct mrpc_printer *out, mrpc_input in, uint64_t number, uint32_t levels)
{
    mrpc_print_format(out, "%" PRIu64 " {\n", number);
    out->indent++;
    print_input(out, in, levels);
    out->indent--;
    mrpc_print_indent(out);
    mrpc_print(out, "}\n", 2);
}

static bool print_unknown_bytes(struct mrpc_printer *out, mrpc_input *in, uint64_t number, uint32_t levels)
{
    uint64_t size;
    if (!take_varint(in, &size) || size > (size_t)(in->end - in->at))
        return false;
    mrpc_input bytes = {in->at, in->at + size};
    in->at = bytes.end;
    mrpc_print_indent(out);
    if (levels > 0 && could_be_message(bytes)) {
        print_guess(out, bytes, number, levels - 1);
        return true;
    }
    mrpc_print_format(out, "%" PRIu64 ": ", number);
    mrpc_print_quoted(out, (mrpc_bytes){.data = (uint8_t *)(uintptr_t)bytes.at, .size = (size_t)size}, false);
    mrpc_print(out, "\n", 1);
    return true;
}

static bool open_unknown_group(struct mrpc_printer *out, uint32_t outermost, uint64_t number)
{
    if (out->indent - outermost >= MRPC_DEPTH_LIMIT)
        return false;
    mrpc_print_indent(out);
    mrpc_print_format(out, "%" PRIu64 " {\n", number);
    out->indent++;
    return true;
}

static bool close_group(struct mrpc_printer *out, uint32_t outermost)
{
    if (out->indent == outermost)
        return false;
    out->indent--;
    mrpc_print_indent(out);
    mrpc_print(out, "}\n", 2);
    return true;
}

static bool print_unknown_field(struct mrpc_printer *out, mrpc_input *in, uint32_t outermost, uint32_t levels)
{
    uint64_t tag;
    if (!take_varint(in, &tag))
        return false;
    switch (tag & 7) { /* the wire types of the encoding guide */
    case 0:
    case 1:
    case 5:
        return print_unknown_number(out, in, tag & 7, tag >> 3);
    case 2:
        return print_unknown_bytes(out, in, tag >> 3, levels);
    case 3:
        return open_unknown_group(out, outermost, tag >> 3);
    case 4:
        return close_group(out, outermost);
    default:
        return false;
    }
}

static void print_input(struct mrpc_printer *out, mrpc_input in, uint32_t levels)
{
    uint32_t outermost = out->indent;
    bool sound = true;
    while (sound && in.at < in.end)
        sound = print_unknown_field(out, &in, outermost, levels);
    if (!sound || out->indent != outermost)
        mrpc_print_comment(out, "# unknown fields that are not well-formed");
    while (close_group(out, outermost))
        ;
}

/* All that is left of the input. */
static void print_rest(struct mrpc_printer *out, mrpc_input in)
{
    if (!out->hide_unknown)
        print_input(out, in, GUESSED_LEVELS);
}

/* --- extensions --- */

/* A field that is an extension, or a part of it. */
typedef struct known_field {
    const mrpc_extension *extension;
    const uint8_t *start;
    size_t size;
} known_field;

/* What prints that a file knows of a message's extensions: the file of the message that is printed, that of the message
 * itself, and the registry. */
static const mrpc_extension *find_number(const struct mrpc_printer *out, const mrpc_type *type, uint32_t number)
{
    const mrpc_extension *extension = out->file != NULL ? mrpc_file_find_extension(out->file, type, number) : NULL;
    if (extension == NULL && type->file != NULL)
        extension = mrpc_file_find_extension(type->file, type, number);
    return extension != NULL ? extension : mrpc_registry_find(out->registry, type, number);
}

/* The extension that a field belongs to; NULL: none that is known. */
static const mrpc_extension *find(const struct mrpc_printer *out, const mrpc_type *type, mrpc_unknown_field field)
{
    mrpc_unknown_field plain = field;
    if (type->field_count == 0)
        (void)mrpc_unknown_take_item(&plain);
    const mrpc_extension *extension = find_number(out, type, plain.number);
    return extension != NULL && mrpc_extension_is(extension, &field) ? extension : NULL;
}

static size_t count_known(const struct mrpc_printer *out, const mrpc_type *type, mrpc_input in)
{
    mrpc_unknown_field field;
    size_t count = 0;
    while (mrpc_unknown_next(&in, &field))
        count += find(out, type, field) != NULL;
    return count;
}

/* By number; the parts of one in the order in which they came. */
static int by_number(const void *a, const void *b)
{
    const known_field *left = a, *right = b;
    uint32_t first = left->extension->field.number, second = right->extension->field.number;
    if (first != second)
        return first > second ? 1 : -1;
    return (left->start > right->start) - (left->start < right->start);
}

/* Puts the fields of all known extensions one behind the other into `bytes`, and into `list` what is where. */
static void collect(const struct mrpc_printer *out, const mrpc_type *type, mrpc_input in, known_field *list,
                    uint8_t *bytes)
{
    mrpc_unknown_field field;
    size_t count = 0;
    while (mrpc_unknown_next(&in, &field)) {
        const mrpc_extension *extension = find(out, type, field);
        if (extension != NULL)
            list[count++] = (known_field){extension, field.start, (size_t)(field.behind - field.start)};
    }
    qsort(list, count, sizeof *list, by_number);
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes, list[i].start, list[i].size);
        list[i].start = bytes;
        bytes += list[i].size;
    }
}

static void print_one(struct mrpc_printer *out, const mrpc_extension *extension, const void *value, uint32_t depth)
{
    mrpc_print_indent(out);
    mrpc_print_text(out, "[");
    mrpc_print_text(out, mrpc_extension_name(extension));
    mrpc_print_text(out, "]");
    mrpc_print_value(out, &extension->field, value, depth);
}

/* A message that cannot be decoded is printed as any unknown field. */
static void print_message(struct mrpc_printer *out, const mrpc_extension *extension, mrpc_input in, uint32_t depth)
{
    void *value = NULL;
    if (mrpc_extension_merge(extension, in, NULL, &value, NULL) != 0) {
        print_rest(out, in);
        return;
    }
    print_one(out, extension, &value, depth);
    mrpc_release(value);
}

static void print_element(struct mrpc_printer *out, const mrpc_extension *extension, const mrpc_element *element,
                          uint32_t depth)
{
    mrpc_bytes value = {0}; /* or a number, which is smaller */
    mrpc_element_store(extension, element, &value);
    print_one(out, extension, &value, depth);
}

/* What a closed enum does not name is no value, and printed as any unknown field when there is no other. */
static void print_values(struct mrpc_printer *out, const mrpc_extension *extension, mrpc_input in, uint32_t depth)
{
    mrpc_elements walk = {.extension = extension, .in = in};
    mrpc_element element, last = {0};
    bool found = false;
    for (; mrpc_elements_next(&walk, &element); found = true) {
        if (mrpc_extension_is_list(extension))
            print_element(out, extension, &element, depth);
        last = element;
    }
    if (!found)
        print_rest(out, in);
    else if (!mrpc_extension_is_list(extension))
        print_element(out, extension, &last, depth);
}

/* All fields that belong to one extension. Each message of a list stands in a field of its own. */
static void print_extension(struct mrpc_printer *out, const known_field *list, size_t count, uint32_t depth)
{
    const mrpc_extension *extension = list->extension;
    bool is_message = mrpc_field_is_message(&extension->field);
    mrpc_input all = {list->start, list[count - 1].start + list[count - 1].size};
    if (!is_message)
        print_values(out, extension, all, depth);
    else if (!mrpc_extension_is_list(extension))
        print_message(out, extension, all, depth);
    for (size_t i = 0; is_message && mrpc_extension_is_list(extension) && i < count; i++)
        print_message(out, extension, (mrpc_input){list[i].start, list[i].start + list[i].size}, depth);
}

/* False: there is no memory, and nothing was printed. */
static bool print_known(struct mrpc_printer *out, const mrpc_type *type, mrpc_input in, size_t count, uint32_t depth)
{
    known_field *list = calloc(count, sizeof *list);
    uint8_t *bytes = malloc((size_t)(in.end - in.at));
    bool good = list != NULL && bytes != NULL;
    if (good)
        collect(out, type, in, list, bytes);
    for (size_t i = 0, next; good && i < count; i = next) {
        next = i + 1;
        while (next < count && list[next].extension == list[i].extension)
            next++;
        print_extension(out, &list[i], next - i, depth);
    }
    free(bytes);
    free(list);
    return good;
}

void mrpc_print_unknown(struct mrpc_printer *out, const mrpc_type *type, const void *message, uint32_t depth)
{
    mrpc_input in = mrpc_unknown_of(message);
    mrpc_unknown_field field;
    size_t known = count_known(out, type, in);
    if (known == 0 || !print_known(out, type, in, known, depth)) {
        print_rest(out, in);
        return;
    }
    while (mrpc_unknown_next(&in, &field))
        if (find(out, type, field) == NULL)
            print_rest(out, (mrpc_input){field.start, field.behind});
    print_rest(out, in);
}
