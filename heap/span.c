/* SPDX-License-Identifier: BSD-2-Clause */
/* span.c - the bins of free spans: good fit with a bound on the search, as in TLSF (Masmano et al., ECRTS 2004) */
#include "config.h"

#include "heap/span.h"

#define SPAN_SEARCH 16
#define EXACT_BINS 32

/* The bin that spans of this size lie in. */
static unsigned bin_of(uint32_t count)
{
    if (count <= EXACT_BINS)
        return count - 1;
    unsigned doubling = 31 - (unsigned)__builtin_clz(count); /* 5 to 31 */
    return EXACT_BINS + (doubling - 5) * 4 + ((count >> (doubling - 2)) & 3);
}

void mrpc_pages_init(mrpc_pages *pages, uint32_t *owner, mrpc_span *span)
{
    *pages = (mrpc_pages){.owner = owner, .span = span};
    for (unsigned i = 0; i < MRPC_BIN_COUNT; i++)
        pages->bin[i] = MRPC_NO_PAGE;
}

static void put_in_bin(mrpc_pages *pages, uint32_t first, uint32_t count)
{
    unsigned bin = bin_of(count);
    mrpc_span *span = &pages->span[first];
    span->kind = MRPC_SPAN_FREE;
    span->pages = count;
    span->previous = MRPC_NO_PAGE;
    span->next = pages->bin[bin];
    if (span->next != MRPC_NO_PAGE)
        pages->span[span->next].previous = first;
    pages->bin[bin] = first;
    pages->bitmap[bin / 64] |= UINT64_C(1) << (bin % 64);
    pages->owner[first] = first;
    pages->owner[first + count - 1] = first;
}

static void take_from_bin(mrpc_pages *pages, uint32_t first)
{
    mrpc_span *span = &pages->span[first];
    unsigned bin = bin_of(span->pages);
    if (span->next != MRPC_NO_PAGE)
        pages->span[span->next].previous = span->previous;
    if (span->previous != MRPC_NO_PAGE)
        pages->span[span->previous].next = span->next;
    else
        pages->bin[bin] = span->next;
    if (pages->bin[bin] == MRPC_NO_PAGE)
        pages->bitmap[bin / 64] &= ~(UINT64_C(1) << (bin % 64));
    span->kind = MRPC_SPAN_NONE;
}

static uint32_t align_up(uint32_t page, uint32_t alignment)
{
    return (page + alignment - 1) & ~(alignment - 1);
}

/* The smallest of the first few spans of a bin in which an aligned run of `count` pages fits. */
static uint32_t search_bin(const mrpc_pages *pages, unsigned bin, uint32_t count, uint32_t alignment)
{
    uint32_t best = MRPC_NO_PAGE;
    uint32_t first = pages->bin[bin];
    for (int i = 0; i < SPAN_SEARCH && first != MRPC_NO_PAGE; i++, first = pages->span[first].next) {
        uint32_t size = pages->span[first].pages;
        bool fits = (uint64_t)align_up(first, alignment) + count <= (uint64_t)first + size;
        if (fits && (best == MRPC_NO_PAGE || size < pages->span[best].pages))
            best = first;
    }
    return best;
}

/* The first bin from `bin` on that is not empty; MRPC_BIN_COUNT: none. */
static unsigned next_bin(const mrpc_pages *pages, unsigned bin)
{
    if (bin >= MRPC_BIN_COUNT)
        return MRPC_BIN_COUNT;
    unsigned word = bin / 64;
    uint64_t bits = pages->bitmap[word] & (~UINT64_C(0) << (bin % 64));
    while (bits == 0) {
        if (++word == sizeof pages->bitmap / sizeof pages->bitmap[0])
            return MRPC_BIN_COUNT;
        bits = pages->bitmap[word];
    }
    return word * 64 + (unsigned)__builtin_ctzll(bits);
}

/* Without alignment the second bin that is looked at has only spans that fit. */
static uint32_t find(const mrpc_pages *pages, uint32_t count, uint32_t alignment)
{
    for (unsigned bin = next_bin(pages, bin_of(count)); bin < MRPC_BIN_COUNT; bin = next_bin(pages, bin + 1)) {
        uint32_t first = search_bin(pages, bin, count, alignment);
        if (first != MRPC_NO_PAGE)
            return first;
    }
    return MRPC_NO_PAGE;
}

uint32_t mrpc_pages_take(mrpc_pages *pages, uint32_t count, uint32_t alignment)
{
    uint32_t first = find(pages, count, alignment);
    if (first == MRPC_NO_PAGE)
        return MRPC_NO_PAGE;
    uint32_t end = first + pages->span[first].pages;
    uint32_t start = align_up(first, alignment);
    take_from_bin(pages, first);
    if (start > first)
        put_in_bin(pages, first, start - first);
    if (start + count < end)
        put_in_bin(pages, start + count, end - start - count);
    return start;
}

void mrpc_pages_give(mrpc_pages *pages, uint32_t first, uint32_t count)
{
    pages->span[first].kind = MRPC_SPAN_NONE;
    uint32_t after = first + count;
    if (after < pages->count && pages->span[after].kind == MRPC_SPAN_FREE) {
        take_from_bin(pages, after);
        count += pages->span[after].pages;
    }
    uint32_t before = first > 0 ? pages->owner[first - 1] : MRPC_NO_PAGE;
    if (before != MRPC_NO_PAGE && pages->span[before].kind == MRPC_SPAN_FREE) {
        take_from_bin(pages, before);
        count += first - before;
        first = before;
    }
    put_in_bin(pages, first, count);
}

void mrpc_pages_extend(mrpc_pages *pages, uint32_t count)
{
    uint32_t old = pages->count;
    pages->count = count;
    mrpc_pages_give(pages, old, count - old);
}

uint64_t mrpc_pages_needed(const mrpc_pages *pages, uint32_t count, uint32_t alignment)
{
    uint32_t first = pages->count;
    if (first > 0 && pages->span[pages->owner[first - 1]].kind == MRPC_SPAN_FREE)
        first = pages->owner[first - 1];
    uint64_t start = ((uint64_t)first + alignment - 1) & ~((uint64_t)alignment - 1);
    return start + count;
}

void mrpc_pages_own(mrpc_pages *pages, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        pages->owner[first + i] = first;
}
