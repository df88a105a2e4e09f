# SPDX-License-Identifier: BSD-2-Clause
# The public headers, every one that is installed.
mrpcinclude_HEADERS += \
	include/mrpc/error.h \
	include/mrpc/heap.h \
	include/mrpc/marshal.h \
	include/mrpc/message.h \
	include/mrpc/visibility.h
