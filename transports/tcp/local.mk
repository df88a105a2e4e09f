# SPDX-License-Identifier: BSD-2-Clause
# transports/tcp/ - frames over TCP
libmrpc_la_SOURCES += transports/tcp/tcp.c transports/tcp/tcp.h transports/tcp/attempt.c \
	transports/tcp/connection.c transports/tcp/listen.c transports/tcp/options.c transports/tcp/zerocopy.c
