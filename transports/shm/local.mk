# SPDX-License-Identifier: BSD-2-Clause
# transports/shm/ - two processes of one host, through shared memory
libmrpc_la_SOURCES += transports/shm/address.c transports/shm/address.h transports/shm/backlog.c transports/shm/backlog.h \
	transports/shm/borrow.c transports/shm/borrow.h transports/shm/connect.c transports/shm/connection.h \
	transports/shm/layout.h transports/shm/lend.c transports/shm/lend.h transports/shm/listen.c transports/shm/memory.c \
	transports/shm/memory.h transports/shm/packet.c transports/shm/packet.h transports/shm/partial.c \
	transports/shm/partial.h transports/shm/receive.c transports/shm/ring.c transports/shm/ring.h transports/shm/send.c \
	transports/shm/shm.c
