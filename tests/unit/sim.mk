# SPDX-License-Identifier: BSD-2-Clause
# tests/unit/sim.mk - the simulated network
TESTS += tests/unit/conformance-sim.sh tests/unit/conformance-sim-short.sh
dist_check_SCRIPTS += tests/unit/conformance-sim.sh tests/unit/conformance-sim-short.sh
check_PROGRAMS += tests/unit/test_sim
TESTS += tests/unit/test_sim
tests_unit_test_sim_SOURCES = tests/unit/test_sim.c
tests_unit_test_sim_LDADD = $(TEST_LDADD)
