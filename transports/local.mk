# SPDX-License-Identifier: BSD-2-Clause
# transports/ - what it adds to the build; Makefile.am says how.
libmrpc_la_SOURCES += transports/frame.h transports/module.h transports/transport.c transports/transport.h
include $(srcdir)/transports/loop/local.mk
include $(srcdir)/transports/address/local.mk
include $(srcdir)/transports/stream/local.mk
include $(srcdir)/transports/tcp/local.mk
include $(srcdir)/transports/shm/local.mk
include $(srcdir)/transports/sim/local.mk
include $(srcdir)/transports/rdma/local.mk
