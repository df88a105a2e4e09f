# SPDX-License-Identifier: BSD-2-Clause
# marshal.mk - tests of marshal/ and of what the generator writes into FILE.marshal.c
EXTRA_DIST += tests/unit/marshal.mk
if HAVE_PROTOC
PROTOS += everything everything2 everything_import extensions extension_options
EXTRA_DIST += tests/protos/everything.proto tests/protos/everything2.proto tests/protos/everything_import.proto \
	tests/protos/extensions.proto tests/protos/extension_options.proto

# Compiled once for all tests, as long as none has flags of its own for compiling.
EVERYTHING_FILES = gen/everything.mrpc.c gen/everything.marshal.c gen/everything_import.mrpc.c gen/everything_import.marshal.c \
	gen/everything2.mrpc.c gen/everything2.marshal.c
EXTENSION_FILES = gen/extensions.mrpc.c gen/extensions.marshal.c
CODEC_HELP = tests/unit/marshal/codec_help.c tests/unit/marshal/codec_help.h \
	tests/unit/marshal/random_message.c tests/unit/marshal/random_message.h

MARSHAL_TESTS = tests/unit/marshal/test_concurrent tests/unit/marshal/test_decode_iov tests/unit/marshal/test_encode_iov \
	tests/unit/marshal/test_extension tests/unit/marshal/test_extension_peer \
	tests/unit/marshal/test_failures tests/unit/marshal/test_fast_paths tests/unit/marshal/test_from_text \
	tests/unit/marshal/test_json tests/unit/marshal/test_module tests/unit/marshal/test_native \
	tests/unit/marshal/test_peer tests/unit/marshal/test_proto2 tests/unit/marshal/test_protobuf tests/unit/marshal/test_round_trip \
	tests/unit/marshal/test_shared
check_PROGRAMS += $(MARSHAL_TESTS)
TESTS += $(MARSHAL_TESTS)

tests_unit_marshal_test_concurrent_SOURCES = tests/unit/marshal/test_concurrent.c $(CODEC_HELP)
nodist_tests_unit_marshal_test_concurrent_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_concurrent_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_decode_iov_SOURCES = tests/unit/marshal/test_decode_iov.c $(CODEC_HELP) $(FAILING_ALLOC_FILES)
nodist_tests_unit_marshal_test_decode_iov_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_decode_iov_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_decode_iov_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_marshal_test_encode_iov_SOURCES = tests/unit/marshal/test_encode_iov.c $(CODEC_HELP) $(FAILING_ALLOC_FILES)
nodist_tests_unit_marshal_test_encode_iov_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_encode_iov_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_encode_iov_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_marshal_test_extension_SOURCES = tests/unit/marshal/test_extension.c $(CODEC_HELP) $(FAILING_ALLOC_FILES)
nodist_tests_unit_marshal_test_extension_SOURCES = $(EVERYTHING_FILES) $(EXTENSION_FILES) gen/extension_options.mrpc.c \
	gen/extension_options.marshal.c
tests_unit_marshal_test_extension_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_extension_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_marshal_test_extension_peer_SOURCES = tests/unit/marshal/test_extension_peer.c tests/unit/marshal/peer.cc \
	tests/unit/marshal/peer.h $(CODEC_HELP)
nodist_tests_unit_marshal_test_extension_peer_SOURCES = $(EVERYTHING_FILES) $(EXTENSION_FILES) $(EVERYTHING_PB)
tests_unit_marshal_test_extension_peer_LDADD = $(TEST_LDADD) $(PROTOBUF_LIBS)
tests_unit_marshal_test_extension_peer_CXXFLAGS = $(tests_unit_marshal_test_peer_CXXFLAGS)
tests_unit_marshal_test_failures_SOURCES = tests/unit/marshal/test_failures.c $(CODEC_HELP) $(FAILING_ALLOC_FILES)
nodist_tests_unit_marshal_test_failures_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_failures_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_failures_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_marshal_test_from_text_SOURCES = tests/unit/marshal/test_from_text.c tests/unit/marshal/random_message.c \
	tests/unit/marshal/random_message.h $(FAILING_ALLOC_FILES)
