# SPDX-License-Identifier: BSD-2-Clause
# examples/ - what it adds to the build; Makefile.am says how.
EXTRA_DIST += examples/protos/hello.proto examples/protos/kv.proto
if HAVE_PROTOC
PROTOS += hello kv
noinst_PROGRAMS += examples/hello_server examples/hello_client examples/kv_server examples/kv_client

examples_hello_server_SOURCES = examples/hello_server.c examples/hello_streams.c examples/hello_streams.h
nodist_examples_hello_server_SOURCES = gen/hello.mrpc.c gen/hello.marshal.c
examples_hello_server_LDADD = libmrpc.la
examples_hello_client_SOURCES = examples/hello_client.c
nodist_examples_hello_client_SOURCES = gen/hello.mrpc.c gen/hello.marshal.c
examples_hello_client_LDADD = libmrpc.la

examples_kv_server_SOURCES = examples/kv_server.c examples/kv_service.c examples/kv_service.h examples/kv_state.h \
	examples/kv_streams.c examples/kv_watch.c examples/kv_store.c examples/kv_store.h
nodist_examples_kv_server_SOURCES = gen/kv.mrpc.c gen/kv.marshal.c
examples_kv_server_LDADD = libmrpc.la
examples_kv_client_SOURCES = examples/kv_client.c examples/kv_load.c examples/kv_load.h examples/kv_load_worker.c \
	examples/kv_load_worker.h examples/kv_load_watcher.c examples/kv_corpus.c examples/kv_corpus.h examples/kv_measure.c \
	examples/kv_measure.h examples/kv_store.h
nodist_examples_kv_client_SOURCES = gen/kv.mrpc.c gen/kv.marshal.c
examples_kv_client_LDADD = libmrpc.la
endif
EXTRA_DIST += examples/kv_module.c examples/quickstart.sh
