# SPDX-License-Identifier: BSD-2-Clause
# transports/rdma/ - frames over verbs; a shared object that libmrpc loads when an address first needs it. What is pure computation
# in transports/ is in it as well, since libmrpc exports none of it.
if HAVE_RDMA
transportdir = $(moduledir)
transport_LTLIBRARIES = mrpc-rdma.la
mrpc_rdma_la_SOURCES = transports/rdma/choice.c transports/rdma/connect.c transports/rdma/connection.c transports/rdma/device.c transports/rdma/events.c \
	transports/rdma/host.c transports/rdma/hub.c transports/rdma/listen.c transports/rdma/memory.c transports/rdma/offer.c transports/rdma/protocol.h \
	transports/rdma/rdma.c transports/rdma/rdma.h transports/rdma/read.c transports/rdma/receive.c transports/rdma/send.c transports/rdma/verbs.c \
	transports/address/address.c transports/address/lookup.c \
	transports/stream/buffers.c transports/stream/check.c transports/stream/messages.c transports/stream/partial.c \
	transports/stream/pieces.c transports/stream/rx.c transports/stream/tx.c
mrpc_rdma_la_CFLAGS = $(AM_CFLAGS) $(RDMA_CFLAGS)
mrpc_rdma_la_LIBADD = libmrpc.la $(RDMA_LIBS)
mrpc_rdma_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared
endif