nodist_tests_unit_marshal_test_from_text_SOURCES = $(EVERYTHING_FILES) $(EXTENSION_FILES)
tests_unit_marshal_test_from_text_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_from_text_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_marshal_test_json_SOURCES = tests/unit/marshal/test_json.c tests/unit/marshal/random_message.c \
	tests/unit/marshal/random_message.h $(FAILING_ALLOC_FILES)
nodist_tests_unit_marshal_test_json_SOURCES = $(EVERYTHING_FILES) $(EXTENSION_FILES)
tests_unit_marshal_test_json_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_json_LDFLAGS = $(WRAP_ALLOCATIONS)
tests_unit_marshal_test_module_SOURCES = tests/unit/marshal/test_module.c
nodist_tests_unit_marshal_test_module_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_module_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_native_SOURCES = tests/unit/marshal/test_native.c $(CODEC_HELP)
nodist_tests_unit_marshal_test_native_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_native_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_peer_SOURCES = tests/unit/marshal/test_peer.c tests/unit/marshal/peer.cc tests/unit/marshal/peer.h $(CODEC_HELP)
nodist_tests_unit_marshal_test_peer_SOURCES = $(EVERYTHING_FILES) $(EVERYTHING_PB)
tests_unit_marshal_test_peer_LDADD = $(TEST_LDADD) $(PROTOBUF_LIBS)
# libprotobuf's headers give a class more members under ThreadSanitizer (MapFieldBase in map_field.h), which the library
# that is installed was not built with.
tests_unit_marshal_test_peer_CXXFLAGS = $(AM_CXXFLAGS) -U__SANITIZE_THREAD__
EVERYTHING_PB = gen/everything.pb.cc gen/everything2.pb.cc gen/everything_import.pb.cc gen/extensions.pb.cc
tests/unit/marshal/test_peer-peer.$(OBJEXT): $(EVERYTHING_PB)
tests/unit/marshal/test_extension_peer-peer.$(OBJEXT): $(EVERYTHING_PB)
gen/extensions.pb.cc: gen/everything2.pb.cc
gen/everything2.pb.cc gen/everything.pb.cc: gen/everything_import.pb.cc
$(EVERYTHING_PB): gen/%.pb.cc: tests/protos/%.proto
	$(AM_V_GEN)$(MKDIR_P) gen && $(PROTOC) -I$(<D) --cpp_out=gen $(<F)
tests_unit_marshal_test_shared_SOURCES = tests/unit/marshal/test_shared.c
nodist_tests_unit_marshal_test_shared_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_shared_LDADD = $(TEST_LDADD)
check_DATA += gen/everything_import.marshal.so
tests_unit_marshal_test_proto2_SOURCES = tests/unit/marshal/test_proto2.c $(CODEC_HELP)
nodist_tests_unit_marshal_test_proto2_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_proto2_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_fast_paths_SOURCES = tests/unit/marshal/test_fast_paths.c $(CODEC_HELP)
nodist_tests_unit_marshal_test_fast_paths_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_fast_paths_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_protobuf_SOURCES = tests/unit/marshal/test_protobuf.c $(CODEC_HELP)
nodist_tests_unit_marshal_test_protobuf_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_protobuf_LDADD = $(TEST_LDADD)
tests_unit_marshal_test_round_trip_SOURCES = tests/unit/marshal/test_round_trip.c $(CODEC_HELP)
nodist_tests_unit_marshal_test_round_trip_SOURCES = $(EVERYTHING_FILES)
tests_unit_marshal_test_round_trip_LDADD = $(TEST_LDADD)

# reflect/
check_PROGRAMS += tests/unit/reflect/test_reflect
TESTS += tests/unit/reflect/test_reflect
tests_unit_reflect_test_reflect_SOURCES = tests/unit/reflect/test_reflect.c $(CODEC_HELP) $(FAILING_ALLOC_FILES)
nodist_tests_unit_reflect_test_reflect_SOURCES = $(EVERYTHING_FILES) $(EXTENSION_FILES)
tests_unit_reflect_test_reflect_LDADD = $(TEST_LDADD)
tests_unit_reflect_test_reflect_LDFLAGS = $(WRAP_ALLOCATIONS)
endif
