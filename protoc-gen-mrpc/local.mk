# SPDX-License-Identifier: BSD-2-Clause
# protoc-gen-mrpc/ - the plugin of protoc. Its C++ is libprotoc.cc alone; it does not link libmrpc.
if HAVE_PROTOC
bin_PROGRAMS += protoc-gen-mrpc/protoc-gen-mrpc
protoc_gen_mrpc_protoc_gen_mrpc_SOURCES = \
	protoc-gen-mrpc/accessors.c \
	protoc-gen-mrpc/arena.c protoc-gen-mrpc/arena.h \
	protoc-gen-mrpc/check.c protoc-gen-mrpc/check.h \
	protoc-gen-mrpc/collisions.c protoc-gen-mrpc/collisions.h \
	protoc-gen-mrpc/diagnostic.c protoc-gen-mrpc/diagnostic.h \
	protoc-gen-mrpc/extensions.c \
	protoc-gen-mrpc/fingerprint.c protoc-gen-mrpc/fingerprint.h \
	protoc-gen-mrpc/generate.c protoc-gen-mrpc/generator.h \
	protoc-gen-mrpc/header.c \
	protoc-gen-mrpc/imports.c protoc-gen-mrpc/imports.h \
	protoc-gen-mrpc/kinds.c protoc-gen-mrpc/kinds.h \
	protoc-gen-mrpc/layout.c protoc-gen-mrpc/layout.h \
	protoc-gen-mrpc/libprotoc.cc protoc-gen-mrpc/libprotoc.h \
	protoc-gen-mrpc/literals.c protoc-gen-mrpc/literals.h \
	protoc-gen-mrpc/main.c \
	protoc-gen-mrpc/marshal_decode.c \
	protoc-gen-mrpc/marshal_encode.c \
	protoc-gen-mrpc/marshal_enum.c \
	protoc-gen-mrpc/marshal_file.c \
	protoc-gen-mrpc/marshal_finish.c \
	protoc-gen-mrpc/marshal_mirror.c \
	protoc-gen-mrpc/marshal_native.c protoc-gen-mrpc/marshal_native.h \
	protoc-gen-mrpc/marshal_native_put.c \
	protoc-gen-mrpc/marshal_native_take.c \
	protoc-gen-mrpc/marshal_parts.c protoc-gen-mrpc/marshal_parts.h \
	protoc-gen-mrpc/marshal_vectors.c \
	protoc-gen-mrpc/member_names.c \
	protoc-gen-mrpc/names.c protoc-gen-mrpc/names.h \
	protoc-gen-mrpc/options.c protoc-gen-mrpc/options.h \
	protoc-gen-mrpc/output.c protoc-gen-mrpc/output.h \
	protoc-gen-mrpc/reserved.c protoc-gen-mrpc/reserved_names.h protoc-gen-mrpc/suffixes.h \
	protoc-gen-mrpc/sample.c protoc-gen-mrpc/sample.h \
	protoc-gen-mrpc/sample_native.c \
	protoc-gen-mrpc/sample_protobuf.c \
	protoc-gen-mrpc/schema.h \
	protoc-gen-mrpc/service.c \
	protoc-gen-mrpc/source.c \
	protoc-gen-mrpc/structs.c
protoc_gen_mrpc_protoc_gen_mrpc_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOC_CFLAGS) $(XXHASH_CFLAGS)
protoc_gen_mrpc_protoc_gen_mrpc_LDADD = $(PROTOC_LIBS)
MAN_PAGES += docs/man/protoc-gen-mrpc.1
endif
EXTRA_DIST += docs/man/protoc-gen-mrpc.1.scd
