/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_corpus.c - reads a tree of files into memory */
#include "kv_corpus.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 1 << 20, DOCUMENT_LIMIT = 4000, LARGE_BYTES = 6 << 20 };

static bool add_document(kv_corpus *corpus, const char *name, void *text, size_t size)
{
    if (corpus->count == corpus->capacity) {
        size_t capacity = corpus->capacity * 2 + 64;
        kv_document *documents = realloc(corpus->documents, capacity * sizeof documents[0]);
        if (documents == NULL)
            return false;
        corpus->documents = documents;
        corpus->capacity = capacity;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return false;
    corpus->documents[corpus->count++] = (kv_document){copy, {text, size}};
    corpus->bytes += size;
    return true;
}

/* A file that cannot be read, or is not what it seemed, is left out. False: no memory. */
static bool read_file(kv_corpus *corpus, const char *path, const char *name, size_t size)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return true;
    char *text = malloc(size > 0 ? size : 1);
    bool whole = text != NULL && fread(text, 1, size, file) == size;
    fclose(file);
    if (whole && add_document(corpus, name, text, size))
        return true;
    free(text);
    return text != NULL && !whole;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool read_tree(kv_corpus *corpus, FTS *tree, size_t skip, size_t limit)
{
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL && corpus->count < DOCUMENT_LIMIT && corpus->bytes < limit;) {
        if (entry->fts_info != FTS_F || entry->fts_statp->st_size > FILE_LIMIT || strlen(entry->fts_path) <= skip)
            continue;
        if (!read_file(corpus, entry->fts_accpath, entry->fts_path + skip, (size_t)entry->fts_statp->st_size))
            return false;
    }
    return true;
}

/* The documents one after the other, again and again, up to LARGE_BYTES. */
static bool make_large(kv_corpus *corpus)
{
    char *large = malloc(LARGE_BYTES);
    if (large == NULL)
        return false;
    size_t size = 0;
    for (size_t i = 0; size < LARGE_BYTES; i = (i + 1) % corpus->count) {
        kv_slice text = corpus->documents[i].text;
        size_t part = text.size < LARGE_BYTES - size ? text.size : LARGE_BYTES - size;
        memcpy(large + size, text.data, part);
        size += part;
    }
    corpus->large = (kv_slice){large, size};
    return true;
}

bool kv_corpus_read(kv_corpus *corpus, const char *folder, size_t limit)
{
    *corpus = (kv_corpus){0};
    char *paths[] = {(char *)folder, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (tree == NULL) {
        fprintf(stderr, "kv_client: cannot read %s: %s\n", folder, strerror(errno));
        return false;
    }
    bool good = read_tree(corpus, tree, strlen(folder) + 1, limit);
    fts_close(tree);
    if (good && corpus->bytes == 0) {
        fprintf(stderr, "kv_client: there are no files below %s\n", folder);
        good = false;
    } else if (!good || !make_large(corpus)) {
        fputs("kv_client: no memory for the data\n", stderr);
        good = false;
    }
    if (!good)
        kv_corpus_free(corpus);
    return good;
}

void kv_corpus_free(kv_corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++) {
        free(corpus->documents[i].name);
        free((void *)corpus->documents[i].text.data);
    }
    free(corpus->documents);
    free((void *)corpus->large.data);
    *corpus = (kv_corpus){0};
}
