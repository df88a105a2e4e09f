/* SPDX-License-Identifier: BSD-2-Clause */
/* shm_forged.c - a client of shared memory that is forged by hand */
#include "config.h"

#include "shm_forged.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "transports/shm/address.h"
#include "transports/shm/packet.h"
#include "transports/shm/ring.h"

int shm_forged_memfd(size_t size, int seals)
{
    int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    if (seals != 0)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

int shm_forged_dial(const char *name)
{
    mrpc_shm_address address;
    struct sockaddr_un where;
    assert_int_equal(mrpc_shm_address_parse(&address, name, NULL), 0);
    socklen_t length = mrpc_shm_address_socket(&address, &where);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&where, length), 0);
    return fd;
}

mrpc_shm_packet shm_forged_hello(void)
{
    return (mrpc_shm_packet){.kind = SHM_HELLO,
                             .data = FORGED_DATA,
                             .limit = UINT64_MAX,
                             .chunk = 65536,
                             .loans = SHM_LOANS,
                             .key = FORGED_KEY};
}

void shm_forged_open(shm_forged *peer, const char *name)
{
    *peer = (shm_forged){.socket = shm_forged_dial(name),
                         .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                         .mark = FORGED_KEY,
                         .segment = -1};
    peer->ring = shm_forged_memfd(SHM_CONTROL + FORGED_DATA, F_SEAL_SHRINK | F_SEAL_GROW);
    char *map = mmap(NULL, SHM_CONTROL + FORGED_DATA, PROT_READ | PROT_WRITE, MAP_SHARED, peer->ring, 0);
    assert_true(map != MAP_FAILED);
    peer->control = (mrpc_shm_control *)(void *)map;
    peer->data = map + SHM_CONTROL;
    mrpc_shm_packet packet = shm_forged_hello();
    assert_int_equal(mrpc_shm_packet_send(peer->socket, &packet, (int[]){peer->ring, peer->wake}, 2), 0);
}

void shm_forged_close(shm_forged *peer)
{
    close(peer->socket);
    close(peer->wake);
    close(peer->ring);
    if (peer->segment >= 0)
        close(peer->segment);
    munmap(peer->control, SHM_CONTROL + FORGED_DATA);
}

uint64_t shm_forged_word(uint64_t bytes, uint64_t consumed)
{
    return consumed / SHM_LINE << SHM_BYTES_BITS | bytes / 8;
}

void shm_forged_record(shm_forged *peer, uint64_t mark, uint64_t word, const mrpc_frame *frame, const void *payload,
                       size_t size)
{
    char *place = peer->data + peer->head % FORGED_DATA;
    memcpy(place + 8, &word, 8);
    memcpy(place + 16, frame, sizeof *frame);
    if (size > 0)
        memcpy(place + 48, payload, size);
    atomic_store((_Atomic uint64_t *)(void *)place, mark);
    assert_true(write(peer->wake, &(uint64_t){1}, 8) == 8);
}

void shm_forged_send(shm_forged *peer, const mrpc_frame *frame, const void *payload, size_t size)
{
    shm_forged_record(peer, peer->mark, shm_forged_word(SHM_RECORD_MIN + size, 0), frame, payload, size);
    peer->mark += SHM_STEP;
    peer->head += mrpc_shm_pad(SHM_RECORD_MIN + size);
}
