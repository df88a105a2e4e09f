# SPDX-License-Identifier: BSD-2-Clause
# upgrade/: what is checked before a module is loaded, and loading itself
upgrade_tests = tests/unit/upgrade/test_trust tests/unit/upgrade/test_elf tests/unit/upgrade/test_candidate \
	tests/unit/upgrade/test_control tests/unit/upgrade/test_descriptors tests/unit/upgrade/test_transports
check_PROGRAMS += $(upgrade_tests)
TESTS += $(upgrade_tests)
upgrade_build = tests/unit/upgrade/build.c tests/unit/upgrade/build.h
tests_unit_upgrade_test_trust_SOURCES = tests/unit/upgrade/test_trust.c $(upgrade_build)
tests_unit_upgrade_test_trust_LDADD = $(TEST_LDADD)
tests_unit_upgrade_test_elf_SOURCES = tests/unit/upgrade/test_elf.c $(upgrade_build)
tests_unit_upgrade_test_elf_LDADD = $(TEST_LDADD)
tests_unit_upgrade_test_candidate_SOURCES = tests/unit/upgrade/test_candidate.c $(upgrade_build)
tests_unit_upgrade_test_candidate_LDADD = $(TEST_LDADD)
EXTRA_DIST += tests/unit/upgrade/module.c
upgrade_talk = tests/unit/upgrade/talk.c tests/unit/upgrade/talk.h $(upgrade_build)
tests_unit_upgrade_test_control_SOURCES = tests/unit/upgrade/test_control.c $(upgrade_talk)
tests_unit_upgrade_test_control_LDADD = $(TEST_LDADD)
tests_unit_upgrade_test_descriptors_SOURCES = tests/unit/upgrade/test_descriptors.c $(upgrade_talk)
tests_unit_upgrade_test_descriptors_LDADD = $(TEST_LDADD)

tests_unit_upgrade_test_transports_SOURCES = tests/unit/upgrade/test_transports.c $(upgrade_build)
tests_unit_upgrade_test_transports_LDADD = $(TEST_LDADD)

check_PROGRAMS += tests/unit/test_kv_store
TESTS += tests/unit/test_kv_store
tests_unit_test_kv_store_SOURCES = tests/unit/test_kv_store.c examples/kv_store.c examples/kv_store.h
tests_unit_test_kv_store_LDADD = $(CMOCKA_LIBS)

# Service modules find the functions of libmrpc in the program, which therefore links it as users' programs do.
if HAVE_PROTOC
check_PROGRAMS += tests/unit/upgrade/test_running
TESTS += tests/unit/upgrade/test_running
tests_unit_upgrade_test_running_SOURCES = tests/unit/upgrade/test_running.c $(upgrade_build)
nodist_tests_unit_upgrade_test_running_SOURCES = gen/hello.mrpc.c gen/hello.marshal.c
tests_unit_upgrade_test_running_LDADD = libmrpc.la $(CMOCKA_LIBS)
endif
EXTRA_DIST += tests/unit/upgrade/service.c

check_PROGRAMS += tests/unit/test_doctor
TESTS += tests/unit/test_doctor
tests_unit_test_doctor_SOURCES = tests/unit/test_doctor.c tools/doctor.c tools/doctor.h $(upgrade_build)
tests_unit_test_doctor_LDADD = $(CMOCKA_LIBS)
