# SPDX-License-Identifier: BSD-2-Clause
# mrpc.mk - rules for GNU make: from NAME.proto to C code and to a marshal module
#
#     NAME.mrpc.h NAME.mrpc.c NAME.marshal.c    from NAME.proto, all three at once
#     NAME.marshal.so                           from those, for the runtime to load
#
# With autoconf, MRPC_CHECK of mrpc.m4 includes it as @MRPC_RULES@. By hand, in any GNU makefile:
#
#     include $(shell pkg-config --variable=mrpcdatadir mrpc)/mrpc.mk
#
# May be set: PROTOC (protoc), PROTOC_GEN_MRPC (the plugin's path; otherwise found in PATH), MRPC_PROTOCFLAGS (more for protoc: -IFOLDER for imports,
# --mrpc_opt=OPTION for the plugin), MRPC_MODULE_CFLAGS (for the C compiler, beside CFLAGS).
# Imports are searched beside the file and where MRPC_PROTOCFLAGS says. The outputs go to the folder that the target
# names, so that VPATH builds work.
PROTOC ?= protoc

# One run makes all three: in GNU make a pattern with several targets is a group.
%.mrpc.h %.mrpc.c %.marshal.c: %.proto
	@mkdir -p $(@D)
	$(PROTOC) $(PROTOC_GEN_MRPC:%=--plugin=protoc-gen-mrpc=%) -I$(<D) $(MRPC_PROTOCFLAGS) --mrpc_out=$(@D) $(<F)

%.marshal.so: %.marshal.c %.mrpc.h
	$(CC) $(CPPFLAGS) -I$(@D) $(MRPC_CFLAGS) $(CFLAGS) $(MRPC_MODULE_CFLAGS) -fPIC -fvisibility=hidden -shared -DMRPC_MODULE_SHARED $(LDFLAGS) -o $@ $<
