# SPDX-License-Identifier: BSD-2-Clause
# runtime/ - what it adds to the build; Makefile.am says how.
libmrpc_la_SOURCES += runtime/control.c runtime/control.h
