# SPDX-License-Identifier: BSD-2-Clause
# analysis.mk - make check-valgrind and make lint: what is found by watching tests run, and by reading the sources
EXTRA_DIST += tests/analysis.mk tests/analysis.h .clang-tidy

# Tests under memcheck: wrong reads and writes, uninitialised values, leaks, with descriptors that are left open listed.
# Sockets wait with epoll, since memcheck knows little of io_uring. Left out is what takes minutes there, spins between
# threads, which memcheck runs one at a time, or limits its own resources; AddressSanitizer sees those.
VALGRIND = valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite,indirect,possible \
	--errors-for-leak-kinds=definite,indirect,possible --track-fds=yes
VALGRIND_TESTS = $(filter-out $(VALGRIND_LEFT_OUT),$(filter tests/unit/%,$(filter-out %.sh,$(TESTS))))
VALGRIND_LEFT_OUT = tests/unit/test_loop tests/unit/test_tcp tests/unit/test_stream tests/unit/test_kv_store \
	tests/unit/test_heap_threads tests/unit/test_heap_failures tests/unit/test_shm_processes \
	tests/unit/test_runtime_failures tests/unit/test_runtime_threads tests/unit/test_runtime_connections \
	tests/unit/marshal/test_concurrent tests/unit/marshal/test_extension_peer tests/unit/marshal/test_peer tests/unit/marshal/test_round_trip \
	tests/unit/upgrade/test_candidate tests/unit/upgrade/test_descriptors tests/unit/upgrade/test_running
.PHONY: check-valgrind
check-valgrind:
	MRPC_POLLER=epoll $(MAKE) $(AM_MAKEFLAGS) check TEST_TIMEOUT=900 LOG_FLAGS='$(LIBTOOL) --mode=execute $(VALGRIND)' \
		TESTS='$(VALGRIND_TESTS)'

# Static analysis of what is installed: libmrpc, the tools and the compiler. A file is read again when it has changed.
#   clang-tidy  .clang-tidy says what is off, and why
#   gcc         takes memory for lost that realloc() moved and a struct has: clang-tidy and the tests look for leaks
#   cppcheck    takes NULL at the end of variable arguments for an int, which it is not in glibc
LINT_SOURCES = $(sort $(filter %.c,$(libmrpc_la_SOURCES) $(tools_mrpcctl_SOURCES) $(tools_mrpc_module_SOURCES) \
	$(tools_mrpc_serve_SOURCES) $(protoc_gen_mrpc_protoc_gen_mrpc_SOURCES) $(upgrade_mrpc_selftest_SOURCES)))
LINT_CPPFLAGS = $(DEFS) $(AM_CPPFLAGS) $(XXHASH_CFLAGS) $(LIBURING_CFLAGS) -DMRPC_INCLUDE_DIR='"$(includedir)"'
LINT_INCLUDE = $(if $(filter %/error.c,$<),,-include $(srcdir)/tests/analysis.h)
CLANG_TIDY = clang-tidy
CPPCHECK = cppcheck
.PHONY: lint
lint: $(LINT_SOURCES:%.c=lint/%.tidy) $(LINT_SOURCES:%.c=lint/%.gcc) lint/cppcheck
$(LINT_SOURCES:%.c=lint/%.tidy): lint/%.tidy: %.c .clang-tidy tests/analysis.h
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CLANG_TIDY) --quiet --warnings-as-errors='*' $< -- -std=gnu11 $(LINT_CPPFLAGS) $(LINT_INCLUDE) 2>$@.err || \
		{ cat $@.err; exit 1; } && mv $@.err $@
$(LINT_SOURCES:%.c=lint/%.gcc): lint/%.gcc: %.c tests/analysis.h
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)gcc $(LINT_CPPFLAGS) $(LINT_INCLUDE) $(MRPC_CFLAGS) -O1 -fanalyzer -Wno-analyzer-malloc-leak -Werror -c $< -o $@
lint/cppcheck: $(LINT_SOURCES)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CPPCHECK) --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress=varFuncNullUB -DHAVE_CONFIG_H -DHAVE_LIBURING=1 -D__x86_64__ \
		-I$(srcdir)/include -I$(srcdir) $(LINT_SOURCES:%=$(srcdir)/%) && touch $@
