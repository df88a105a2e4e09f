/* SPDX-License-Identifier: BSD-2-Clause */
/* time.c - points in time (RFC 3339) and spans */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json/known.h"

enum { NANOSECONDS = 1000000000, DAY = 86400 };

/* As timestamp.proto and duration.proto say: from the year 1 to 9999; 10,000 years. */
static const int64_t first_second = -62135596800, last_second = 253402300799, longest_span = 315576000000;

/* --- days; http://howardhinnant.github.io/date_algorithms.html --- */

/* Of the proleptic Gregorian calendar, counted from 1970-01-01. */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = (unsigned)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static unsigned days_in(int64_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* --- printing --- */

static void put_fraction(int32_t nanos, char *text, size_t size)
{
    text[0] = '\0';
    if (nanos == 0)
        return;
    if (nanos % 1000000 == 0)
        (void)snprintf(text, size, ".%03" PRId32, nanos / 1000000);
    else if (nanos % 1000 == 0)
        (void)snprintf(text, size, ".%06" PRId32, nanos / 1000);
    else
        (void)snprintf(text, size, ".%09" PRId32, nanos);
}

bool mrpc_json_put_timestamp(int64_t seconds, int32_t nanos, char text[JSON_TIME_SIZE])
{
    if (seconds < first_second || seconds > last_second || nanos < 0 || nanos >= NANOSECONDS)
        return false;
    int64_t of_day = seconds % DAY, year;
    unsigned month, day;
    char fraction[16];
    if (of_day < 0)
        of_day += DAY;
    date_from_days((seconds - of_day) / DAY, &year, &month, &day);
    put_fraction(nanos, fraction, sizeof fraction);
    (void)snprintf(text, JSON_TIME_SIZE, "%04d-%02u-%02uT%02u:%02u:%02u%sZ", (int)year, month, day,
                   (unsigned)(of_day / 3600), (unsigned)(of_day / 60 % 60), (unsigned)(of_day % 60), fraction);
    return true;
}

bool mrpc_json_put_duration(int64_t seconds, int32_t nanos, char text[JSON_TIME_SIZE])
{
    char fraction[16];
    bool opposite = (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0);
    if (seconds < -longest_span || seconds > longest_span || nanos <= -NANOSECONDS || nanos >= NANOSECONDS || opposite)
        return false;
    bool negative = seconds < 0 || nanos < 0;
    put_fraction(nanos < 0 ? -nanos : nanos, fraction, sizeof fraction);
    (void)snprintf(text, JSON_TIME_SIZE, "%s%" PRId64 "%ss", negative ? "-" : "", seconds < 0 ? -seconds : seconds,
                   fraction);
    return true;
}

/* --- parsing --- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static bool take(cursor *in, char c)
{
    bool is = in->at < in->end && *in->at == c;
    in->at += is;
    return is;
}

/* Exactly so many digits. */
static bool take_digits(cursor *in, unsigned count, unsigned *value)
{
    *value = 0;
    for (unsigned i = 0; i < count; i++, in->at++) {
        if (in->at == in->end || *in->at < '0' || *in->at > '9')
            return false;
        *value = *value * 10 + (unsigned)(*in->at - '0');
    }
    return true;
}

/* Of 1 to 9 digits behind a point, which need not be there. */
static bool take_fraction(cursor *in, int32_t *nanos)
{
    int32_t unit = NANOSECONDS;
    *nanos = 0;
    if (!take(in, '.'))
        return true;
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9' && unit > 1; in->at++) {
        unit /= 10;
        *nanos += (*in->at - '0') * unit;
    }
    return unit < NANOSECONDS;
}

/* "Z" or "+01:30". */
static bool take_offset(cursor *in, int64_t *seconds)
{
    unsigned hours, minutes;
    *seconds = 0;
    if (take(in, 'Z'))
        return true;
    bool ahead = take(in, '+');
    if ((!ahead && !take(in, '-')) || !take_digits(in, 2, &hours) || !take(in, ':') || !take_digits(in, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *seconds = (ahead ? 1 : -1) * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

bool mrpc_json_take_timestamp(const char *text, size_t size, int64_t *seconds, int32_t *nanos)
{
    cursor in = {text, text + size};
    unsigned year, month, day, hour, minute, second;
    int64_t offset;
    bool good = take_digits(&in, 4, &year) && take(&in, '-') && take_digits(&in, 2, &month) && take(&in, '-') &&
                take_digits(&in, 2, &day) && take(&in, 'T') && take_digits(&in, 2, &hour) && take(&in, ':') &&
                take_digits(&in, 2, &minute) && take(&in, ':') && take_digits(&in, 2, &second) &&
                take_fraction(&in, nanos) && take_offset(&in, &offset) && in.at == in.end;
    if (!good || month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    *seconds = days_from_date(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    return *seconds >= first_second && *seconds <= last_second;
}

bool mrpc_json_take_duration(const char *text, size_t size, int64_t *seconds, int32_t *nanos)
{
    cursor in = {text, text + size};
    bool negative = take(&in, '-');
    const char *first = in.at;
    *seconds = 0;
    for (; in.at < in.end && *in.at >= '0' && *in.at <= '9' && *seconds <= longest_span; in.at++)
        *seconds = *seconds * 10 + (*in.at - '0');
    if (in.at == first || !take_fraction(&in, nanos) || !take(&in, 's') || in.at != in.end || *seconds > longest_span)
        return false;
    if (negative) {
        *seconds = -*seconds;
        *nanos = -*nanos;
    }
    return true;
}
