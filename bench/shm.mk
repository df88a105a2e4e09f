# SPDX-License-Identifier: BSD-2-Clause
# bench/shm.mk - the shared-memory transport without the runtime above it
EXTRA_PROGRAMS += bench/shm_bench
bench_shm_bench_SOURCES = bench/shm_bench.c
bench_shm_bench_LDADD = libmrpc-internal.la
