dnl SPDX-License-Identifier: BSD-2-Clause
dnl mrpc.m4 - for projects that use mrpc; installed where aclocal finds it
dnl
dnl MRPC_CHECK([MINIMUM-VERSION], [ACTION-IF-FOUND], [ACTION-IF-NOT-FOUND])
dnl
dnl Finds libmrpc (pkg-config), protoc, and protoc-gen-mrpc of the same version. Sets MRPC_CFLAGS, MRPC_LIBS, PROTOC,
dnl PROTOC_GEN_MRPC and MRPC_RULES. Without ACTION-IF-NOT-FOUND, whatever is missing is an error that names it.
dnl
dnl MRPC_RULES are make rules that turn NAME.proto into NAME.mrpc.h, NAME.mrpc.c and NAME.marshal.c (mrpc.mk, which
dnl says more). In configure.ac and Makefile.am:
dnl
dnl     MRPC_CHECK([0.1])
dnl
dnl     @MRPC_RULES@
dnl     bin_PROGRAMS = hello
dnl     hello_SOURCES = hello.c
dnl     nodist_hello_SOURCES = greeter.mrpc.c greeter.marshal.c
dnl     hello_CFLAGS = $(MRPC_CFLAGS)
dnl     hello_LDADD = $(MRPC_LIBS)
dnl     BUILT_SOURCES = greeter.mrpc.h
dnl     CLEANFILES = greeter.mrpc.h greeter.mrpc.c greeter.marshal.c
dnl     EXTRA_DIST = greeter.proto

# serial 1

AC_DEFUN([MRPC_CHECK], [
AC_REQUIRE([PKG_PROG_PKG_CONFIG])dnl
AC_ARG_VAR([PROTOC], [the protobuf compiler])dnl
AC_ARG_VAR([PROTOC_GEN_MRPC], [mrpc's plugin of protoc])dnl
mrpc_missing=
PKG_CHECK_MODULES([MRPC], [mrpc[]m4_ifval([$1], [ >= $1])], [], [mrpc_missing="libmrpc[]m4_ifval([$1], [ $1 or later]): $MRPC_PKG_ERRORS"])
AS_IF([test -z "$mrpc_missing"], [
    AC_PATH_PROG([PROTOC], [protoc])
    AC_PATH_PROG([PROTOC_GEN_MRPC], [protoc-gen-mrpc], [],
        [`$PKG_CONFIG --variable=bindir mrpc`$PATH_SEPARATOR$PATH])
    MRPC_DATADIR=`$PKG_CONFIG --variable=mrpcdatadir mrpc`
    # Below PKG_CONFIG_SYSROOT_DIR, where cross builds and staged installs have it; pkg-config may have said so itself.
    AS_IF([test ! -r "$MRPC_DATADIR/mrpc.mk" && test -r "$PKG_CONFIG_SYSROOT_DIR$MRPC_DATADIR/mrpc.mk"],
        [MRPC_DATADIR=$PKG_CONFIG_SYSROOT_DIR$MRPC_DATADIR])
    AS_IF([test -z "$PROTOC"], [mrpc_missing="protoc, the protobuf compiler"],
        [test -z "$PROTOC_GEN_MRPC"], [mrpc_missing="protoc-gen-mrpc, the plugin of protoc"],
        [test ! -r "$MRPC_DATADIR/mrpc.mk"], [mrpc_missing="$MRPC_DATADIR/mrpc.mk"], [
        AC_MSG_CHECKING([that protoc-gen-mrpc is of the same version as libmrpc])
        mrpc_version=`$PKG_CONFIG --modversion mrpc`
        AS_CASE([" `"$PROTOC_GEN_MRPC" --version 2>/dev/null` "],
            [*[[!0-9.]]"$mrpc_version"[[!0-9.]]*], [AC_MSG_RESULT([$mrpc_version])],
            [AC_MSG_RESULT([no])
             mrpc_missing="version $mrpc_version of protoc-gen-mrpc ($PROTOC_GEN_MRPC is another)"])])
])
AC_SUBST([MRPC_RULES], ["include $MRPC_DATADIR/mrpc.mk"])dnl
_AM_SUBST_NOTMAKE([MRPC_RULES])dnl
AS_IF([test -z "$mrpc_missing"], [m4_default([$2], [:])],
    [m4_default([$3], [AC_MSG_ERROR([mrpc is not complete: missing is $mrpc_missing])])])
])
