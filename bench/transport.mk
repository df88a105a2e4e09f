# SPDX-License-Identifier: BSD-2-Clause
# bench/transport.mk - transports without the runtime above them
EXTRA_PROGRAMS += bench/transport_bench
bench_transport_bench_SOURCES = bench/transport_bench.c
bench_transport_bench_LDADD = libmrpc-internal.la
