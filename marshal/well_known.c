/* SPDX-License-Identifier: BSD-2-Clause */
/* well_known.c - see <mrpc/well_known.h> */
#include "config.h"

#include <string.h>

#include <mrpc/well_known.h>

#include "marshal/fields.h"

static const char url_prefix[] = "type.googleapis.com/";

enum { NANOSECONDS = 1000000000 /* of a second */ };

/* Of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, and of 10000 years, as the schemas say. */
static const int64_t first_second = -62135596800, last_second = 253402300799, longest_span = 315576000000;

static bool is_fraction(int64_t nanoseconds)
{
    return nanoseconds >= 0 && nanoseconds < NANOSECONDS;
}

static bool is_time(int64_t seconds)
{
    return seconds >= first_second && seconds <= last_second;
}

/* False: time_t is too narrow. */
static bool fill(struct timespec *time, int64_t seconds, int32_t nanoseconds)
{
    struct timespec filled = {.tv_sec = (time_t)seconds, .tv_nsec = nanoseconds};
    if (filled.tv_sec != seconds)
        return false;
    *time = filled;
    return true;
}

/* --- Timestamp, Duration --- */

int mrpc_timestamp_set(google_protobuf_Timestamp *timestamp, struct timespec time)
{
    if (!is_fraction(time.tv_nsec) || !is_time(time.tv_sec))
        return MRPC_EINVAL;
    timestamp->seconds = time.tv_sec;
    timestamp->nanos = (int32_t)time.tv_nsec;
    return 0;
}

int mrpc_timestamp_get(const google_protobuf_Timestamp *timestamp, struct timespec *time)
{
    if (!is_fraction(timestamp->nanos) || !is_time(timestamp->seconds))
        return MRPC_EINVAL;
    return fill(time, timestamp->seconds, timestamp->nanos) ? 0 : MRPC_EINVAL;
}

/* A span between two seconds below zero: its seconds are those of the one that is nearer to zero. */
int mrpc_duration_set(google_protobuf_Duration *duration, struct timespec span)
{
    int64_t seconds = span.tv_sec, nanoseconds = span.tv_nsec;
    if (!is_fraction(nanoseconds) || seconds > longest_span || seconds < -longest_span - 1)
        return MRPC_EINVAL;
    if (seconds < 0 && nanoseconds > 0) {
        seconds++;
        nanoseconds -= NANOSECONDS;
    }
    if (seconds < -longest_span || (seconds == longest_span && nanoseconds > 0) ||
        (seconds == -longest_span && nanoseconds < 0))
        return MRPC_EINVAL;
    duration->seconds = seconds;
    duration->nanos = (int32_t)nanoseconds;
    return 0;
}

int mrpc_duration_get(const google_protobuf_Duration *duration, struct timespec *span)
{
    int64_t seconds = duration->seconds;
    int32_t nanoseconds = duration->nanos;
    if (nanoseconds <= -NANOSECONDS || nanoseconds >= NANOSECONDS || seconds > longest_span || seconds < -longest_span)
        return MRPC_EINVAL;
    if ((seconds > 0 && nanoseconds < 0) || (seconds < 0 && nanoseconds > 0))
        return MRPC_EINVAL;
    if (nanoseconds < 0) {
        seconds--;
        nanoseconds += NANOSECONDS;
    }
    return fill(span, seconds, nanoseconds) ? 0 : MRPC_EINVAL;
}

/* --- Any --- */

/* What encode is given may be larger the second time only if somebody changes the message meanwhile. */
static int encode_value(google_protobuf_Any *any, const mrpc_type *type, const void *message, mrpc_bytes *value)
{
    int64_t size = mrpc_message_encode(type, message, NULL, 0);
    if (size < 0)
        return (int)size;
    int result = mrpc_bytes_reserve(any, value, (size_t)size);
    if (result != 0)
        return result;
    int64_t again = mrpc_message_encode(type, message, value->data, value->size);
    return again == size ? 0 : again < 0 ? (int)again : MRPC_EINVAL;
}

int mrpc_any_pack(google_protobuf_Any *any, const mrpc_type *type, const void *message)
{
    mrpc_bytes value = {0};
    mrpc_string url = {0};
    int result = encode_value(any, type, message, &value);
    if (result == 0)
        result = mrpc_string_printf(any, &url, "%s%s", url_prefix, type->name);
    if (result != 0)
        return result;
    any->type_url = url;
    any->value = value;
    return 0;
}

bool mrpc_any_is(const google_protobuf_Any *any, const mrpc_type *type)
{
    mrpc_bytes url = mrpc_any_text(&any->type_url);
    size_t size = strlen(type->name);
    return url.size > size && url.data[url.size - size - 1] == '/' &&
           memcmp(url.data + url.size - size, type->name, size) == 0;
}

int mrpc_any_unpack(const google_protobuf_Any *any, const mrpc_type *type, mrpc_heap *heap, void **message,
                    mrpc_error *error)
{
    mrpc_bytes value = mrpc_any_text(&any->value);
    if (!mrpc_any_is(any, type))
        return mrpc_error_set(error, MRPC_EINVAL, "cannot unpack %s: what is in the Any is '%.*s'", type->name,
                              (int)(any->type_url.size < 200 ? any->type_url.size : 200), any->type_url.data);
    return mrpc_message_decode(type, value.data, value.size, heap, message, error);
}

/* --- FieldMask --- */

bool mrpc_field_mask_has(const google_protobuf_FieldMask *mask, const char *path)
{
    for (size_t i = 0; i < mask->paths.size; i++) {
        mrpc_bytes prefix = mrpc_any_text(&mask->paths.data[i]);
        if (prefix.size != 0 && strncmp(path, (const char *)prefix.data, prefix.size) == 0 &&
            (path[prefix.size] == '\0' || path[prefix.size] == '.'))
            return true;
    }
    return false;
}
