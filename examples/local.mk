# SPDX-License-Identifier: BSD-2-Clause
# examples/ - what it adds to the build; Makefile.am says how.
EXTRA_DIST += examples/protos/hello.proto examples/protos/kv.proto
if HAVE_PROTOC
PROTOS += hello kv
endif
