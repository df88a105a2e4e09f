# SPDX-License-Identifier: BSD-2-Clause
# plugin.mk - the fuzz target of the compiler's plugin: replayed by `make check`, run by `make fuzz-plugin`
EXTRA_DIST += tests/fuzz/plugin.mk tests/fuzz/plugin/corpus
if HAVE_PROTOC
check_PROGRAMS += tests/fuzz/plugin/replay-request
TESTS += tests/fuzz/plugin/replay-request
tests_fuzz_plugin_replay_request_SOURCES = tests/fuzz/plugin/request.c
nodist_EXTRA_tests_fuzz_plugin_replay_request_SOURCES = linked_by_the_c++_compiler.cc
tests_fuzz_plugin_replay_request_LDADD = tests/fuzz/plugin-replay.$(OBJEXT) \
	$(filter-out %-main.$(OBJEXT),$(protoc_gen_mrpc_protoc_gen_mrpc_OBJECTS)) $(PROTOC_LIBS)
CLEANFILES += tests/fuzz/plugin-replay.$(OBJEXT)
tests/fuzz/plugin-replay.$(OBJEXT): tests/fuzz/replay.c
	$(AM_V_CC)$(MKDIR_P) $(@D) && $(COMPILE) -DFUZZ_FOLDER='"plugin"' -c -o $@ $<

# All but libprotobuf and libprotoc is watched.
PLUGIN_FUZZ_FILES = $(addprefix $(srcdir)/,$(filter-out %/main.c,$(filter %.c,$(protoc_gen_mrpc_protoc_gen_mrpc_SOURCES))))
PLUGIN_FUZZ_FLAGS = -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $(DEFS) $(AM_CPPFLAGS) $(CPPFLAGS)
tests/fuzz/plugin/request: $(srcdir)/tests/fuzz/plugin/request.c $(PLUGIN_FUZZ_FILES)
	$(MKDIR_P) $(@D)/objects && cd $(@D)/objects && for file in $(abs_srcdir)/tests/fuzz/plugin/request.c \
		$(PLUGIN_FUZZ_FILES:$(srcdir)/%=$(abs_srcdir)/%); do \
		clang -std=gnu11 $(PLUGIN_FUZZ_FLAGS) -I$(abs_srcdir) -I$(abs_srcdir)/include -I$(abs_builddir) -c $$file || exit 1; done
	clang++ $(PLUGIN_FUZZ_FLAGS) -I$(srcdir) -I. -o $@ $(srcdir)/protoc-gen-mrpc/libprotoc.cc $(@D)/objects/*.o $(PROTOC_LIBS) $(XXHASH_LIBS)
endif
.PHONY: fuzz-plugin
fuzz-plugin: tests/fuzz/plugin/request
	mkdir -p $<.found && $< -max_total_time=$${FUZZ_SECONDS:-60} -max_len=16384 $<.found $(srcdir)/tests/fuzz/plugin/corpus/request
