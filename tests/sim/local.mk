# SPDX-License-Identifier: BSD-2-Clause
# tests/sim/ - calls in simulated worlds, each from a seed; and models of what threads agree on
TESTS += tests/sim/wakeup.sh tests/sim/bias.sh
dist_check_SCRIPTS += tests/sim/wakeup.sh tests/sim/bias.sh
EXTRA_DIST += tests/sim/wakeup.pml tests/sim/bias.pml tests/sim/model.sh
if HAVE_PROTOC
check_PROGRAMS += tests/sim/simulate
TESTS += tests/sim/simulate
tests_sim_simulate_SOURCES = tests/sim/simulate.c tests/sim/workload.c tests/sim/workload.h tests/sim/workload_client.c \
	tests/sim/workload_server.c
nodist_tests_sim_simulate_SOURCES = $(ECHO_FILES)
tests_sim_simulate_LDADD = $(TEST_LDADD)
endif
