# SPDX-License-Identifier: BSD-2-Clause
# bench/ - programs that measure, not built by default: `make bench` builds and runs them and prints the tables.
EXTRA_PROGRAMS += bench/raw_tcp bench/raw_shm
bench_peers = bench/raw_tcp$(EXEEXT) bench/raw_shm$(EXEEXT)
bench_raw_tcp_SOURCES = bench/raw_tcp.c bench/measure.c bench/measure.h
bench_raw_shm_SOURCES = bench/raw_shm.c bench/measure.c bench/measure.h

EXTRA_DIST += bench/compare.sh bench/plot.sh bench/protos/bench.proto

if HAVE_PROTOC
PROTOS += bench
EXTRA_PROGRAMS += bench/mrpc_peer
bench_peers += bench/mrpc_peer$(EXEEXT)
bench_mrpc_peer_SOURCES = bench/mrpc_peer.c bench/measure.c bench/measure.h
nodist_bench_mrpc_peer_SOURCES = gen/bench.mrpc.c gen/bench.marshal.c
bench_mrpc_peer_LDADD = libmrpc.la
endif

if HAVE_GRPC
EXTRA_PROGRAMS += bench/grpc_peer
bench_peers += bench/grpc_peer$(EXEEXT)
bench_grpc_peer_SOURCES = bench/grpc_peer.cc bench/measure.c bench/measure.h
nodist_bench_grpc_peer_SOURCES = gen/bench.pb.cc gen/bench.grpc.pb.cc
bench_grpc_peer_CPPFLAGS = $(AM_CPPFLAGS) $(GRPC_CFLAGS)
bench_grpc_peer_CXXFLAGS = -O2
bench_grpc_peer_LDADD = $(GRPC_LIBS)
bench/grpc_peer-grpc_peer.$(OBJEXT): gen/bench.grpc.pb.cc
gen/bench.pb.cc gen/bench.grpc.pb.cc &: bench/protos/bench.proto
	$(AM_V_GEN)$(MKDIR_P) gen && $(PROTOC) -I$(<D) --cpp_out=gen --grpc_out=gen --plugin=protoc-gen-grpc=$(GRPC_CPP_PLUGIN) $(<F)
endif

CLEANFILES += $(EXTRA_PROGRAMS)

.PHONY: bench
bench: $(bench_peers)
	BUILD=$(top_builddir) $(srcdir)/bench/compare.sh

# Beside perftest's loops, in the virtual machine of check-rdma
EXTRA_DIST += bench/rdma.sh
.PHONY: bench-rdma
bench-rdma: bench/mrpc_peer$(EXEEXT)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' MRPC_MODULE_PATH='$(abs_top_builddir)/.libs' \
	RDMA_VM_KERNEL="$${RDMA_VM_KERNEL:-$(abs_top_builddir)/rdma/kernel}" \
	$(srcdir)/tests/rdma/vm.sh -t 600 -d '$(abs_top_builddir)' -- $(abs_top_srcdir)/bench/rdma.sh

# Nanoseconds for an allocation and its free, beside malloc's: `make bench-heap`
EXTRA_PROGRAMS += bench/heap_bench
bench_heap_bench_SOURCES = bench/heap_bench.c
bench_heap_bench_LDADD = libmrpc.la
.PHONY: bench-heap
bench-heap: bench/heap_bench$(EXEEXT)
	bench/heap_bench$(EXEEXT)
include $(srcdir)/bench/transport.mk
include $(srcdir)/bench/shm.mk
include $(srcdir)/bench/codec.mk
