# SPDX-License-Identifier: BSD-2-Clause
# tests/install/ - an outside project against what was installed: make install DESTDIR=D && make installcheck DESTDIR=D
EXTRA_DIST += tests/install/installed.sh tests/install/plain.c tests/install/proto.c \
	tests/install/project/configure.ac tests/install/project/Makefile.am \
	tests/install/project/greeter.c tests/install/project/greeter.proto

installcheck-local: tests/run-test$(EXEEXT)
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) \
	DESTDIR='$(DESTDIR)' bindir='$(bindir)' libdir='$(libdir)' datadir='$(datadir)' TEST_TIMEOUT=300 \
		tests/run-test$(EXEEXT) $(srcdir)/tests/install/installed.sh
