/* SPDX-License-Identifier: BSD-2-Clause */
/* plain.c - an outside program: the installed headers and the installed library fit each other and mrpc.pc */
#include <mrpc/error.h>
#include <mrpc/heap.h>
#include <mrpc/message.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[1], MRPC_VERSION_STRING) != 0) {
        fprintf(stderr, "the headers are of version %s, mrpc.pc is of %s\n", MRPC_VERSION_STRING,
                argc == 2 ? argv[1] : "none");
        return 1;
    }
    return strcmp(mrpc_strerror(MRPC_EINVAL), "invalid argument") != 0;
}
