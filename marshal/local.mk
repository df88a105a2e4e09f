# SPDX-License-Identifier: BSD-2-Clause
# marshal/ - what it adds to the build; Makefile.am says how.
proto_sources += marshal/error.c \
	marshal/decode_iov.c marshal/encode_iov.c marshal/pieces.c marshal/pieces.h \
	marshal/gather.c marshal/gather.h \
	marshal/selftest.c marshal/selftest.h \
	marshal/storage.c marshal/storage.h \
	marshal/table.h marshal/table_decode.c marshal/table_encode.c marshal/wire.h

# What works on messages of any type, by their tables
proto_sources += marshal/copy.c marshal/enum.c marshal/equal.c marshal/fields.h marshal/map.c marshal/map.h marshal/members.c \
	marshal/message.c

# Extensions, which are among the unknown fields of messages
proto_sources += marshal/extension.h marshal/extension_find.c marshal/extension_read.c marshal/extension_write.c \
	marshal/unknown.c marshal/unknown.h

# The well-known types: what the plugin makes of the schemas that come with protoc, with names that are seen outside, as
# they are in a program.
EXTRA_DIST += marshal/descriptor.c marshal/well_known.c
if HAVE_PROTOC
proto_sources += marshal/descriptor.c marshal/well_known.c
libmrpc_la_LIBADD += libmrpc-known.la
libmrpc_proto_la_LIBADD += libmrpc-known.la
noinst_LTLIBRARIES += libmrpc-known.la
libmrpc_known_la_CFLAGS = $(AM_CFLAGS) -fvisibility=default
libmrpc_known_la_SOURCES =
nodist_libmrpc_known_la_SOURCES = \
	gen/google/protobuf/any.marshal.c gen/google/protobuf/any.mrpc.c \
	gen/google/protobuf/api.marshal.c gen/google/protobuf/api.mrpc.c \
	gen/google/protobuf/descriptor.marshal.c gen/google/protobuf/descriptor.mrpc.c \
	gen/google/protobuf/duration.marshal.c gen/google/protobuf/duration.mrpc.c \
	gen/google/protobuf/empty.marshal.c gen/google/protobuf/empty.mrpc.c \
	gen/google/protobuf/field_mask.marshal.c gen/google/protobuf/field_mask.mrpc.c \
	gen/google/protobuf/source_context.marshal.c gen/google/protobuf/source_context.mrpc.c \
	gen/google/protobuf/struct.marshal.c gen/google/protobuf/struct.mrpc.c \
	gen/google/protobuf/timestamp.marshal.c gen/google/protobuf/timestamp.mrpc.c \
	gen/google/protobuf/type.marshal.c gen/google/protobuf/type.mrpc.c \
	gen/google/protobuf/wrappers.marshal.c gen/google/protobuf/wrappers.mrpc.c
KNOWN_TYPES = \
	gen/google/protobuf/any.mrpc.h \
	gen/google/protobuf/api.mrpc.h \
	gen/google/protobuf/descriptor.mrpc.h \
	gen/google/protobuf/duration.mrpc.h \
	gen/google/protobuf/empty.mrpc.h \
	gen/google/protobuf/field_mask.mrpc.h \
	gen/google/protobuf/source_context.mrpc.h \
	gen/google/protobuf/struct.mrpc.h \
	gen/google/protobuf/timestamp.mrpc.h \
	gen/google/protobuf/type.mrpc.h \
	gen/google/protobuf/wrappers.mrpc.h
knownincludedir = $(includedir)/google/protobuf
nodist_knowninclude_HEADERS = $(KNOWN_TYPES)
BUILT_SOURCES += $(KNOWN_TYPES)
marshal/descriptor.lo marshal/well_known.lo $(libmrpc_known_la_OBJECTS): $(KNOWN_TYPES)
gen/google/protobuf/%.mrpc.h gen/google/protobuf/%.mrpc.c gen/google/protobuf/%.marshal.c: $(MRPC_PLUGIN)
	$(AM_V_GEN)$(MKDIR_P) gen && $(PROTOC) --plugin=protoc-gen-mrpc=$(MRPC_PLUGIN) --mrpc_out=gen google/protobuf/$*.proto
endif
