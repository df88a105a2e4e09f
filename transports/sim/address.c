/* SPDX-License-Identifier: BSD-2-Clause */
/* address.c - names in a simulation, and how bad its network is */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transports/sim/world.h"

static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* A number up to `most`, which must end at `end`, or at `stop` where one is asked for. */
static bool number(const char *text, const char *end, uint64_t most, uint64_t *value, const char **stop)
{
    char *after;
    if (text == end || *text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long got = strtoull(text, &after, 10);
    if (errno != 0 || got > most || (stop == NULL && after != end) || after > end)
        return false;
    if (stop != NULL)
        *stop = after;
    *value = got;
    return true;
}

static bool delay(mrpc_sim_address *address, const char *text, const char *end)
{
    const char *dash;
    uint64_t least, most;
    if (!number(text, end, 1000000000, &least, &dash) || *dash != '-' ||
        !number(dash + 1, end, 1000000000, &most, NULL))
        return false;
    address->delay_min = least * 1000;
    address->delay_max = most * 1000;
    return least <= most;
}

/* KEY=VALUE in [text, end). */
static bool option(mrpc_sim_address *address, const char *text, const char *end)
{
    uint64_t value;
    address->has_options = true;
    if (strncmp(text, "delay=", 6) == 0)
        return delay(address, text + 6, end);
    if (strncmp(text, "down=", 5) == 0 && number(text + 5, end, 1000000000, &value, NULL)) {
        address->down = value * 1000;
        return true;
    }
    static const struct {
        const char *key;
        size_t length;
        uint64_t most;
        size_t offset;
    } options[] = {{"short=", 6, 100, offsetof(mrpc_sim_address, short_percent)},
                   {"loss=", 5, 1000000, offsetof(mrpc_sim_address, loss)},
                   {"refuse=", 7, 100, offsetof(mrpc_sim_address, refuse_percent)},
                   {"buffer=", 7, 1 << 30, offsetof(mrpc_sim_address, buffer)}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strncmp(text, options[i].key, options[i].length) != 0 ||
            !number(text + options[i].length, end, options[i].most, &value, NULL))
            continue;
        uint32_t small = (uint32_t)value;
        memcpy((char *)address + options[i].offset, &small, sizeof small);
        return true;
    }
    return false;
}

int mrpc_sim_address_parse(mrpc_sim_address *address, const char *text, mrpc_error *error)
{
    *address = (mrpc_sim_address){.delay_min = 1000, .delay_max = 100000, .buffer = 65536};
    size_t length = strspn(text, allowed);
    if (length == 0 || length >= SIM_NAME || (text[length] != '\0' && text[length] != '?'))
        return mrpc_error_set(error, MRPC_EINVAL,
                              "sim://%s: a name has 1 to %d letters, digits and characters out of ._-", text,
                              SIM_NAME - 1);
    memcpy(address->name, text, length);
    const char *next = text + length;
    while (*next != '\0') {
        const char *begin = next + 1, *end = begin + strcspn(begin, "&");
        if (!option(address, begin, end))
            return mrpc_error_set(
                error, MRPC_EINVAL,
                "sim://%s: \"%.*s\" is none of delay=MIN-MAX (µs), short=PERCENT, loss=PARTS_PER_MILLION, "
                "refuse=PERCENT, down=µs, buffer=BYTES",
                address->name, (int)(end - begin), begin);
        next = end;
    }
    if (address->buffer == 0)
        return mrpc_error_set(error, MRPC_EINVAL, "sim://%s: buffer=0 lets nothing through", address->name);
    return 0;
}
