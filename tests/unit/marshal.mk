# SPDX-License-Identifier: BSD-2-Clause
# marshal.mk - tests of marshal/ and of what the generator writes into FILE.marshal.c
EXTRA_DIST += tests/unit/marshal.mk
if HAVE_PROTOC
PROTOS += everything everything_import
EXTRA_DIST += tests/protos/everything.proto tests/protos/everything_import.proto

# The generated code once for all tests: it is large.
check_LTLIBRARIES += tests/unit/libeverything.la
tests_unit_libeverything_la_SOURCES =
nodist_tests_unit_libeverything_la_SOURCES = gen/everything.mrpc.c gen/everything.marshal.c gen/everything_import.mrpc.c \
	gen/everything_import.marshal.c
EVERYTHING = tests/unit/libeverything.la $(TEST_LDADD)
CODEC_HELP = tests/unit/marshal/codec_help.c tests/unit/marshal/codec_help.h \
	tests/unit/marshal/random_message.c tests/unit/marshal/random_message.h

MARSHAL_TESTS = tests/unit/marshal/test_module tests/unit/marshal/test_round_trip
check_PROGRAMS += $(MARSHAL_TESTS)
TESTS += $(MARSHAL_TESTS)

tests_unit_marshal_test_module_SOURCES = tests/unit/marshal/test_module.c
tests_unit_marshal_test_module_LDADD = $(EVERYTHING)
tests_unit_marshal_test_round_trip_SOURCES = tests/unit/marshal/test_round_trip.c $(CODEC_HELP)
tests_unit_marshal_test_round_trip_LDADD = $(EVERYTHING)
endif
