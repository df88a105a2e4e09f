# SPDX-License-Identifier: BSD-2-Clause
# tests/conformance/ - a testee for protobuf's conformance runner
#
#   make conformance-testee [CONFORMANCE_PROTOS=DIR]     DIR has conformance.proto and google/protobuf/test_messages_….proto
#   make check-conformance CONFORMANCE_RUNNER=PROGRAM    runs the runner (of protobuf 3.21 or newer) over it
EXTRA_DIST += tests/conformance/testee.sh tests/conformance/known_failures.txt
dist_check_SCRIPTS += tests/conformance/testee.sh
CONFORMANCE_PROTOS = $(abs_top_srcdir)/../shared/protos/conformance

.PHONY: conformance-testee check-conformance
if HAVE_PROTOC
TESTS += tests/conformance/testee.sh
EXTRA_PROGRAMS += tests/conformance/testee
CLEANFILES += tests/conformance/testee$(EXEEXT) $(conformance_objects)
conformance_schemas = conformance google/protobuf/test_messages_proto2 google/protobuf/test_messages_proto3
conformance_objects = gen/conformance/conformance.mrpc.o gen/conformance/conformance.marshal.o \
	gen/conformance/google/protobuf/test_messages_proto2.mrpc.o gen/conformance/google/protobuf/test_messages_proto2.marshal.o \
	gen/conformance/google/protobuf/test_messages_proto3.mrpc.o gen/conformance/google/protobuf/test_messages_proto3.marshal.o

tests_conformance_testee_SOURCES = tests/conformance/testee.c
tests_conformance_testee_CPPFLAGS = $(AM_CPPFLAGS) -Igen/conformance
tests_conformance_testee_LDADD = $(conformance_objects) libmrpc.la
$(tests_conformance_testee_OBJECTS): gen/conformance/generated
$(conformance_objects): %.o: %.c
	$(AM_V_CC)$(CC) $(DEFS) $(AM_CPPFLAGS) -Igen/conformance $(CPPFLAGS) $(AM_CFLAGS) $(CFLAGS) -c -o $@ $<
$(conformance_objects:.o=.c): gen/conformance/generated ;
gen/conformance/generated: $(MRPC_PLUGIN)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(PROTOC) --plugin=protoc-gen-mrpc=$(MRPC_PLUGIN) -I$(CONFORMANCE_PROTOS) \
		--mrpc_out=$(@D) $(conformance_schemas:%=%.proto) && touch $@

conformance-testee: tests/conformance/testee$(EXEEXT)
check-conformance: conformance-testee
	@test -x "$(CONFORMANCE_RUNNER)" || { echo "check-conformance: set CONFORMANCE_RUNNER to conformance_test_runner of protobuf" >&2; exit 2; }
	$(CONFORMANCE_RUNNER) --enforce_recommended --failure_list $(srcdir)/tests/conformance/known_failures.txt tests/conformance/testee$(EXEEXT)
else
conformance-testee check-conformance:
	@echo "$@: configured without protoc" >&2; exit 2
endif
