# SPDX-License-Identifier: BSD-2-Clause
# tools/ - what it adds to the build; Makefile.am says how.
bin_PROGRAMS += tools/mrpcctl
tools_mrpcctl_SOURCES = tools/doctor.c tools/doctor.h tools/mrpcctl.c
MAN_PAGES += docs/man/mrpcctl.1

bin_PROGRAMS += tools/mrpc-module
tools_mrpc_module_SOURCES = tools/mrpc-module.c tools/module.h tools/module_build.c tools/module_inspect.c
tools_mrpc_module_CPPFLAGS = $(AM_CPPFLAGS) -DMRPC_INCLUDE_DIR='"$(includedir)"'
tools_mrpc_module_LDADD = libmrpc-internal.la
MAN_PAGES += docs/man/mrpc-module.1

bin_PROGRAMS += tools/mrpc-serve
tools_mrpc_serve_SOURCES = tools/mrpc-serve.c
tools_mrpc_serve_LDADD = libmrpc.la
MAN_PAGES += docs/man/mrpc-serve.1
