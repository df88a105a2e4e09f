# SPDX-License-Identifier: BSD-2-Clause
# runtime/ - what it adds to the build; Makefile.am says how.
libmrpc_la_SOURCES += \
	runtime/answer.c \
	runtime/bind.c \
	runtime/call.c runtime/call.h \
	runtime/channel.c runtime/channel.h \
	runtime/channel_connect.c \
	runtime/client.c runtime/client.h \
	runtime/commands.c \
	runtime/control.c runtime/control.h \
	runtime/deliver.c \
	runtime/dispatch.c runtime/dispatch.h \
	runtime/engine.c runtime/engine.h \
	runtime/gate.c runtime/gate.h \
	runtime/hello.c runtime/hello.h \
	runtime/host.c runtime/host.h \
	runtime/message_in.c \
	runtime/message_out.c \
	runtime/meta.c runtime/meta.h \
	runtime/modules.c runtime/modules.h \
	runtime/options.c runtime/options.h \
	runtime/output.c \
	runtime/pool.c runtime/pool.h \
	runtime/queue.c runtime/queue.h \
	runtime/runtime.c runtime/runtime.h \
	runtime/server.c runtime/server.h \
	runtime/server_sessions.c \
	runtime/server_stop.c \
	runtime/session.c runtime/session.h \
	runtime/stamps.c runtime/stamps.h \
	runtime/stream.c \
	runtime/table.c runtime/table.h \
	runtime/turn.c \
	runtime/upgrade.c runtime/upgrade.h
