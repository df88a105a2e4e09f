/* SPDX-License-Identifier: BSD-2-Clause */
/* mrpcctl.c - asks a running program about its mrpc runtime and replaces its modules, over its control socket */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <mrpc/visibility.h>

#include "tools/doctor.h"

enum { DONE = 0, REFUSED = 1, USAGE = 2, UNREACHABLE = 3, ANSWER_LIMIT = 1 << 20, COLUMNS = 16, ANSWER_TIMEOUT_S = 60 };

typedef struct ctl_command {
    const char *name;
    const char *argument; /* what it is called in the help; NULL: none */
    const char *help;
    bool is_path; /* relative to the folder of mrpcctl, not of the program */
} ctl_command;

static const ctl_command commands[] = {
    {"modules", NULL, "the marshal and service modules that the program uses, and their versions", false},
    {"upgrade", "FILE.so", "check a module and put it in place of the one that is used now", true},
    {"rollback", "NAME", "put the version before back; NAME as `modules` shows it, e.g. kv.proto", false},
    {"counters", NULL, "what the runtime has counted since it was made", false},
    {"stamps", NULL, "messages received, by the build of the peer's module that wrote them", false},
    {"doctor", NULL, "what is missing on this machine for rdma://, and what to do; asks no program", false},
};

/* The answer of the program: NUL-terminated lines of tab-separated fields, or a reason. */
typedef struct ctl_answer {
    bool ok;
    char *text;
    size_t size;
} ctl_answer;

static void print_usage(FILE *out)
{
    fputs("usage: mrpcctl [-s SOCKET] [--json] COMMAND [ARGUMENT]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-9s %-8s %s\n", commands[i].name, commands[i].argument != NULL ? commands[i].argument : "",
                commands[i].help);
    fputs(
        "\n"
        "  -s, --socket SOCKET  the program's control socket, or a folder with the only one (default: the environment\n"
        "                       variable MRPC_CONTROL)\n"
        "  -j, --json           rows as JSON objects\n"
        "  -h, --help           this text\n"
        "  -V, --version        the version\n"
        "\n"
        "Exit status: 0 done, 1 refused by the program or something is missing, 2 wrong usage, 3 no program was "
        "reached.\n",
        out);
}

/* --- talking --- */

/* What may be wrong, and what to do, when connect() has failed. */
static const char *hint_for(const char *path, int failure)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return "; it is not a socket: name the path that the program's MRPC_CONTROL or option `control` has";
    switch (failure) {
    case ENOENT:
    case ENOTDIR:
        return "; is the program running, with MRPC_CONTROL or the option `control` set to this path?";
    case ECONNREFUSED:
        return "; the program that made it has ended: start it again";
    case EACCES:
        return "; only root and the user of the program may use it: run mrpcctl as one of them";
    case EAGAIN:
        return "; the program does not take the connection: is it stopped?";
    default:
        return "";
    }
}

/* False: the path is too long. */
static bool set_path(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path)
        return false;
    memcpy(address->sun_path, path, length + 1);
    return true;
}

static int reach(const char *path)
{
    struct sockaddr_un address;
    if (!set_path(&address, path)) {
        fprintf(stderr, "mrpcctl: the path of a socket has at most %zu bytes: %s\n", sizeof address.sun_path - 1, path);
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int failure = errno;
    fprintf(stderr, "mrpcctl: cannot reach the control socket %s: %s%s\n", path, strerror(failure),
            hint_for(path, failure));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Whether a program listens at a socket. */
static bool is_served(const char *path)
{
    struct sockaddr_un address;
    if (!set_path(&address, path))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served = fd >= 0 && (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return served;
}

/* The one socket in the folder that a program listens at; NULL after a message. Sockets of programs that were killed
 * are passed over. */
static const char *find_socket(const char *folder, glob_t *found)
{
    char pattern[PATH_MAX];
    const char *only = NULL;
    int count = 0;
    snprintf(pattern, sizeof pattern, "%s/*.sock", folder);
    if (glob(pattern, 0, NULL, found) != 0)
        found->gl_pathc = 0;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        if (!is_served(found->gl_pathv[i]))
            continue;
        if (++count == 2)
            fprintf(stderr, "mrpcctl: several runtimes have a control socket in %s; choose one with -s:\n%s\n", folder,
                    only);
        if (count >= 2)
            fprintf(stderr, "%s\n", found->gl_pathv[i]);
        only = found->gl_pathv[i];
    }
    if (count == 0)
        fprintf(stderr,
                "mrpcctl: no program that runs has a control socket in %s; was it started with MRPC_CONTROL set to "
                "this folder?\n",
                folder);
    return count == 1 ? only : NULL;
}

static bool send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = send(fd, data, size, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0)
            data += count, size -= (size_t)count;
    }
    return true;
}

