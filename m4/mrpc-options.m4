dnl SPDX-License-Identifier: BSD-2-Clause
dnl mrpc-options.m4 - the options of mrpc's own configure (mrpc.m4 beside it is for other projects)

dnl MRPC_WITH_PKG(NAME, PREFIX, PKG-CONFIG-SPEC, WHAT-FOR, DEBIAN-PACKAGE)
dnl --with-NAME=yes|no|check. Sets PREFIX_CFLAGS, PREFIX_LIBS, HAVE_PREFIX (yes or no), the automake
dnl conditional HAVE_PREFIX and the macro of the same name in config.h.
AC_DEFUN([MRPC_WITH_PKG], [
AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=yes|no|check], [$1, for $4 @<:@check@:>@])], [], [m4_translit([with_$1], [-], [_])=check])
HAVE_$2=no
AS_IF([test "$m4_translit([with_$1], [-], [_])" != no],
    [PKG_CHECK_MODULES([$2], [$3], [HAVE_$2=yes],
        [AS_IF([test "$m4_translit([with_$1], [-], [_])" != check],
            [AC_MSG_ERROR([--with-$1 was given but pkg-config does not find "$3"; on Debian: apt-get install $5])])])])
AS_IF([test "$HAVE_$2" = yes], [AC_DEFINE([HAVE_$2], [1], [Define to 1 when $1 is used.])])
AM_CONDITIONAL([HAVE_$2], [test "$HAVE_$2" = yes])
])

dnl MRPC_WITH_PROTOC
dnl --with-protoc=yes|no|check: the compiler plugin, and with it all that is generated (examples, benchmarks, most
dnl tests). Sets PROTOC, PROTOC_LIBS, PROTOC_CFLAGS, HAVE_PROTOC.
AC_DEFUN([MRPC_WITH_PROTOC], [
AC_ARG_WITH([protoc],
    [AS_HELP_STRING([--with-protoc=yes|no|check], [libprotoc, for protoc-gen-mrpc and all that it generates @<:@check@:>@])],
    [], [with_protoc=check])
AC_ARG_VAR([PROTOC], [the protobuf compiler])
HAVE_PROTOC=no
AS_IF([test "$with_protoc" != no], [
    AC_PATH_PROG([PROTOC], [protoc])
    PKG_CHECK_MODULES([PROTOBUF], [protobuf >= 3.21], [have_protobuf=yes], [have_protobuf=no])
    AC_LANG_PUSH([C++])
    mrpc_save_CPPFLAGS=$CPPFLAGS
    CPPFLAGS="$CPPFLAGS $PROTOBUF_CFLAGS"
    AC_CHECK_HEADER([google/protobuf/compiler/code_generator.h], [have_libprotoc=yes], [have_libprotoc=no])
    CPPFLAGS=$mrpc_save_CPPFLAGS
    AC_LANG_POP([C++])
    AS_IF([test -n "$PROTOC" && test "$have_protobuf" = yes && test "$have_libprotoc" = yes], [HAVE_PROTOC=yes],
        [test "$with_protoc" != check],
        [AC_MSG_ERROR([--with-protoc was given but protoc or libprotoc is missing; on Debian: apt-get install protobuf-compiler libprotoc-dev])])
])
AC_SUBST([PROTOC_CFLAGS], ["$PROTOBUF_CFLAGS"])
AC_SUBST([PROTOC_LIBS], ["-lprotoc $PROTOBUF_LIBS"])
AM_CONDITIONAL([HAVE_PROTOC], [test "$HAVE_PROTOC" = yes])
])

dnl MRPC_SCDOC - man pages are made by scdoc, which is optional.
AC_DEFUN([MRPC_SCDOC], [
AC_ARG_VAR([SCDOC], [the scdoc program, which makes man pages])
AC_PATH_PROG([SCDOC], [scdoc])
HAVE_SCDOC=yes
AS_IF([test -z "$SCDOC"],
    [HAVE_SCDOC=no
     AC_MSG_WARN([scdoc is missing: man pages are not built; on Debian: apt-get install scdoc])])
AM_CONDITIONAL([HAVE_SCDOC], [test "$HAVE_SCDOC" = yes])
])

dnl MRPC_WARNINGS - MRPC_CFLAGS and MRPC_CXXFLAGS; CFLAGS and CXXFLAGS stay the user's.
AC_DEFUN([MRPC_WARNINGS], [
AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors @<:@no@:>@])], [], [enable_werror=no])
MRPC_CFLAGS="-std=gnu11 -fvisibility=hidden -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes"
MRPC_CXXFLAGS="-std=gnu++17 -fvisibility=hidden -Wall -Wextra -Wshadow"
AS_IF([test "$enable_werror" = yes], [
    MRPC_CFLAGS="$MRPC_CFLAGS -Werror"
    MRPC_CXXFLAGS="$MRPC_CXXFLAGS -Werror"
])
AC_SUBST([MRPC_CFLAGS])
AC_SUBST([MRPC_CXXFLAGS])
])

dnl MRPC_SANITIZERS - --enable-sanitizers=LIST goes to -fsanitize=LIST of everything that is compiled and linked.
AC_DEFUN([MRPC_SANITIZERS], [
AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST], [build with -fsanitize=LIST, e.g. address,undefined or thread @<:@no@:>@])],
    [], [enable_sanitizers=no])
AS_CASE([$enable_sanitizers],
    [no], [MRPC_SANITIZE_FLAGS=],
    [yes], [enable_sanitizers=address,undefined],
    [])
AS_IF([test "$enable_sanitizers" != no], [
    MRPC_SANITIZE_FLAGS="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer -g"
    AS_CASE([$enable_sanitizers], [*undefined*],
        [MRPC_SANITIZE_FLAGS="$MRPC_SANITIZE_FLAGS -fno-sanitize-recover=undefined"])
    # gcc defines these macros by itself; the code asks for them, so clang shall, too.
    AS_CASE([$enable_sanitizers], [*address*], [MRPC_SANITIZE_FLAGS="$MRPC_SANITIZE_FLAGS -D__SANITIZE_ADDRESS__=1"],
        [*thread*], [MRPC_SANITIZE_FLAGS="$MRPC_SANITIZE_FLAGS -D__SANITIZE_THREAD__=1"])
    mrpc_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $MRPC_SANITIZE_FLAGS"
    AC_MSG_CHECKING([whether $CC links with -fsanitize=$enable_sanitizers])
    AC_LINK_IFELSE([AC_LANG_PROGRAM], [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([--enable-sanitizers=$enable_sanitizers was given but $CC does not link with it])])
    CFLAGS=$mrpc_save_CFLAGS
])
AC_SUBST([MRPC_SANITIZE_FLAGS])
AM_CONDITIONAL([SANITIZERS], [test "$enable_sanitizers" != no])
])
