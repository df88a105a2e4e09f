# SPDX-License-Identifier: BSD-2-Clause
# marshal.mk - fuzz targets of the two encodings, of messages in pieces, of text, JSON, schemas and unknown fields: replayed over a corpus by `make check`, run by `make fuzz`
EXTRA_DIST += tests/fuzz/marshal.mk tests/fuzz/marshal/corpus
if HAVE_PROTOC
MARSHAL_FUZZ = tests/fuzz/marshal/replay-json tests/fuzz/marshal/replay-native tests/fuzz/marshal/replay-pieces \
	tests/fuzz/marshal/replay-protobuf tests/fuzz/marshal/replay-schema tests/fuzz/marshal/replay-text tests/fuzz/marshal/replay-unknown
check_PROGRAMS += $(MARSHAL_FUZZ)
TESTS += $(MARSHAL_FUZZ)
MARSHAL_FUZZ_LDADD = tests/fuzz/marshal-replay.$(OBJEXT) libmrpc-internal.la

tests_fuzz_marshal_replay_native_SOURCES = tests/fuzz/marshal/native.c tests/fuzz/marshal/target.h
nodist_tests_fuzz_marshal_replay_native_SOURCES = $(EVERYTHING_FILES)
tests_fuzz_marshal_replay_native_LDADD = $(MARSHAL_FUZZ_LDADD)
tests_fuzz_marshal_replay_pieces_SOURCES = tests/fuzz/marshal/pieces.c tests/fuzz/marshal/target.h
nodist_tests_fuzz_marshal_replay_pieces_SOURCES = $(EVERYTHING_FILES)
tests_fuzz_marshal_replay_pieces_LDADD = $(MARSHAL_FUZZ_LDADD)
tests_fuzz_marshal_replay_protobuf_SOURCES = tests/fuzz/marshal/protobuf.c tests/fuzz/marshal/target.h
nodist_tests_fuzz_marshal_replay_protobuf_SOURCES = $(EVERYTHING_FILES)
tests_fuzz_marshal_replay_protobuf_LDADD = $(MARSHAL_FUZZ_LDADD)
tests_fuzz_marshal_replay_json_SOURCES = tests/fuzz/marshal/json.c tests/fuzz/marshal/target.h
nodist_tests_fuzz_marshal_replay_json_SOURCES = $(EVERYTHING_FILES)
tests_fuzz_marshal_replay_json_LDADD = $(MARSHAL_FUZZ_LDADD)
tests_fuzz_marshal_replay_schema_SOURCES = tests/fuzz/marshal/schema.c tests/fuzz/marshal/target.h
nodist_tests_fuzz_marshal_replay_schema_SOURCES = $(EVERYTHING_FILES)
tests_fuzz_marshal_replay_schema_LDADD = $(MARSHAL_FUZZ_LDADD)
tests_fuzz_marshal_replay_text_SOURCES = tests/fuzz/marshal/text.c tests/fuzz/marshal/target.h
nodist_tests_fuzz_marshal_replay_text_SOURCES = $(EVERYTHING_FILES)
tests_fuzz_marshal_replay_text_LDADD = $(MARSHAL_FUZZ_LDADD)
tests_fuzz_marshal_replay_unknown_SOURCES = tests/fuzz/marshal/unknown.c tests/fuzz/marshal/target.h
nodist_tests_fuzz_marshal_replay_unknown_SOURCES = $(EVERYTHING_FILES) $(EXTENSION_FILES)
tests_fuzz_marshal_replay_unknown_LDADD = $(MARSHAL_FUZZ_LDADD)

EXTRA_DIST += tests/fuzz/replay.c
CLEANFILES += tests/fuzz/marshal-replay.$(OBJEXT)
tests/fuzz/marshal-replay.$(OBJEXT): tests/fuzz/replay.c
	$(AM_V_CC)$(MKDIR_P) $(@D) && $(COMPILE) -DFUZZ_FOLDER='"marshal"' -c -o $@ $<

# With libFuzzer, all in one go: clang compiles everything that the targets need for itself.
FUZZ_CC = clang
FUZZ_CFLAGS = -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
FUZZ_FILES = $(EVERYTHING_FILES) $(EXTENSION_FILES) $(nodist_libmrpc_known_la_SOURCES) $(addprefix $(srcdir)/,\
	$(filter marshal/%.c text/%.c json/%.c heap/%.c reflect/%.c,$(libmrpc_la_SOURCES)))
FUZZ_TARGETS = tests/fuzz/marshal/json tests/fuzz/marshal/native tests/fuzz/marshal/pieces tests/fuzz/marshal/protobuf \
	tests/fuzz/marshal/schema tests/fuzz/marshal/text tests/fuzz/marshal/unknown
$(FUZZ_TARGETS): tests/fuzz/marshal/%: $(srcdir)/tests/fuzz/marshal/%.c $(EVERYTHING_FILES) $(EXTENSION_FILES)
	$(MKDIR_P) $(@D) && $(FUZZ_CC) $(FUZZ_CFLAGS) $(DEFS) $(AM_CPPFLAGS) $(CPPFLAGS) -o $@ $< $(FUZZ_FILES)
fuzz: $(FUZZ_TARGETS)
	for target in $(FUZZ_TARGETS); do mkdir -p $$target.found && $$target -max_total_time=$${FUZZ_SECONDS:-60} -max_len=4096 \
		$$target.found $(srcdir)/tests/fuzz/marshal/corpus/$${target##*/} || exit 1; done
endif
.PHONY: fuzz
