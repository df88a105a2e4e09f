# SPDX-License-Identifier: BSD-2-Clause
# tests/golden/ - what protoc-gen-mrpc makes of schemas, good and bad
EXTRA_DIST += tests/golden/generate.sh tests/golden/tables.c tests/golden/protos tests/golden/expected tests/golden/bad
golden_tests = tests/golden/golden.sh tests/golden/bad.sh tests/golden/options.sh tests/golden/compile.sh tests/golden/fingerprint.sh tests/golden/real.sh \
	tests/golden/corpus.sh tests/golden/failing.sh tests/golden/large.sh
dist_check_SCRIPTS += $(golden_tests)
if HAVE_PROTOC
TESTS += $(golden_tests)
check_PROGRAMS += tests/golden/failing_plugin tests/golden/round_trip tests/golden/xxh3
tests_golden_xxh3_SOURCES = tests/golden/xxh3.c
tests_golden_round_trip_SOURCES = tests/golden/round_trip.c $(CODEC_HELP)
tests_golden_round_trip_LDADD = $(TEST_LDADD)
tests_golden_failing_plugin_SOURCES = tests/golden/failing.c
nodist_EXTRA_tests_golden_failing_plugin_SOURCES = linked_by_the_c++_compiler.cc
tests_golden_failing_plugin_LDADD = $(protoc_gen_mrpc_protoc_gen_mrpc_OBJECTS) $(PROTOC_LIBS)
tests_golden_failing_plugin_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc,--wrap=realloc
endif

# Freezes what the plugin makes now: look at the difference before you commit it.
.PHONY: golden-update
golden-update: $(MRPC_PLUGIN)
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/golden/golden.sh --update
