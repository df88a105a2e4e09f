#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# manual.sh - what the manual pages of the C interface say is so: their examples compile, and what they name exists
set -u
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}
work=$(mktemp -d "${TMPDIR:-/tmp}/mrpc-manual.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
[ -f "$top_builddir/gen/hello.mrpc.h" ] || { echo "SKIP: without protoc there is no code that the examples could use"; exit 77; }

# example_of PAGE - its literal blocks, in which scdoc wants a backslash doubled
example_of() {
    printf '#include <stdio.h>\n#include <stdlib.h>\n#include <mrpc/mrpc.h>\n#include "hello.mrpc.h"\n'
    awk '/^```/ { on = !on; next } on' "$1" | sed 's/\\\\/\\/g'
}

# prototypes_of_headers - one a line; like those of the pages without blanks and underscores, which are markup there
prototypes_of_headers() {
    printf '#include <mrpc/mrpc.h>\n#include <mrpc/service_module.h>\n' >"$work/all.c"
    $CC -std=gnu11 -E -P -I"$top_srcdir/include" "$work/all.c" | tr '\n' ' ' | tr ';' '\n' |
        sed -E 's/__attribute__ *\(\([^()]*(\([^()]*\))?[^()]*\)\)//g; s/^ *extern //; s/_Bool/bool/g' | tr -d ' _'
}
prototypes_of_headers >"$work/prototypes"

# synopsis_of PAGE - its prototypes, in the same form
synopsis_of() {
    sed -n '/^# SYNOPSIS/,/^# DESCRIPTION/p' "$1" | grep -v '^#' | tr '\n' ' ' | tr ';' '\n' |
        sed 's/\*#include <[^>]*>\*//g; s/\\\*/@/g' | tr -d ' *_' | tr @ '*' | grep '('
}

# check_synopsis PAGE - each function of a header that it names is shown as it is declared
check_synopsis() {
    synopsis_of "$1" >"$work/synopsis"
    for name in $(sed -n '/^# NAME/,/^# DESCRIPTION/p' "$1" | grep -oE 'mrpc_[a-z_]*[a-z]' | sort -u | tr -d _); do
        declared=$(grep -E "[*a-z]$name\(" "$work/prototypes" | grep -vE "[*a-z]$name\(.*[{]" | grep -oE "[a-z0-9*]*$name\(.*" | head -n 1)
        [ -z "$declared" ] || grep -qF -- "$declared" "$work/synopsis" || fail "$1: SYNOPSIS does not show $declared"
    done
}

pages=0
for page in $man_pages; do
    case $page in *.[37]) ;; *) continue ;; esac
    source=$top_srcdir/$page.scd
    pages=$((pages + 1))
    example_of "$source" >"$work/example.c"
    $CC -std=gnu11 -Wall -Wextra -Wshadow -Werror -Wno-unused-function -I"$top_srcdir/include" -I"$top_builddir/gen" \
        -fsyntax-only "$work/example.c" || fail "the example of $page does not compile"
    case $page in *.3) check_synopsis "$source" ;; esac
    for word in $(grep -oE '(--)?mrpc_[a-z0-9_]*[a-z0-9]' "$source" | grep -v -- -- | sort -u); do
        case " $man_pages " in *"/$word."*) continue ;; esac
        grep -rqw "$word" "$top_srcdir/include" || fail "$page speaks of $word, which no header has"
    done
done
[ "$pages" -ge 7 ] || fail "only $pages pages of the C interface were found"
[ "$failures" = 0 ]
