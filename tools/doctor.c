/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor.c - looks at what RDMA needs, from the libraries up to the ports, without using any of it */
#include "config.h"

#include "tools/doctor.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MEMLOCK_MIB = 64, TEXT = 256 };

typedef struct examination {
    FILE *out;
    const char *root;
    bool well;
} examination;

static void finding(examination *e, const char *what, const char *wrong, const char *advice)
{
    fprintf(e->out, "%s\t%s\t%s\n", what, wrong == NULL ? "ok" : wrong, wrong == NULL ? "" : advice);
    if (wrong != NULL)
        e->well = false;
}

/* --- libraries and the transport --- */

static void look_at_library(examination *e, const char *name, const char *advice)
{
    void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    finding(e, name, library == NULL ? "cannot be loaded" : NULL, advice);
    if (library != NULL)
        dlclose(library);
}

static void look_at_transport(examination *e, const char *folders)
{
    while (folders != NULL) {
        const char *end = strchrnul(folders, ':');
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%.*s/mrpc-rdma.so", (int)(end - folders), folders);
        if (access(path, R_OK) == 0) {
            finding(e, path, NULL, "");
            return;
        }
        folders = *end == ':' ? end + 1 : NULL;
    }
    finding(e, "mrpc-rdma.so", "not found", "install the package mrpc-rdma, or set MRPC_MODULE_PATH to its folder");
}

/* --- kernel and permissions --- */

static void look_at_file(examination *e, const char *path, const char *absent)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s%s", e->root, path);
    if (access(full, R_OK | W_OK) == 0)
        finding(e, path, NULL, "");
    else if (errno == ENOENT)
        finding(e, path, "not there", absent);
    else
        finding(e, path, strerror(errno), "let the user read and write it: a udev rule, or its group");
}

static void look_at_memlock(examination *e)
{
    struct rlimit limit;
    char wrong[TEXT];
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= (rlim_t)MEMLOCK_MIB << 20) {
        finding(e, "memory that may be locked", NULL, "");
        return;
    }
    snprintf(wrong, sizeof wrong, "%llu KiB", (unsigned long long)limit.rlim_cur / 1024);
    finding(e, "memory that may be locked", wrong,
            "raise it: ulimit -l unlimited, LimitMEMLOCK=infinity in a systemd unit, or /etc/security/limits.conf");
}

/* --- devices --- */

static bool read_line(const examination *e, const char *path, char line[TEXT])
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s%s", e->root, path);
    FILE *file = fopen(full, "re");
    bool got = file != NULL && fgets(line, TEXT, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (got)
        line[strcspn(line, "\n")] = '\0';
    return got;
}

/* Runs look(path, name) for all entries of a folder. Returns how many there are. */
static int each_entry(examination *e, const char *folder,
                      void (*look)(examination *e, const char *path, const char *name))
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s%s", e->root, folder);
    DIR *entries = opendir(full);
    int count = 0;
    for (const struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        look(e, path, entry->d_name);
        count++;
    }
    if (entries != NULL)
        closedir(entries);
    return count;
}

static bool has_address(const examination *e, const char *port)
{
    /* Most entries are empty; the first ones are the port's own addresses. */
    for (int i = 0; i < 16; i++) {
        char path[PATH_MAX], line[TEXT];
        snprintf(path, sizeof path, "%s/gids/%d", port, i);
        if (read_line(e, path, line) && line[strspn(line, "0:")] != '\0')
            return true;
    }
    return false;
}

static void look_at_port(examination *e, const char *port, const char *name)
{
    (void)name;
    char path[PATH_MAX], state[TEXT];
    snprintf(path, sizeof path, "%s/state", port);
    if (!read_line(e, path, state))
        return;
    if (strstr(state, "ACTIVE") == NULL)
        finding(e, port, state, "bring the link up: the cable, ip link set DEVICE up, or the subnet manager");
    else if (!has_address(e, port))
        finding(e, port, "no GID", "give its network interface an address: ip address add ADDRESS/24 dev DEVICE");
    else
        finding(e, port, NULL, "");
}

static void look_at_device(examination *e, const char *device, const char *name)
{
    (void)name;
    char ports[PATH_MAX];
    snprintf(ports, sizeof ports, "%s/ports", device);
    if (each_entry(e, ports, look_at_port) == 0)
        finding(e, device, "no port", "see dmesg");
}

bool mrpc_doctor(FILE *out, const char *root, const char *modules)
{
    examination e = {.out = out, .root = root, .well = true};
    fputs("what\tstate\twhat to do\n", out);
    look_at_library(&e, "libibverbs.so.1", "apt-get install libibverbs1 ibverbs-providers");
    look_at_library(&e, "librdmacm.so.1", "apt-get install librdmacm1");
    look_at_transport(&e, modules);
    look_at_file(&e, "/dev/infiniband/rdma_cm", "modprobe rdma_ucm");
    if (each_entry(&e, "/sys/class/infiniband", look_at_device) == 0)
        finding(
            &e, "RDMA devices", "none",
            "load the card's driver, or try Soft-RoCE: modprobe rdma_rxe; rdma link add rxe0 type rxe netdev DEVICE");
    look_at_memlock(&e);
    return e.well;
}
