# SPDX-License-Identifier: BSD-2-Clause
# message.mk - tests of what works on messages of any type, with types written by hand
EXTRA_DIST += tests/unit/message.mk

MESSAGE_TESTS = tests/unit/test_message tests/unit/test_message_text
check_PROGRAMS += $(MESSAGE_TESTS)
TESTS += $(MESSAGE_TESTS)

tests_unit_test_message_SOURCES = tests/unit/test_message.c tests/unit/message_types.c tests/unit/message_types.h \
	$(FAILING_ALLOC_FILES)
tests_unit_test_message_LDADD = $(TEST_LDADD)
tests_unit_test_message_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_test_message_text_SOURCES = tests/unit/test_message_text.c tests/unit/message_types.c tests/unit/message_types.h
tests_unit_test_message_text_LDADD = $(TEST_LDADD)

if HAVE_PROTOC
check_PROGRAMS += tests/unit/test_descriptor tests/unit/test_well_known
TESTS += tests/unit/test_descriptor tests/unit/test_well_known
tests_unit_test_descriptor_SOURCES = tests/unit/test_descriptor.c
tests_unit_test_descriptor_LDADD = $(TEST_LDADD)
tests_unit_test_well_known_SOURCES = tests/unit/test_well_known.c
tests_unit_test_well_known_LDADD = $(TEST_LDADD)
endif