static bool receive_all(int fd, char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = recv(fd, data, size, 0);
        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        if (count > 0)
            data += count, size -= (size_t)count;
    }
    return true;
}

/* "ok SIZE" or "error NAME SIZE". */
static bool parse_head(const char *head, ctl_answer *answer)
{
    answer->ok = strncmp(head, "ok ", 3) == 0;
    const char *number = strrchr(head, ' ');
    if ((!answer->ok && strncmp(head, "error ", 6) != 0) || number == NULL)
        return false;
    char *end;
    answer->size = strtoul(number + 1, &end, 10);
    return *end == '\0' && end != number + 1 && answer->size <= ANSWER_LIMIT;
}

static bool receive_answer(int fd, ctl_answer *answer)
{
    char head[64];
    size_t length = 0;
    do {
        if (length == sizeof head || !receive_all(fd, head + length, 1))
            return false;
    } while (head[length++] != '\n');
    head[length - 1] = '\0';
    if (!parse_head(head, answer))
        return false;
    answer->text = malloc(answer->size + 1);
    if (answer->text == NULL || !receive_all(fd, answer->text, answer->size))
        return false;
    answer->text[answer->size] = '\0';
    return true;
}

/* --- showing --- */

/* Cuts the next field of a row off; NULL when there is none. */
static char *next_field(char **row)
{
    if (*row == NULL)
        return NULL;
    char *field = *row, *tab = strchr(field, '\t');
    *row = tab != NULL ? tab + 1 : NULL;
    if (tab != NULL)
        *tab = '\0';
    return field;
}

/* Cuts the next row off; NULL when there is none. */
static char *next_row(char **text)
{
    if (**text == '\0')
        return NULL;
    char *row = *text, *end = strchrnul(row, '\n');
    *text = *end == '\0' ? end : end + 1;
    *end = '\0';
    return row;
}

static void measure_columns(const char *text, size_t widths[COLUMNS])
{
    size_t column = 0, width = 0;
    for (; *text != '\0'; text++) {
        if (*text != '\t' && *text != '\n') {
            width++;
            continue;
        }
        if (column < COLUMNS && width > widths[column])
            widths[column] = width;
        column = *text == '\n' ? 0 : column + 1;
        width = 0;
    }
}

static bool is_number(const char *field)
{
    return *field != '\0' && strspn(field, "0123456789") == strlen(field);
}

static void print_table(char *text)
{
    size_t widths[COLUMNS] = {0};
    measure_columns(text, widths);
    for (char *row; (row = next_row(&text)) != NULL;) {
        char *field;
        for (size_t column = 0; (field = next_field(&row)) != NULL && column < COLUMNS; column++) {
            const char *gap = column > 0 ? "  " : "";
            int width = (int)widths[column];
            if (is_number(field))
                printf("%s%*s", gap, width, field);
            else if (row != NULL)
                printf("%s%-*s", gap, width, field);
            else
                printf("%s%s", gap, field);
        }
        putchar('\n');
    }
}

static void print_json_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_json_row(char *row, char *const names[COLUMNS], size_t count)
{
    putchar('{');
    char *field;
    for (size_t column = 0; column < count && (field = next_field(&row)) != NULL; column++) {
        fputs(column > 0 ? ", " : "", stdout);
        print_json_string(names[column]);
        fputs(": ", stdout);
        if (is_number(field) && (field[0] != '0' || field[1] == '\0'))
            fputs(field, stdout);
        else
            print_json_string(field);
    }
    putchar('}');
}

static void print_json(char *text)
{
    char *names[COLUMNS], *row = next_row(&text), *name;
    size_t count = 0;
    while (count < COLUMNS && (name = next_field(&row)) != NULL)
        names[count++] = name;
    fputs("[", stdout);
    for (const char *gap = "\n"; (row = next_row(&text)) != NULL; gap = ",\n") {
        fputs(gap, stdout);
        print_json_row(row, names, count);
    }
    puts("\n]");
}

/* --- asking --- */

