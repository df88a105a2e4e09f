# SPDX-License-Identifier: BSD-2-Clause
# tests/differential/ - random schemas, whose messages mrpc and other implementations write and read alike
#
#   TEST_SEED=N      repeats a run, which has printed it
#   TEST_SCHEMAS=N   how many schemas a run has; 0: until something is wrong (run the program without tests/run-test)
if HAVE_PROTOC
DIFFERENTIAL_FILES = tests/differential/compare.c tests/differential/compare.h tests/differential/fill.cc \
	tests/differential/fill.h tests/differential/maps.cc tests/differential/maps.h tests/differential/peer.cc \
	tests/differential/peer.h tests/differential/run.c tests/differential/run.h $(CODEC_HELP)
RANDOM_SCHEMA_FILES = tests/differential/random_field.cc tests/differential/random_schema.cc \
	tests/differential/random_schema.h tests/differential/schema_maker.h
# See tests_unit_marshal_test_peer_CXXFLAGS.
DIFFERENTIAL_CXXFLAGS = $(AM_CXXFLAGS) -U__SANITIZE_THREAD__

check_PROGRAMS += tests/differential/test_run_time
TESTS += tests/differential/test_run_time
tests_differential_test_run_time_SOURCES = tests/differential/test_run_time.c $(DIFFERENTIAL_FILES) $(RANDOM_SCHEMA_FILES)
tests_differential_test_run_time_LDADD = $(TEST_LDADD) $(PROTOBUF_LIBS)
tests_differential_test_run_time_CXXFLAGS = $(DIFFERENTIAL_CXXFLAGS)

# Fresh code for each schema, which generated.sh has made and compiled.
check_PROGRAMS += tests/differential/test_generated tests/differential/write_schema
TESTS += tests/differential/generated.sh
tests_differential_write_schema_SOURCES = tests/differential/write_schema.cc $(RANDOM_SCHEMA_FILES) \
	tests/unit/marshal/random_message.c tests/unit/marshal/random_message.h
tests_differential_write_schema_LDADD = $(TEST_LDADD) $(PROTOBUF_LIBS)
tests_differential_write_schema_CXXFLAGS = $(DIFFERENTIAL_CXXFLAGS)
tests_differential_test_generated_SOURCES = tests/differential/test_generated.c tests/differential/protobuf_c.h \
	$(DIFFERENTIAL_FILES)
tests_differential_test_generated_LDADD = $(TEST_LDADD) $(PROTOBUF_LIBS)
tests_differential_test_generated_CXXFLAGS = $(DIFFERENTIAL_CXXFLAGS)
tests_differential_test_generated_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_C_CFLAGS)
if HAVE_PROTOBUF_C
tests_differential_test_generated_SOURCES += tests/differential/protobuf_c.c
tests_differential_test_generated_LDADD += $(PROTOBUF_C_LIBS)
endif
endif
dist_check_SCRIPTS += tests/differential/generated.sh
