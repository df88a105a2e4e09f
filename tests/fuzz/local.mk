# SPDX-License-Identifier: BSD-2-Clause
# tests/fuzz/ - what it adds to the build; Makefile.am says how.
include $(srcdir)/tests/fuzz/marshal.mk
include $(srcdir)/tests/fuzz/stream.mk
include $(srcdir)/tests/fuzz/upgrade.mk
include $(srcdir)/tests/fuzz/plugin.mk
