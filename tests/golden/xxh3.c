/* SPDX-License-Identifier: BSD-2-Clause */
/* xxh3.c - prints the XXH3 hash (64 bits, no seed) of what it reads, at most 64 KiB, as generated tables have it */
#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int main(void)
{
    static char text[65536];
    size_t size = fread(text, 1, sizeof text, stdin);
    if (ferror(stdin) || !feof(stdin)) {
        fprintf(stderr, "xxh3: the text cannot be read, or is too long\n");
        return 1;
    }
    return printf("0x%016llx\n", (unsigned long long)XXH3_64bits(text, size)) < 0;
}
