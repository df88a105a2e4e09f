# SPDX-License-Identifier: BSD-2-Clause
# tests/unit/shm.mk - shared memory
SHM_PAIR = tests/unit/shm_pair.c tests/unit/shm_pair.h $(FAILING_ALLOC_FILES)
SHM_FORGED = tests/unit/shm_forged.c tests/unit/shm_forged.h
check_PROGRAMS += tests/unit/test_shm
TESTS += tests/unit/test_shm
tests_unit_test_shm_SOURCES = tests/unit/test_shm.c $(SHM_PAIR)
tests_unit_test_shm_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_test_shm_LDADD = $(TEST_LDADD)
TESTS += tests/unit/conformance-shm.sh
dist_check_SCRIPTS += tests/unit/conformance-shm.sh
check_PROGRAMS += tests/unit/test_shm_hostile
TESTS += tests/unit/test_shm_hostile
tests_unit_test_shm_hostile_SOURCES = tests/unit/test_shm_hostile.c $(SHM_PAIR) $(SHM_FORGED)
tests_unit_test_shm_hostile_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_test_shm_hostile_LDADD = $(TEST_LDADD)
check_PROGRAMS += tests/unit/test_shm_processes
TESTS += tests/unit/test_shm_processes
tests_unit_test_shm_processes_SOURCES = tests/unit/test_shm_processes.c $(SHM_PAIR)
tests_unit_test_shm_processes_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_test_shm_processes_LDADD = $(TEST_LDADD)
check_PROGRAMS += tests/unit/test_shm_ring
TESTS += tests/unit/test_shm_ring
tests_unit_test_shm_ring_SOURCES = tests/unit/test_shm_ring.c
tests_unit_test_shm_ring_LDADD = $(TEST_LDADD)
