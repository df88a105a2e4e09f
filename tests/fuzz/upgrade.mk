# SPDX-License-Identifier: BSD-2-Clause
# upgrade.mk - the fuzz target of the reader of modules: replayed by `make check`, run by `make fuzz-upgrade`
EXTRA_DIST += tests/fuzz/upgrade.mk tests/fuzz/upgrade/corpus
check_PROGRAMS += tests/fuzz/upgrade/replay-elf
TESTS += tests/fuzz/upgrade/replay-elf
tests_fuzz_upgrade_replay_elf_SOURCES = tests/fuzz/upgrade/elf.c
tests_fuzz_upgrade_replay_elf_LDADD = tests/fuzz/upgrade-replay.$(OBJEXT) libmrpc-internal.la
CLEANFILES += tests/fuzz/upgrade-replay.$(OBJEXT)
tests/fuzz/upgrade-replay.$(OBJEXT): tests/fuzz/replay.c
	$(AM_V_CC)$(MKDIR_P) $(@D) && $(COMPILE) -DFUZZ_FOLDER='"upgrade"' -c -o $@ $<

UPGRADE_FUZZ_FILES = $(addprefix $(srcdir)/,upgrade/elf.c marshal/error.c)
tests/fuzz/upgrade/elf: $(srcdir)/tests/fuzz/upgrade/elf.c $(UPGRADE_FUZZ_FILES)
	$(MKDIR_P) $(@D) && clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		$(DEFS) $(AM_CPPFLAGS) $(CPPFLAGS) -o $@ $< $(UPGRADE_FUZZ_FILES)
.PHONY: fuzz-upgrade
fuzz-upgrade: tests/fuzz/upgrade/elf
	mkdir -p $<.found && $< -max_total_time=$${FUZZ_SECONDS:-60} -max_len=65536 $<.found $(srcdir)/tests/fuzz/upgrade/corpus/elf
