/* SPDX-License-Identifier: BSD-2-Clause */
/* request.c - fuzz target: the plugin answers whatever request comes, with code or with an error, and gives all back */
#include "config.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "protoc-gen-mrpc/generator.h"
#include "protoc-gen-mrpc/libprotoc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : (perror("request: " #condition), abort()))

/* The request is a file that the plugin has as its standard input; what it answers and says is not looked at. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "protoc-gen-mrpc", *arguments[] = {name, NULL};
    int request = memfd_create("request", MFD_CLOEXEC), nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    REQUIRE(request >= 0 && nothing >= 0 && out >= 0 && err >= 0);
    REQUIRE(write(request, data, size) == (ssize_t)size && lseek(request, 0, SEEK_SET) == 0);
    REQUIRE(dup2(request, STDIN_FILENO) == STDIN_FILENO && dup2(nothing, STDOUT_FILENO) == STDOUT_FILENO);
    if (getenv("FUZZ_ALOUD") == NULL)
        REQUIRE(dup2(nothing, STDERR_FILENO) == STDERR_FILENO);
    int status = plugin_main(1, arguments, generate_all);
    REQUIRE(dup2(out, STDOUT_FILENO) == STDOUT_FILENO && dup2(err, STDERR_FILENO) == STDERR_FILENO);
    REQUIRE(status == 0 || status == 1);
    close(request);
    close(nothing);
    close(out);
    close(err);
    return 0;
}
