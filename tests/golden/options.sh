#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# options.sh - what protoc-gen-mrpc says about its options, and what it says to a person
. "$top_srcdir/tests/golden/generate.sh"
version=$(sed -n 's/^#define MRPC_VERSION_STRING "\(.*\)"/\1/p' "$top_srcdir/include/mrpc/visibility.h")
known='prefix=PKG:SHORT services=no stamp=TEXT threshold=N'

# refuses OPTION ERROR - the run fails with exactly that error and writes nothing
refuses() {
    if run_protoc "$golden/protos" "$work/refused" --mrpc_opt="$1" empty.proto >"$work/said" 2>&1; then
        fail "$1 was accepted"
    elif [ "$(cat "$work/said")" != "--mrpc_out: $2" ]; then
        cat "$work/said"
        fail "$1: the error is not: $2"
    elif [ -n "$(find "$work/refused" -type f)" ]; then
        fail "$1: files were written"
    else
        pass "$1 is refused"
    fi
}

# accepts OPTION
accepts() {
    if run_protoc "$golden/protos" "$work/accepted" --mrpc_opt="$1" empty.proto; then
        pass "$1 is accepted"
    else
        fail "$1 is refused"
    fi
}

# says STATUS TEXT ARGUMENT... - the plugin run by hand prints a line that contains TEXT and ends with STATUS
says() {
    status=$1 text=$2
    shift 2
    "$plugin" "$@" </dev/null >"$work/said" 2>&1
    if [ $? = "$status" ] && grep -qF -e "$text" "$work/said"; then
        pass "$*: $text"
    else
        cat "$work/said"
        fail "$*: no line with '$text', or its exit status is not $status"
    fi
}

refuses colour=red "unknown option 'colour'; the options are: $known"
refuses stamp "option stamp needs a value: stamp=…"
refuses stamp=abc,nonsense "unknown option 'nonsense'; the options are: $known"
refuses stamp=abcdefghijklmnop \
    'option stamp=abcdefghijklmnop: expected at most 15 characters of ASCII without blanks, quotes and backslashes'
refuses 'stamp=a"b' 'option stamp=a"b: expected at most 15 characters of ASCII without blanks, quotes and backslashes'
for number in 0 x 1x -1 4294967296 99999999999999999999 ''; do
    refuses threshold=$number "option threshold=$number: expected a number of bytes from 1 to 4294967295"
done
for prefix in nothing a.b:1x a:b-c; do
    refuses prefix=$prefix "option prefix=$prefix: expected PKG:SHORT, where SHORT can begin a name in C"
done
refuses prefix=a:x,prefix=a:y 'option prefix: package a is given two prefixes, x and y'
refuses services=maybe 'option services=maybe: expected yes or no'
accepts services=yes
accepts stamp=abcdefghijklmno
accepts stamp=v1.2-rc3,threshold=4294967295,prefix=a.b:c,prefix=d:,prefix=a.b:c
accepts ''

# Without the prefix, and with none at all, the names follow.
run_protoc "$golden/protos" "$work/long" short.proto && grep -q golden_a_rather_long_package_v1_Message_new \
    "$work/long/short.mrpc.h" && pass 'a package is the prefix' || fail 'a package is not the prefix'
run_protoc "$golden/protos" "$work/none" --mrpc_opt=prefix=golden.a.rather.long_package.v1: short.proto &&
    grep -q '^struct Message {' "$work/none/short.mrpc.h" && pass 'an empty prefix' || fail 'an empty prefix does not work'

says 0 "protoc-gen-mrpc $version" --version
says 0 --mrpc_out --help
for option in $known; do
    says 0 "  $option " --help
done
says 2 "unknown argument '--nonsense'; --help says" --nonsense
says 2 "unknown argument '--version'; --help says" --version --help
if [ -c /dev/full ]; then
    "$plugin" --version >/dev/full 2>/dev/null && fail 'a full disk is not noticed' || pass 'a full disk is noticed'
fi
# What is no request gives an error, too.
echo nonsense | "$plugin" >"$work/said" 2>&1 && fail 'nonsense was accepted' || pass 'nonsense is refused'
finish
