# SPDX-License-Identifier: BSD-2-Clause
# transports/loop/ - waiting for descriptors and times
libmrpc_la_SOURCES += transports/loop/loop.c transports/loop/watches.c transports/loop/loop.h transports/loop/backend.h transports/loop/timers.c \
	transports/loop/timers.h transports/loop/export.c transports/loop/export.h transports/loop/epoll.c \
	transports/loop/virtual.c transports/loop/virtual.h
if HAVE_LIBURING
libmrpc_la_SOURCES += transports/loop/uring.c
endif
