# SPDX-License-Identifier: BSD-2-Clause
# The public headers, every one that is installed (tests/headers.sh fails for one that is not listed).
mrpcinclude_HEADERS += \
	include/mrpc/call.h \
	include/mrpc/channel.h \
	include/mrpc/error.h \
	include/mrpc/extension.h \
	include/mrpc/heap.h \
	include/mrpc/json.h \
	include/mrpc/marshal.h \
	include/mrpc/message.h \
	include/mrpc/mrpc.h \
	include/mrpc/queue.h \
	include/mrpc/reflect.h \
	include/mrpc/runtime.h \
	include/mrpc/server.h \
	include/mrpc/service.h \
	include/mrpc/service_module.h \
	include/mrpc/text.h \
	include/mrpc/visibility.h
mrpcmarshal_HEADERS += \
	include/mrpc/marshal/mirror.h \
	include/mrpc/marshal/native.h \
	include/mrpc/marshal/protobuf.h \
	include/mrpc/marshal/text.h

# They include headers that protoc and the plugin make: see marshal/local.mk.
EXTRA_DIST += include/mrpc/descriptor.h include/mrpc/well_known.h
if HAVE_PROTOC
mrpcinclude_HEADERS += include/mrpc/descriptor.h \
	include/mrpc/well_known.h
endif
