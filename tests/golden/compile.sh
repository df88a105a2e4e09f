#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# compile.sh - what is generated compiles without a warning, headers alone as C11 and as C++17, and links
. "$top_srcdir/tests/golden/generate.sh"
warnings='-Wall -Wextra -Wshadow -Wconversion -Wpedantic -Werror'
out=$work/out
generate_golden "$out" || exit 1
run_protoc "$golden/protos" "$out" google/protobuf/descriptor.proto || exit 1 # some of the schemas have options of their own

# compiles WHAT COMMAND...
compiles() {
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        pass "$what"
    else
        head -n 20 "$work/log"
        fail "$what"
    fi
}

alone=$work/without-modules
mkdir "$alone"
for file in $(outputs_in "$out"); do
    case $file in
    *.c)
        object=$work/$(echo "$file" | tr / _).o
        compiles "$file as C11" $CC -std=c11 $warnings -I"$top_srcdir/include" -I"$out" -c -o "$object" "$out/$file"
        case $file in
        *.mrpc.c)
            compiles "$file without its module" $CC -std=c11 $warnings -I"$top_srcdir/include" -I"$out" \
                -DMRPC_MODULE_AT_RUN_TIME -c -o "$alone/${object##*/}" "$out/$file"
            ;;
        esac
        ;;
    *.h)
        printf '#include "%s"\n#include "%s"\n' "$file" "$file" >"$work/alone.c"
        compiles "$file alone as C11" $CC -std=c11 $warnings -I"$top_srcdir/include" -I"$out" -fsyntax-only "$work/alone.c"
        compiles "$file alone as C++17" $CXX -std=c++17 $warnings -I"$top_srcdir/include" -I"$out" -fsyntax-only \
            -x c++ "$work/alone.c"
        ;;
    esac
done

# All in one program, after the headers whose names they might clash with; without marshal modules, and with them.
{
    printf '#include <%s>\n' errno.h limits.h signal.h stdio.h stdlib.h string.h time.h unistd.h sys/sysmacros.h
    outputs_in "$out" '*.h' | sed 's/.*/#include "&"/'
    cat "$golden/tables.c"
} >"$work/tables.c"
{
    printf '#include <%s>\n' cerrno cmath cstdio cstdlib cstring ctime math.h
    outputs_in "$out" '*.h' | sed 's/.*/#include "&"/'
} >"$work/all.cc"
compiles 'the headers after those of C++' $CXX -std=c++17 $warnings -I"$top_srcdir/include" -I"$out" -fsyntax-only -x c++ "$work/all.cc"
link_tables() {
    $CC -std=gnu11 $warnings -I"$top_srcdir/include" -I"$out" "$@" -o "$work/tables"
}
compiles 'the tables in one program' link_tables -DLINKED=0 "$work/tables.c" "$alone"/*.o
compiles 'the tables are right' "$work/tables"
compiles 'tables and marshal modules in one program' link_tables -DLINKED=1 "$work/tables.c" "$work"/*.o
compiles 'the tables find the modules' "$work/tables"

# A library of generated code brings the modules of the tables that are used, and one that forgot them does not link.
link_archive() {
    rm -f "$work/generated.a" && ar rcs "$work/generated.a" "$@" &&
        link_tables -DLINKED=1 "$work/tables.c" "$work/generated.a"
}
compiles 'tables and marshal modules from a static library' link_archive "$work"/*.o
compiles 'the tables find the modules of the library' "$work/tables"
if link_archive "$work"/*.mrpc.c.o >"$work/log" 2>&1; then
    fail 'a static library without marshal modules links'
elif grep -q 'undefined reference.*mrpc_module_' "$work/log"; then
    pass 'the linker names the marshal modules that a static library lacks'
else
    head -n 20 "$work/log"
    fail 'the linker names the marshal modules that a static library lacks'
fi
round_trip "$out"
finish
