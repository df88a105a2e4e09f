# SPDX-License-Identifier: BSD-2-Clause
# transports/sim/ - both ends in one process, on a virtual clock
libmrpc_la_SOURCES += transports/sim/address.c transports/sim/connection.c transports/sim/link.c transports/sim/link.h \
	transports/sim/sim.c transports/sim/sim.h transports/sim/world.c transports/sim/world.h
