/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reflect.h - messages whose type the program learns at run time: their fields by name or number, and types that are
 * made of a schema instead of being compiled
 *
 * Values are given and taken as in members and extensions: a number, bool or enum in its C type (int32_t, bool, ...), a
 * string or bytes as mrpc_string or mrpc_bytes, a message as a pointer to it. `value` points to such a value, and must
 * fit mrpc_field.type; that is not checked.
 *
 * Nothing here blocks. Types may be used by many threads; a message may be read by many threads, or changed by one.
 */
#ifndef MRPC_REFLECT_H
#define MRPC_REFLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/error.h>
#include <mrpc/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- fields --- */

/* The field of a type with that number, in logarithmic time, or with that name as in the schema, in linear time; NULL:
 * there is none. All fields are type->fields[0 .. field_count), by number. */
MRPC_API const mrpc_field *mrpc_type_find_field(const mrpc_type *type, uint32_t number);
MRPC_API const mrpc_field *mrpc_type_find_field_name(const mrpc_type *type, const char *name);

/* Whether the message has the field: a list or a map that is not empty; without presence, a value that is not zero. */
MRPC_API bool mrpc_field_has(const mrpc_field *field, const void *message);

/* How many elements a list or a map has; 0 or 1 for any other field. */
MRPC_API size_t mrpc_field_size(const mrpc_field *field, const void *message);

/* Of a field that is no list and no map: its value; zero, empty or NULL when the message does not have it. Also of the
 * fields of a map's entry, where `message` is the entry. */
MRPC_API void mrpc_field_get(const mrpc_field *field, const void *message, void *value);

/* The element of a list, counted from 0; false, and zero, when there are not as many. */
MRPC_API bool mrpc_field_at(const mrpc_field *field, const void *message, size_t index, void *value);

/* The entry of a map, in the order of the keys; NULL when there are not as many. Its fields are those of
 * field->message: the key, then the value. For keys, see mrpc_map_find(). */
MRPC_API const void *mrpc_field_entry(const mrpc_field *field, const void *message, size_t index);

/* Gives a field that is no list and no map a value: text is copied; a message is not, and has to lie in the arena of
 * `message`. The member of a oneof takes the place of the one that was there. Returns 0, or, with the message
 * unchanged, MRPC_ENOMEM or MRPC_EINVAL: a list or a map, a message without an arena, a NULL message, a size without
 * data, a number that the field's closed enum does not name. */
MRPC_API int mrpc_field_set(const mrpc_field *field, void *message, const void *value);

/* Appends an element to a list, as above. */
MRPC_API int mrpc_field_add(const mrpc_field *field, void *message, const void *value);

/* Gives a map's key that value, as above: the message of a value is copied. */
MRPC_API int mrpc_field_put(const mrpc_field *field, void *message, const void *key, const void *value);

/* The message that a field holds, to be changed: made when there is none. Of a list, appended. NULL: there is no
 * memory, or the field is none of messages. */
MRPC_API MRPC_MUST_CHECK void *mrpc_field_make(const mrpc_field *field, void *message);

/* Has the message not have the field. */
MRPC_API void mrpc_field_clear(const mrpc_field *field, void *message);

/* --- types that are made at run time, where the library was built with protoc --- */

/* The files of a schema. Messages of its types are made with mrpc_message_new(), and all that takes a type takes these:
 * the functions above, mrpc_message_encode() and _decode(), text, JSON, copies and comparisons. */
typedef struct mrpc_schema mrpc_schema;

/* Makes the types of `size` bytes of a FileDescriptorSet in the protobuf encoding, such as
 * `protoc --include_imports --descriptor_set_out=FILE` writes; nothing of it is kept. All imports must be in it, before
 * the files that need them. Returns 0 or, with the file and the name in *error, MRPC_EFORMAT (it is damaged, or is no
 * valid schema), MRPC_ENOTSUP (a syntax that is not known), MRPC_ELIMIT (too many fields), MRPC_ENOMEM. The caller ends
 * it with mrpc_schema_free(), after all messages of its types. */
MRPC_API MRPC_MUST_CHECK int mrpc_schema_new(const void *set, size_t size, mrpc_schema **schema, mrpc_error *error);

/* NULL is allowed. */
MRPC_API void mrpc_schema_free(mrpc_schema *schema);

/* The message, or the enum, with that full name, "package.Outer.Inner", in logarithmic time; NULL: there is none. */
MRPC_API const mrpc_type *mrpc_schema_find_type(const mrpc_schema *schema, const char *full_name);
MRPC_API const mrpc_enum *mrpc_schema_find_enum(const mrpc_schema *schema, const char *full_name);

/* Its files, in the order of the set: for mrpc_registry (extension.h), so that extensions and what is in an Any have
 * names in text and JSON. */
MRPC_API const mrpc_file *const *mrpc_schema_files(const mrpc_schema *schema, size_t *count);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_REFLECT_H */
