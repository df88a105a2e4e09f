# SPDX-License-Identifier: BSD-2-Clause
# bench/codec_bench: encoding and decoding, beside libprotobuf, protobuf-c and upb: `make bench-codec`
#
# Distributions have no current upb: build its C files from a source of protobuf, and configure with UPB_CFLAGS (-DNDEBUG,
# -isystem of that source, of upb/reflection/cmake and of third_party/utf8_range in it) and UPB_LIBS.
EXTRA_DIST += bench/codec.mk bench/protos/shop.proto
if HAVE_PROTOC
PROTOS += shop
EXTRA_PROGRAMS += bench/codec_bench
bench_codec_bench_SOURCES = bench/codec.h bench/codec_bench.cc bench/codec_mrpc.c bench/codec_libprotobuf.cc
nodist_bench_codec_bench_SOURCES = gen/shop.mrpc.c gen/shop.marshal.c gen/shop.pb.cc
bench_codec_bench_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOC_CFLAGS)
bench_codec_bench_LDADD = libmrpc-internal.la $(PROTOBUF_LIBS)
bench/codec_bench-codec_bench.$(OBJEXT): gen/shop.pb.cc
gen/shop.pb.cc: bench/protos/shop.proto
	$(AM_V_GEN)$(MKDIR_P) gen && $(PROTOC) -I$(<D) --cpp_out=gen $(<F)

if HAVE_PROTOBUF_C
bench_codec_bench_SOURCES += bench/codec_protobuf_c.c
nodist_bench_codec_bench_SOURCES += gen/protobuf-c/shop.pb-c.c gen/protobuf-c/google/protobuf/descriptor.pb-c.c
bench_codec_bench_CPPFLAGS += -DHAVE_PROTOBUF_C -Igen/protobuf-c $(PROTOBUF_C_CFLAGS)
bench_codec_bench_LDADD += $(PROTOBUF_C_LIBS)
bench/codec_bench-codec_protobuf_c.$(OBJEXT): gen/protobuf-c/shop.pb-c.c
gen/protobuf-c/shop.pb-c.c gen/protobuf-c/google/protobuf/descriptor.pb-c.c &: bench/protos/shop.proto
	$(AM_V_GEN)$(MKDIR_P) gen/protobuf-c && $(PROTOC) -I$(<D) --c_out=gen/protobuf-c $(<F) google/protobuf/descriptor.proto
endif

if HAVE_UPB
bench_codec_bench_SOURCES += bench/codec_upb.c
bench_codec_bench_CPPFLAGS += -DHAVE_UPB $(UPB_CFLAGS)
bench_codec_bench_LDADD += $(UPB_LIBS)
endif
endif

.PHONY: bench-codec
bench-codec: bench/codec_bench$(EXEEXT)
	bench/codec_bench$(EXEEXT)
