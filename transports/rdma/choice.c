/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * choice.c - which device, port and GID a connection takes, where the option rdma_device says so, and what else an id
 * is told before it connects
 *
 * The connection manager takes the device that the source address belongs to, so a client that has chosen a device
 * binds to an address of it: RoCE's GIDs are addresses. On other links GIDs are none; there the source has to be given
 * as well, and the device that came of it is compared with the choice.
 */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- NAME/PORT/GID --- */

/* The number behind a '/', if there is one. False: it is none, or too large. */
static bool take_number(const char **text, unsigned long most, int *number)
{
    if (**text == '\0')
        return true;
    char *end;
    const char *digits = *text + 1;
    unsigned long value = strtoul(digits, &end, 10);
    if (**text != '/' || *digits < '0' || *digits > '9' || value > most || (*end != '/' && *end != '\0'))
        return false;
    *number = (int)value;
    *text = end;
    return true;
}

int mrpc_rdma_choice_parse(mrpc_rdma_choice *choice, const char *text, mrpc_error *error)
{
    *choice = (mrpc_rdma_choice){.port = RDMA_ANY, .gid = RDMA_ANY};
    if (text == NULL)
        return 0;
    size_t name = strcspn(text, "/");
    const char *rest = text + name;
    if (name == 0 || name >= sizeof choice->device || !take_number(&rest, UINT8_MAX, &choice->port) ||
        !take_number(&rest, UINT16_MAX, &choice->gid) || *rest != '\0' || choice->port == 0)
        return mrpc_error_set(error, MRPC_EINVAL,
                              "rdma: connection option rdma_device: \"%s\" is not NAME, NAME/PORT or NAME/PORT/GID; "
                              "write e.g. mlx5_0/1/3",
                              text);
    memcpy(choice->device, text, name);
    return 0;
}

/* --- the address of a GID --- */

/* As a socket address of the family. False: it is none. */
static bool address_of(const struct ibv_gid_entry *entry, sa_family_t family, mrpc_address *address)
{
    struct in6_addr gid;
    memcpy(&gid, entry->gid.raw, sizeof gid);
    *address = (mrpc_address){.any.sa_family = family};
    if (entry->gid_type == IBV_GID_TYPE_IB || IN6_IS_ADDR_V4MAPPED(&gid) != (family == AF_INET))
        return false;
    if (family == AF_INET) {
        memcpy(&address->v4.sin_addr, &gid.s6_addr[12], sizeof address->v4.sin_addr);
    } else {
        address->v6.sin6_addr = gid;
        address->v6.sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&gid) ? entry->ndev_ifindex : 0;
    }
    return true;
}

static bool is_chosen(const mrpc_rdma_choice *choice, const struct ibv_gid_entry *entry)
{
    return (choice->port == RDMA_ANY || (uint32_t)choice->port == entry->port_num) &&
           (choice->gid == RDMA_ANY || (uint32_t)choice->gid == entry->gid_index);
}

