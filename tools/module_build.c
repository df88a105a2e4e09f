/* SPDX-License-Identifier: BSD-2-Clause */
/* module_build.c - runs protoc with the plugin, then the C compiler, in a temporary folder; no shell is involved */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/module.h"

extern char **environ;

typedef struct build_work {
    const module_build_options *options;
    char folder[64];       /* temporary */
    char source[PATH_MAX]; /* the generated file in it */
    char output[PATH_MAX];
    char partial[PATH_MAX + 8]; /* renamed to output when it is whole */
} build_work;

static int complain(const char *what, const char *name)
{
    fprintf(stderr, "mrpc-module: %s %s: %s\n", what, name, strerror(errno));
    return 1;
}

/* Runs a program, which says itself what it does not like. 0, or 1. */
static int run(module_list *arguments)
{
    pid_t child;
    int status;
    if (!module_list_add(arguments, NULL))
        return 1;
    const char *program = arguments->items[0];
    int error = posix_spawnp(&child, program, NULL, NULL, (char *const *)arguments->items, environ);
    if (error != 0) {
        fprintf(stderr, "mrpc-module: cannot run %s: %s; install it, or name another in %s\n", program, strerror(error),
                strstr(program, "protoc") != NULL ? "PROTOC" : "CC");
        return 1;
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return complain("cannot wait for", program);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    fprintf(stderr, "mrpc-module: %s failed; its messages stand above\n", program);
    return 1;
}

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

/* The plugin that was installed together with this program, or lies beside it in the build tree; "" when there is none,
 * so that protoc looks in PATH. */
static void find_plugin(char *argument, size_t size)
{
    static const char *const places[] = {"", "/../protoc-gen-mrpc"};
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    argument[0] = '\0';
    if (length <= 0)
        return;
    own[length] = '\0';
    const char *folder = dirname(own);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int written = snprintf(argument, size, "--plugin=protoc-gen-mrpc=%s%s/protoc-gen-mrpc", folder, places[i]);
        if (written > 0 && (size_t)written < size && access(strchr(argument + 9, '=') + 1, X_OK) == 0)
            return;
    }
    argument[0] = '\0';
}

static bool add_all(module_list *list, const module_list *more)
{
    for (size_t i = 0; i < more->count; i++)
        if (!module_list_add(list, more->items[i]))
            return false;
    return true;
}

static bool add_includes(module_list *list, const module_build_options *options, char *folder)
{
    if (options->includes.count == 0)
        return module_list_add(list, "-I") && module_list_add(list, dirname(folder));
    for (size_t i = 0; i < options->includes.count; i++)
        if (!module_list_add(list, "-I") || !module_list_add(list, options->includes.items[i]))
            return false;
    return true;
}

static int generate(const build_work *work)
{
    const module_build_options *options = work->options;
    char plugin[PATH_MAX + 64], output[96], stamp[64], folder[PATH_MAX];
    module_list arguments = {0};
    find_plugin(plugin, sizeof plugin);
    (void)snprintf(output, sizeof output, "--mrpc_out=%s", work->folder);
    (void)snprintf(stamp, sizeof stamp, "--mrpc_opt=stamp=%s", options->stamp != NULL ? options->stamp : "");
    if (strlen(options->schema) >= sizeof folder) {
        errno = ENAMETOOLONG;
        return complain("cannot use", options->schema);
    }
    memcpy(folder, options->schema, strlen(options->schema) + 1);
    bool fits = module_list_add(&arguments, from_environment("PROTOC", "protoc")) &&
                module_list_add(&arguments, output) && (plugin[0] == '\0' || module_list_add(&arguments, plugin)) &&
                (options->stamp == NULL || module_list_add(&arguments, stamp)) &&
                add_includes(&arguments, options, folder);
    for (size_t i = 0; fits && i < options->options.count; i++)
        fits = module_list_add(&arguments, "--mrpc_opt") && module_list_add(&arguments, options->options.items[i]);
    return fits && module_list_add(&arguments, options->schema) ? run(&arguments) : 1;
}

/* Finds the one FILE.marshal.c that protoc left in a folder or in one of the folders below it. */
static bool find_source(const char *folder, char *source, unsigned depth)
{
    DIR *entries = depth != 0 ? opendir(folder) : NULL;
    bool found = false;
    for (struct dirent *entry; entries != NULL && !found && (entry = readdir(entries)) != NULL;) {
        char path[PATH_MAX];
        struct stat about;
        size_t size = strlen(entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path || stat(path, &about) != 0)
            continue;
        if (S_ISDIR(about.st_mode)) {
            found = find_source(path, source, depth - 1);
        } else if (size > 10 && strcmp(entry->d_name + size - 10, ".marshal.c") == 0) {
            memcpy(source, path, strlen(path) + 1);
            found = true;
        }
    }
    if (entries != NULL)
        closedir(entries);
    return found;
}

static int compile(const build_work *work)
{
    static const char *const fixed[] = {"-std=gnu11",           "-fPIC", "-fvisibility=hidden", "-shared",
                                        "-DMRPC_MODULE_SHARED", "-I",    MRPC_INCLUDE_DIR};
    module_list arguments = {0};
    bool fits =
        module_list_add(&arguments, from_environment("CC", "cc")) && add_all(&arguments, &work->options->cflags);
    for (size_t i = 0; fits && i < sizeof fixed / sizeof *fixed; i++)
        fits = module_list_add(&arguments, fixed[i]);
    fits = fits && module_list_add(&arguments, "-o") && module_list_add(&arguments, work->partial) &&
           module_list_add(&arguments, work->source);
    return fits ? run(&arguments) : 1;
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

/* "DIR/kv.proto": "kv.marshal.so". */
static int choose_output(build_work *work)
{
    const char *schema = work->options->schema, *slash = strrchr(schema, '/');
    const char *name = slash != NULL ? slash + 1 : schema;
    size_t size = strlen(name);
    if (size > 6 && strcmp(name + size - 6, ".proto") == 0)
        size -= 6;
    int written = work->options->output != NULL
                      ? snprintf(work->output, sizeof work->output, "%s", work->options->output)
                      : snprintf(work->output, sizeof work->output, "%.*s.marshal.so", (int)size, name);
    if (written < 0 || (size_t)written >= sizeof work->output) {
        errno = ENAMETOOLONG;
        return complain("cannot use", work->options->output != NULL ? work->options->output : name);
    }
    (void)snprintf(work->partial, sizeof work->partial, "%s.part", work->output);
    return 0;
}

static int build_in(build_work *work)
{
    if (generate(work) != 0)
        return 1;
    if (!find_source(work->folder, work->source, 32)) {
        fputs("mrpc-module: protoc wrote no .marshal.c; is the protoc-gen-mrpc that it found of this version?\n",
              stderr);
        return 1;
    }
    if (compile(work) != 0) {
        (void)unlink(work->partial);
        return 1;
    }
    return rename(work->partial, work->output) == 0 ? 0 : complain("cannot write", work->output);
}

int module_build(const module_build_options *options)
{
    build_work work = {.options = options};
    const char *base = from_environment("TMPDIR", "/tmp");
    if (strlen(base) > sizeof work.folder - 24)
        base = "/tmp";
    (void)snprintf(work.folder, sizeof work.folder, "%s/mrpc-module.XXXXXX", base);
    if (choose_output(&work) != 0)
        return 1;
    if (mkdtemp(work.folder) == NULL)
        return complain("cannot make a folder", work.folder);
    int result = build_in(&work);
    (void)nftw(work.folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return result;
}
