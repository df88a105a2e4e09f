# SPDX-License-Identifier: BSD-2-Clause
# reflect/ - what it adds to the build; Makefile.am says how. Schemas are read with the library's own descriptor.proto.
proto_sources += reflect/field.c
if HAVE_PROTOC
proto_sources += reflect/layout.c reflect/schema.c reflect/schema.h reflect/tables.c
reflect/layout.lo reflect/schema.lo reflect/tables.lo: $(KNOWN_TYPES)
endif