/* The first address of the family that the device has, among those that were chosen. ENOENT, ENOMEM, ESYS. */
static int find_address(const mrpc_rdma_choice *choice, struct ibv_context *verbs, sa_family_t family,
                        mrpc_address *address, mrpc_error *error)
{
    enum { MOST = 1024 };
    struct ibv_gid_entry *entries = calloc(MOST, sizeof *entries);
    if (entries == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for a table of GIDs");
    ssize_t count = ibv_query_gid_table(verbs, entries, MOST, 0);
    bool found = false;
    for (ssize_t i = 0; i < count && !found; i++)
        found = is_chosen(choice, &entries[i]) && address_of(&entries[i], family, address);
    free(entries);
    if (count < 0)
        return mrpc_rdma_error(error, choice->device, "ibv_query_gid_table", (int)-count);
    if (found)
        return 0;
    return mrpc_error_set(error, MRPC_ENOENT,
                          "rdma: connection option rdma_device: %s has no IPv%d address in the chosen part of its GID "
                          "table (ibv_devinfo -v prints it); give the address as option source",
                          choice->device, family == AF_INET ? 4 : 6);
}

/* ENOENT: says which devices there are. */
static int find_device(const char *name, struct ibv_device **list, int count, struct ibv_device **device,
                       mrpc_error *error)
{
    char there[200] = "";
    for (int i = 0; i < count; i++) {
        const char *other = ibv_get_device_name(list[i]);
        if (strcmp(other, name) == 0) {
            *device = list[i];
            return 0;
        }
        size_t used = strlen(there);
        snprintf(there + used, sizeof there - used, "%s%s", i > 0 ? ", " : "", other);
    }
    return mrpc_error_set(error, MRPC_ENOENT, "rdma: connection option rdma_device: there is no device %s; there %s %s",
                          name, count == 1 ? "is" : "are", count > 0 ? there : "none");
}

/* The device is open for no longer than this takes: some cannot be removed while a process has them open. */
static int address_of_device(const mrpc_rdma_choice *choice, struct ibv_device *device, sa_family_t family,
                             mrpc_address *address, mrpc_error *error)
{
    struct ibv_context *verbs = ibv_open_device(device);
    if (verbs == NULL)
        return mrpc_rdma_error(error, choice->device, "ibv_open_device", errno);
    int failure = find_address(choice, verbs, family, address, error);
    (void)ibv_close_device(verbs);
    return failure;
}

int mrpc_rdma_choice_source(const mrpc_rdma_choice *choice, sa_family_t family, mrpc_address *source, mrpc_error *error)
{
    int count = 0;
    struct ibv_device **list = ibv_get_device_list(&count), *device = NULL;
    if (list == NULL)
        return mrpc_rdma_error(error, "rdma", "ibv_get_device_list", errno);
    int failure = find_device(choice->device, list, count, &device, error);
    if (failure == 0)
        failure = address_of_device(choice, device, family, source, error);
    ibv_free_device_list(list);
    return failure;
}

/* --- what came of it --- */

static bool same_host(const mrpc_address *a, const mrpc_address *b)
{
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

int mrpc_rdma_choice_check(const mrpc_rdma_choice *choice, struct rdma_cm_id *id, mrpc_error *error)
{
    if (choice->device[0] == '\0')
        return 0;
    const char *name = ibv_get_device_name(id->verbs->device);
    if (strcmp(choice->device, name) != 0 || (choice->port != RDMA_ANY && choice->port != id->port_num))
        return mrpc_error_set(error, MRPC_EINVAL,
                              "rdma: the way goes over device %s, port %u, and option rdma_device wants another: %s",
                              name, id->port_num, choice->device);
    if (choice->gid == RDMA_ANY)
        return 0;
    const mrpc_address *own = (const mrpc_address *)(const void *)rdma_get_local_addr(id);
    mrpc_address wanted;
    int failure = find_address(choice, id->verbs, own->any.sa_family, &wanted, error);
    if (failure != 0 || same_host(own, &wanted))
        return failure;
    return mrpc_error_set(error, MRPC_EINVAL,
                          "rdma: the way goes by another address than that of GID %d of %s, port %d", choice->gid, name,
                          choice->port);
}

/* --- what else an id is told --- */

/* n, of which 4.096 us * 2^n is at least so long (InfiniBand Architecture Specification, volume 1, 9.7.6.1.3). */
static uint8_t timeout_exponent(uint32_t microseconds)
{
    uint8_t n = 1;
    while (n < 31 && (UINT64_C(4096) << n) < (uint64_t)microseconds * 1000)
        n++;
    return n;
}

int mrpc_rdma_set_options(struct rdma_cm_id *id, const mrpc_connection_options *options, const char *where,
                          mrpc_error *error)
{
    uint8_t tos = options->rdma_traffic_class, timeout = timeout_exponent(options->rdma_ack_timeout_us);
    if (tos != 0 && rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_TOS, &tos, sizeof tos) != 0)
        return mrpc_rdma_error(error, where, "rdma_set_option (rdma_traffic_class)", errno);
    if (options->rdma_ack_timeout_us != 0 &&
        rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &timeout, sizeof timeout) != 0)
        return mrpc_rdma_error(error, where, "rdma_set_option (rdma_ack_timeout_us)", errno);
    return 0;
}
