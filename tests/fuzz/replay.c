/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - runs a fuzz target over all files of its corpus, for `make check`
 *
 * The corpus is $top_srcdir/tests/fuzz/FOLDER/corpus/NAME for a program tests/fuzz/FOLDER/replay-NAME; or what is named
 * on the command line.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_LIMIT = 1 << 20, PATH_LIMIT = 4096 };

static int replay_file(const char *path)
{
    static uint8_t data[INPUT_LIMIT];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    for (size_t cut = size / 2; cut > 0; cut /= 2) /* and what is left when it is cut off */
        (void)LLVMFuzzerTestOneInput(data, size - cut);
    return 0;
}

static int replay_folder(const char *folder)
{
    char path[PATH_LIMIT];
    unsigned count = 0, failed = 0;
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        fprintf(stderr, "%s: %s\n", folder, strerror(errno));
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= PATH_LIMIT)
            continue;
        failed += (unsigned)replay_file(path);
        count++;
    }
    closedir(entries);
    printf("%s: %u inputs\n", folder, count);
    return failed != 0 || count == 0;
}

int main(int argc, char **argv)
{
    char folder[PATH_LIMIT];
    const char *source = getenv("top_srcdir"), *name = strstr(argv[0], "replay-");
    if (argc > 1)
        return replay_folder(argv[1]);
    if (source == NULL || name == NULL ||
        snprintf(folder, sizeof folder, "%s/tests/fuzz/" FUZZ_FOLDER "/corpus/%s", source, name + 7) >= PATH_LIMIT) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    return replay_folder(folder);
}