static const ctl_command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* The request, or NULL after a message. The caller frees it. */
static char *make_request(const ctl_command *command, const char *argument)
{
    char folder[PATH_MAX] = "";
    if (argument != NULL && command->is_path && argument[0] != '/' && getcwd(folder, sizeof folder) == NULL) {
        fprintf(stderr, "mrpcctl: cannot find the current folder: %s\n", strerror(errno));
        return NULL;
    }
    char *request = NULL;
    int length = asprintf(&request, "%s%s%s%s%s\n", command->name, argument != NULL ? " " : "", folder,
                          folder[0] != '\0' ? "/" : "", argument != NULL ? argument : "");
    if (length < 0) {
        fputs("mrpcctl: out of memory\n", stderr);
        return NULL;
    }
    if (length > 4096 || strchr(request, '\n') != request + length - 1) {
        fputs("mrpcctl: the argument is too long or contains a newline\n", stderr);
        free(request);
        return NULL;
    }
    return request;
}

static int show(ctl_answer *answer, bool json)
{
    if (!answer->ok) {
        fprintf(stderr, "mrpcctl: %s\n", answer->text);
        return REFUSED;
    }
    if (json)
        print_json(answer->text);
    else
        print_table(answer->text);
    return fflush(stdout) == 0 ? DONE : UNREACHABLE;
}

static int ask(const char *path, const char *request, bool json)
{
    int fd = reach(path);
    if (fd < 0)
        return UNREACHABLE;
    ctl_answer answer = {0};
    int result = UNREACHABLE;
    if (send_all(fd, request, strlen(request)) && receive_answer(fd, &answer))
        result = show(&answer, json);
    else
        fprintf(stderr, "mrpcctl: the program at %s did not answer as it should: %s\n", path,
                errno == EAGAIN ? "no answer came in time" : "it closed the connection");
    free(answer.text);
    close(fd);
    return result;
}

/* The one command that is about the machine. */
static int examine(bool json)
{
    ctl_answer answer = {.ok = true};
    FILE *out = open_memstream(&answer.text, &answer.size);
    if (out == NULL) {
        fputs("mrpcctl: out of memory\n", stderr);
        return UNREACHABLE;
    }
    const char *path = getenv("MRPC_MODULE_PATH");
    char *folders = NULL;
    bool complete =
        asprintf(&folders, "%s%s%s", path != NULL ? path : "", path != NULL ? ":" : "", MRPC_MODULE_DIR) >= 0;
    bool well = complete && mrpc_doctor(out, "", folders);
    int result = fclose(out) == 0 && complete ? show(&answer, json) : UNREACHABLE;
    free(folders);
    free(answer.text);
    return result == DONE && !well ? REFUSED : result;
}

static int ask_at(const char *path, const char *request, bool json)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
        return ask(path, request, json);
    glob_t found = {0};
    const char *only = find_socket(path, &found);
    int result = only != NULL ? ask(only, request, json) : UNREACHABLE;
    globfree(&found);
    return result;
}

static int usage_error(const char *text, const char *detail)
{
    fprintf(stderr, "mrpcctl: %s%s; mrpcctl --help shows what there is\n", text, detail);
    return USAGE;
}

static int run(const char *path, bool json, char **words, int count)
{
    if (count == 0)
        return usage_error("a command is missing", "");
    const ctl_command *command = find_command(words[0]);
    if (command == NULL)
        return usage_error("there is no command ", words[0]);
    if (command->argument != NULL && count < 2)
        return usage_error("an argument is missing: ", command->argument);
    if (count > (command->argument != NULL ? 2 : 1))
        return usage_error("too many arguments for ", words[0]);
    if (strcmp(command->name, "doctor") == 0)
        return examine(json);
    if (path == NULL || *path == '\0')
        return usage_error("no control socket: use -s SOCKET or set MRPC_CONTROL", "");
    char *request = make_request(command, command->argument != NULL ? words[1] : NULL);
    if (request == NULL)
        return USAGE;
    int result = ask_at(path, request, json);
    free(request);
    return result;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"socket", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {NULL, 0, NULL, 0}};
    const char *path = getenv("MRPC_CONTROL");
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, "s:jhV", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            path = optarg;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            print_usage(stdout);
            return DONE;
        case 'V':
            puts("mrpcctl " MRPC_VERSION_STRING);
            return DONE;
        default:
            print_usage(stderr);
            return USAGE;
        }
    }
    return run(path, json, argv + optind, argc - optind);
}
