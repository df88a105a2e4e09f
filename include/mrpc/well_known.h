/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * well_known.h - protobuf's well-known types, which libmrpc has, and what C has for the same: times, messages, values
 *
 * Their structs and functions are in <google/protobuf/NAME.mrpc.h>, generated as for any other schema and installed;
 * their code and marshal modules are in the library. This header brings those that most schemas use, and functions on
 * them that a schema cannot say. (https://protobuf.dev/reference/protobuf/google.protobuf)
 *
 * Nothing here blocks; a message may be read by many threads, or changed by one.
 */
#ifndef MRPC_WELL_KNOWN_H
#define MRPC_WELL_KNOWN_H

#include <time.h>

#include <google/protobuf/any.mrpc.h>
#include <google/protobuf/duration.mrpc.h>
#include <google/protobuf/empty.mrpc.h>
#include <google/protobuf/field_mask.mrpc.h>
#include <google/protobuf/struct.mrpc.h>
#include <google/protobuf/timestamp.mrpc.h>
#include <google/protobuf/wrappers.mrpc.h>
#include <mrpc/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- Timestamp, Duration --- */

/* A point in time as clock_gettime(CLOCK_REALTIME) gives it: seconds since 1970 in UTC, nanoseconds forwards. Each
 * returns 0, or MRPC_EINVAL when nanoseconds are not in [0, 999999999], when the time is not in the years 1 to 9999, or
 * when time_t cannot hold it; then nothing is changed. */
MRPC_API MRPC_MUST_CHECK int mrpc_timestamp_set(google_protobuf_Timestamp *timestamp, struct timespec time);
MRPC_API MRPC_MUST_CHECK int mrpc_timestamp_get(const google_protobuf_Timestamp *timestamp, struct timespec *time);

/* A span of time. In timespec the nanoseconds always count forwards: -1.25 s is {-2, 750000000}; in a Duration they
 * have the sign of the seconds: -1 and -250000000. Each returns 0, or MRPC_EINVAL when nanoseconds are not in [0,
 * 999999999] or have another sign than the seconds, when the span has more than 315576000000 seconds (10000 years) in
 * either direction, or when time_t cannot hold it; then nothing is changed. */
MRPC_API MRPC_MUST_CHECK int mrpc_duration_set(google_protobuf_Duration *duration, struct timespec span);
MRPC_API MRPC_MUST_CHECK int mrpc_duration_get(const google_protobuf_Duration *duration, struct timespec *span);

/* --- Any --- */

/* Puts a message into an Any: the protobuf encoding of it, and "type.googleapis.com/" with the name of its type. The
 * memory comes from the arena of `any`; the message stays the caller's. Returns 0 or, with `any` unchanged, MRPC_EINVAL
 * (no arena; or what mrpc_message_encode() says), MRPC_ENOMEM, MRPC_ELIMIT. */
MRPC_API MRPC_MUST_CHECK int mrpc_any_pack(google_protobuf_Any *any, const mrpc_type *type, const void *message);

/* Whether what is in an Any is a message of the type, going by what stands behind the last slash of type_url. */
MRPC_API bool mrpc_any_is(const google_protobuf_Any *any, const mrpc_type *type);

/* The message in an Any, in an arena of its own over `heap` (NULL: malloc): the caller releases it. Returns 0 or, with
 * the reason in *error, MRPC_EINVAL (it is of another type), MRPC_EFORMAT, MRPC_ENOMEM, MRPC_ENOENT. */
MRPC_API MRPC_MUST_CHECK int mrpc_any_unpack(const google_protobuf_Any *any, const mrpc_type *type, mrpc_heap *heap,
                                             void **message, mrpc_error *error);

/* --- FieldMask --- */

/* Whether the mask has the path or one that it lies below: a mask with "a.b" has "a.b" and "a.b.c", but not "a". */
MRPC_API bool mrpc_field_mask_has(const google_protobuf_FieldMask *mask, const char *path);

/* --- wrappers --- */

/* mrpc_wrap_int32(message, 5) and the like: a wrapper in the arena of a message, to be assigned to a member of it;
 * NULL: no memory, or no arena. mrpc_unwrap_int32(message->member, -1): the value, or -1 when there is no wrapper. */
#define MRPC_WRAPPER(name, type, wrapper)                                                                              \
    MRPC_MUST_CHECK static inline google_protobuf_##wrapper *mrpc_wrap_##name(void *owner, type value)                 \
    {                                                                                                                  \
        google_protobuf_##wrapper *made = google_protobuf_##wrapper##_new_in(owner);                                   \
        if (made != NULL)                                                                                              \
            made->value = value;                                                                                       \
        return made;                                                                                                   \
    }                                                                                                                  \
    static inline type mrpc_unwrap_##name(const google_protobuf_##wrapper *wrapped, type absent)                       \
    {                                                                                                                  \
        return wrapped != NULL ? wrapped->value : absent;                                                              \
    }

MRPC_WRAPPER(double, double, DoubleValue)
MRPC_WRAPPER(float, float, FloatValue)
MRPC_WRAPPER(int64, int64_t, Int64Value)
MRPC_WRAPPER(uint64, uint64_t, UInt64Value)
MRPC_WRAPPER(int32, int32_t, Int32Value)
MRPC_WRAPPER(uint32, uint32_t, UInt32Value)
MRPC_WRAPPER(bool, bool, BoolValue)

#undef MRPC_WRAPPER

/* Likewise, with a copy of the text or bytes in the arena. The text of an absent wrapper is `absent`. */
MRPC_MUST_CHECK static inline google_protobuf_StringValue *mrpc_wrap_string(void *owner, const char *text)
{
    google_protobuf_StringValue *made = google_protobuf_StringValue_new_in(owner);
    return made != NULL && google_protobuf_StringValue_set_value(made, text) == 0 ? made : NULL;
}

static inline const char *mrpc_unwrap_string(const google_protobuf_StringValue *wrapped, const char *absent)
{
    return wrapped != NULL ? wrapped->value.data : absent;
}

MRPC_MUST_CHECK static inline google_protobuf_BytesValue *mrpc_wrap_bytes(void *owner, const void *data, size_t size)
{
    google_protobuf_BytesValue *made = google_protobuf_BytesValue_new_in(owner);
    return made != NULL && google_protobuf_BytesValue_set_value(made, data, size) == 0 ? made : NULL;
}

#ifdef __cplusplus
}
#endif

#endif /* MRPC_WELL_KNOWN_H */
