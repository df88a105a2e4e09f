# SPDX-License-Identifier: BSD-2-Clause
# marshal.mk - tests of marshal/ and of what the generator writes into FILE.marshal.c
EXTRA_DIST += tests/unit/marshal.mk
if HAVE_PROTOC
PROTOS += everything everything_import
EXTRA_DIST += tests/protos/everything.proto tests/protos/everything_import.proto
EVERYTHING_FILES = gen/everything.mrpc.c gen/everything.marshal.c gen/everything_import.mrpc.c gen/everything_import.marshal.c

MARSHAL_TESTS = tests/unit/test_marshal_module
check_PROGRAMS += $(MARSHAL_TESTS)
TESTS += $(MARSHAL_TESTS)

tests_unit_test_marshal_module_SOURCES = tests/unit/test_marshal_module.c
nodist_tests_unit_test_marshal_module_SOURCES = gen/everything.marshal.c gen/everything_import.marshal.c
tests_unit_test_marshal_module_LDADD = $(TEST_LDADD)
endif
