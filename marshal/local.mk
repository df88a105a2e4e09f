# SPDX-License-Identifier: BSD-2-Clause
# marshal/ - what it adds to the build; Makefile.am says how.
libmrpc_la_SOURCES += marshal/error.c \
	marshal/gather.c marshal/gather.h \
	marshal/selftest.c marshal/selftest.h \
	marshal/storage.c

# What works on messages of any type, by their tables
libmrpc_la_SOURCES += marshal/copy.c marshal/enum.c marshal/equal.c marshal/fields.h marshal/map.c marshal/members.c \
	marshal/message.c marshal/print.c
