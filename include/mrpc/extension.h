/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extension.h - extensions: fields that a file declares for a message which may be in another one
 * (https://protobuf.dev/programming-guides/proto2#extensions)
 *
 * A message keeps its extensions where it keeps all that it does not know: in mrpc_message.unknown, in the protobuf
 * encoding. So it carries those that a program has never heard of like all others, through both encodings, and through
 * copies and comparisons. The functions here read and change single ones there. Generated code wraps them by type: for
 * each extension there is a table NAME, and functions NAME_has(), NAME_get() and so on; see docs/GENERATED.md.
 *
 * Each function goes through the unknown fields of that one message, but not into what is in them: its time is linear
 * in their size. Who reads a list element by element pays that for each; mrpc_extension_get_list() reads all at once.
 * Bytes that are not well-formed, which a native message may bring, end the search: what is before them counts. So does
 * not what has another wire type than the extension, or a number that its closed enum does not name.
 *
 * Values of a type: a number, bool or enum as in a member of that type (int32_t, bool, ...); a string or bytes as
 * mrpc_bytes, which lie in the message, without a NUL behind them, and are valid until an extension of the message is
 * changed; a message or group as a message of its own.
 *
 * Nothing here blocks; a message may be read by many threads, or changed by one.
 */
#ifndef MRPC_EXTENSION_H
#define MRPC_EXTENSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/error.h>
#include <mrpc/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What generated code says of an extension. Constant, as all tables. */
struct mrpc_extension {
    uint32_t table_size; /* sizeof(mrpc_extension) of the generator */
    mrpc_field field;    /* `name` is the full name, "package.Scope.name"; `kind` OPTIONAL or LIST; offset and presence
                            are 0 */
    const mrpc_type *extended; /* the message that has the extension */
    const mrpc_file *file;     /* that declares it */
    const void *absent;        /* its default, a value as above; NULL: zero, or empty */
};

/* --- finding them --- */

/* The extension of a message that a file declares with that number, or with that full name; NULL: none. What the file's
 * imports declare does not count (mrpc_file.dependencies). Types are compared by name. An extension that a message
 * declares for itself in a MessageSet is also found by the name of that message, which it has in text. Time:
 * logarithmic in the number of the file's extensions for a number, linear for a name. */
MRPC_API const mrpc_extension *mrpc_file_find_extension(const mrpc_file *file, const mrpc_type *extended,
                                                        uint32_t number);
MRPC_API const mrpc_extension *mrpc_file_find_extension_name(const mrpc_file *file, const char *full_name);

/* Files whose extensions somebody wants to know. It borrows all that it points to, and needs nothing to be made or
 * ended: `mrpc_registry registry = {files, 2};`. */
typedef struct mrpc_registry {
    const mrpc_file *const *files;
    size_t file_count;
} mrpc_registry;

/* As the functions on a file, in each of the files. A registry of NULL has none. */
MRPC_API const mrpc_extension *mrpc_registry_find(const mrpc_registry *registry, const mrpc_type *extended,
                                                  uint32_t number);
MRPC_API const mrpc_extension *mrpc_registry_find_name(const mrpc_registry *registry, const char *full_name);

/* --- reading --- */

/* Whether the message has it. Of a list, whether there is an element. */
MRPC_API bool mrpc_extension_has(const mrpc_extension *extension, const void *message);

/* How many elements the list has; 0 or 1 for an extension that is none. */
MRPC_API size_t mrpc_extension_size(const mrpc_extension *extension, const void *message);

/* Of one that is neither a list nor a message: its value, or the default. */
MRPC_API void mrpc_extension_get(const mrpc_extension *extension, const void *message, void *value);

/* Of a list that is not one of messages: the element, counted from 0; false, and zero, when there are not as many. */
MRPC_API bool mrpc_extension_at(const mrpc_extension *extension, const void *message, size_t index, void *value);

/* A message, made of all that came for it; *value is NULL when there is none. It lies in the arena of `owner`, which
 * may be `message` itself when that may be changed; or, with NULL, in an arena of its own, and the caller releases it.
 * Changing it does not change the extension: see mrpc_extension_set(). Returns 0 or, with the reason in *error and
 * *value NULL, MRPC_EFORMAT (also: a required field of it is absent), MRPC_ENOMEM, MRPC_EINVAL (the owner has no
 * arena). */
MRPC_API MRPC_MUST_CHECK int mrpc_extension_get_message(const mrpc_extension *extension, const void *message,
                                                        void *owner, void **value, mrpc_error *error);

/* The same for an element of a list of messages; *value is NULL when there are not as many. */
MRPC_API MRPC_MUST_CHECK int mrpc_extension_message_at(const mrpc_extension *extension, const void *message,
                                                       size_t index, void *owner, void **value, mrpc_error *error);

/* All elements: appended to a list of the type that a member would have, in the arena of `owner`, in which they are
 * copies. Errors as mrpc_extension_get_message(); on failure the list has the elements that it had. */
MRPC_API MRPC_MUST_CHECK int mrpc_extension_get_list(const mrpc_extension *extension, const void *message, void *owner,
                                                     void *list, mrpc_error *error);

/* --- changing --- */

/* Gives the extension a value, of which a copy is kept: `value` points to a number, bool or enum, to an mrpc_bytes or
 * mrpc_string, to the message itself, or to a list, whose elements replace all that were there. It becomes part of the
 * message in the order of the numbers. Memory comes from the arena of `message`. Returns 0 or, with the message
 * unchanged, MRPC_EINVAL (no arena; a number that a closed enum does not name; a size without data; what
 * mrpc_message_encode() refuses), MRPC_ENOMEM, MRPC_ELIMIT. */
MRPC_API int mrpc_extension_set(const mrpc_extension *extension, void *message, const void *value);

/* Appends an element to a list, given as above. */
MRPC_API int mrpc_extension_add(const mrpc_extension *extension, void *message, const void *value);

/* Removes it, or all elements of it, from the message. */
MRPC_API void mrpc_extension_clear(const mrpc_extension *extension, void *message);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_EXTENSION_H */
