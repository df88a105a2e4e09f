/* SPDX-License-Identifier: BSD-2-Clause */
/* random_message.h - messages of any type, the same for the same seed on every machine */
#ifndef MRPC_RANDOM_MESSAGE_H
#define MRPC_RANDOM_MESSAGE_H

#include <mrpc/message.h>

typedef struct random_source {
    uint64_t state;
} random_source;

void random_begin(random_source *source, uint64_t seed);
uint64_t random_next(random_source *source);
/* 0 to limit - 1. */
size_t random_below(random_source *source, size_t limit);

/* Whether there can be a message of the type at all: one that requires itself can never be complete. */
bool random_possible(const mrpc_type *type);

/* A message in an arena of its own over malloc, nested at most `depth` deep but for required ones, now and then with
 * unknown fields. The caller releases it. */
void *random_message(random_source *source, const mrpc_type *type, unsigned depth);

#endif /* MRPC_RANDOM_MESSAGE_H */
