/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_corpus.h - real data for the load: the files below some folder, and a few large values made of many of them */
#ifndef KV_CORPUS_H
#define KV_CORPUS_H

#include <stddef.h>

#include "kv_store.h"

typedef struct kv_document {
    char *name; /* path below the folder */
    kv_slice text;
} kv_document;

typedef struct kv_corpus {
    kv_document *documents;
    size_t count, capacity;
    kv_slice large; /* many documents, one behind the other */
    size_t bytes;   /* of all documents */
} kv_corpus;

/* Reads up to `limit` bytes of regular files. False, after a message on stderr, when there is nothing to read or no
 * memory. */
bool kv_corpus_read(kv_corpus *corpus, const char *folder, size_t limit);
void kv_corpus_free(kv_corpus *corpus);

#endif
