# SPDX-License-Identifier: BSD-2-Clause
# transports/stream/ - frames over a stream of bytes, without I/O
libmrpc_la_SOURCES += transports/stream/buffers.c transports/stream/buffers.h transports/stream/tx.c transports/stream/tx.h \
	transports/stream/pieces.c transports/stream/pieces.h transports/stream/messages.c transports/stream/messages.h \
	transports/stream/rx.c transports/stream/rx.h transports/stream/partial.c transports/stream/partial.h \
	transports/stream/check.c
