# SPDX-License-Identifier: BSD-2-Clause
# stream.mk - the fuzz target of the receiving half of byte streams: replayed by `make check`, run by `make fuzz-stream`
EXTRA_DIST += tests/fuzz/stream.mk tests/fuzz/stream/corpus
check_PROGRAMS += tests/fuzz/stream/replay-rx
TESTS += tests/fuzz/stream/replay-rx
tests_fuzz_stream_replay_rx_SOURCES = tests/fuzz/stream/rx.c
tests_fuzz_stream_replay_rx_LDADD = tests/fuzz/stream-replay.$(OBJEXT) libmrpc-internal.la
CLEANFILES += tests/fuzz/stream-replay.$(OBJEXT)
tests/fuzz/stream-replay.$(OBJEXT): tests/fuzz/replay.c
	$(AM_V_CC)$(MKDIR_P) $(@D) && $(COMPILE) -DFUZZ_FOLDER='"stream"' -c -o $@ $<

STREAM_FUZZ_FILES = $(addprefix $(srcdir)/,$(filter marshal/%.c heap/%.c transports/stream/%.c,$(libmrpc_la_SOURCES)))
tests/fuzz/stream/rx: $(srcdir)/tests/fuzz/stream/rx.c $(STREAM_FUZZ_FILES)
	$(MKDIR_P) $(@D) && clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		$(DEFS) $(AM_CPPFLAGS) $(CPPFLAGS) -o $@ $< $(STREAM_FUZZ_FILES)
.PHONY: fuzz-stream
fuzz-stream: tests/fuzz/stream/rx
	mkdir -p $<.found && $< -max_total_time=$${FUZZ_SECONDS:-60} -max_len=65536 $<.found $(srcdir)/tests/fuzz/stream/corpus/rx
