#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# installed.sh - what `make install` put into place serves an outside project; run by `make installcheck`
#
# Needs in the environment: top_srcdir, CC, and of the installed tree, each without DESTDIR: DESTDIR, bindir, libdir,
# datadir. Everything is built in a folder of its own from copies, so that nothing comes from the source tree.
set -u
passed=0 failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/mrpc-installed.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# pkg-config reads DESTDIR, too, and the makefiles of the project are not part of this make.
root=$DESTDIR
unset DESTDIR MAKEFLAGS MFLAGS MAKELEVEL
PKG_CONFIG_PATH=$root$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
LD_LIBRARY_PATH=$root$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
PATH=$root$bindir:$PATH
export PKG_CONFIG_PATH LD_LIBRARY_PATH PATH
[ -z "$root" ] || { PKG_CONFIG_SYSROOT_DIR=$root; export PKG_CONFIG_SYSROOT_DIR; }

# try WHAT COMMAND... - one check; its output is shown when it fails
try() {
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "PASS: installed: $what"
        passed=$((passed + 1))
    else
        cat "$work/log"
        echo "FAIL: installed: $what"
        failed=$((failed + 1))
    fi
}

plain_program() {
    cp "$top_srcdir/tests/install/plain.c" "$work" && cd "$work" &&
        $CC -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags mrpc) -o plain plain.c $(pkg-config --libs mrpc) &&
        ./plain "$(pkg-config --modversion mrpc)"
}

try 'a program builds with pkg-config alone' plain_program

# Messages of a schema that has a service, too, without anything but libmrpc-proto
proto_program() {
    mkdir "$work/proto" && cd "$work/proto" && cp "$top_srcdir/tests/install/proto.c" . &&
        cp "$top_srcdir"/tests/install/project/*.proto . &&
        protoc --mrpc_out=. --mrpc_opt=services=no ./*.proto &&
        $CC -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags mrpc-proto) -o proto proto.c ./*.mrpc.c ./*.marshal.c \
            $(pkg-config --libs mrpc-proto) && ./proto && ! ldd proto | grep -e libmrpc.so -e liburing -e libstdc++
}

command -v protoc-gen-mrpc >"$work/log" && try 'a program with messages alone builds with mrpc-proto' proto_program

# The published macro and rules, in a VPATH build of a copy of tests/install/project
ACLOCAL_PATH=$root$datadir/aclocal${ACLOCAL_PATH:+:$ACLOCAL_PATH}
export ACLOCAL_PATH

configure_project() {
    cp -r "$top_srcdir/tests/install/project" "$work/project" && chmod -R u+w "$work/project" &&
        cd "$work/project" && autoreconf -fi && mkdir build && cd build && ../configure CC="$CC"
}

build_project() {
    make -C "$work/project/build"
}

run_project() {
    make -C "$work/project/build" check VERBOSE=1
}

has_module() {
    nm -D --defined-only "$work/project/build/greeter.marshal.so" | grep -w mrpc_module_export
}

refuses_later_version() {
    mkdir "$work/later" && cd "$work/later" && sed 's/MRPC_CHECK(\[.*\])/MRPC_CHECK([99.1])/' ../project/configure.ac >configure.ac &&
        cp ../project/Makefile.am . && touch greeter.c && autoreconf -fi >/dev/null 2>&1 || return 1
    ./configure >output 2>&1 && return 1
    cat output
    grep -q 'missing is libmrpc 99.1 or later' output
}

names_missing_plugin() {
    mkdir "$work/plugin" && cd "$work/plugin" || return 1
    "$work/project/configure" PROTOC_GEN_MRPC=/no/plugin >output 2>&1 && return 1
    cat output
    grep -q 'of protoc-gen-mrpc (/no/plugin is another)' output
}

plain_makefile() {
    mkdir "$work/plain-make" && cd "$work/plain-make" && cp "$top_srcdir"/tests/install/project/greeter.* . &&
        printf '%s\n' 'include $(shell pkg-config --variable=mrpcdatadir mrpc)/mrpc.mk' \
            'CFLAGS = $(shell pkg-config --cflags mrpc)' 'LDLIBS = $(shell pkg-config --libs mrpc)' \
            'greeter: greeter.o greeter.mrpc.o greeter.marshal.o' \
            'greeter.o greeter.mrpc.o greeter.marshal.o: greeter.mrpc.h' >Makefile &&
        make CC="$CC" greeter && ./greeter
}

try 'MRPC_CHECK finds what it needs' configure_project
try 'an outside project generates code, compiles and links' build_project
try 'its program makes a call' run_project
try 'its marshal module exports its table' has_module
try 'MRPC_CHECK asks for the version that is missing' refuses_later_version
try 'MRPC_CHECK names a plugin that does not work' names_missing_plugin
try 'mrpc.mk works in a plain makefile' plain_makefile

echo "# PASS: $passed"
echo "# FAIL: $failed"
[ "$failed" = 0 ]
