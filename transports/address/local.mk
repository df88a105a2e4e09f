# SPDX-License-Identifier: BSD-2-Clause
# transports/address/ - hosts, ports and names
libmrpc_la_SOURCES += transports/address/address.c transports/address/address.h transports/address/lookup.c
