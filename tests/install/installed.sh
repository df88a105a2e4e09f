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

PKG_CONFIG_PATH=$DESTDIR$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
LD_LIBRARY_PATH=$DESTDIR$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
PATH=$DESTDIR$bindir:$PATH
export PKG_CONFIG_PATH LD_LIBRARY_PATH PATH
[ -z "$DESTDIR" ] || { PKG_CONFIG_SYSROOT_DIR=$DESTDIR; export PKG_CONFIG_SYSROOT_DIR; }

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

echo "# PASS: $passed"
echo "# FAIL: $failed"
[ "$failed" = 0 ]
