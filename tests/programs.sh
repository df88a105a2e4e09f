#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# programs.sh - every installed program says its version, helps, refuses an unknown option, and has a manual page that
# names all options of its help
set -u
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# $programs and $man_pages are those of the makefile
[ -n "$programs" ] || { echo "SKIP: no program is installed in this configuration"; exit 77; }
for program in $programs; do
    name=${program##*/}
    path=$top_builddir/$program
    [ -x "$path" ] || path=$top_srcdir/$program
    [ "$("$path" --version)" = "$name $version" ] || fail "$name --version says: $("$path" --version 2>&1)"
    help=$("$path" --help) || fail "$name --help fails"
    echo "$help" | grep -q "$name" || fail "$name --help says: $help"
    "$path" --no-such-option </dev/null >/dev/null 2>&1 && fail "$name takes an unknown option"
    "$path" --no-such-option </dev/null 2>&1 | grep -q -- 'no-such-option' || fail "$name does not name the unknown option"

    page=
    for candidate in $man_pages; do
        case $candidate in */"$name".[18]) page=$top_srcdir/$candidate.scd ;; esac
    done
    [ -n "$page" ] || { fail "$name has no manual page"; continue; }
    for option in $(echo "$help" | grep -o -- '--[a-z][a-z_-]*' | sort -u); do
        grep -q -- "$(echo "$option" | sed 's/_/\\\\*_/g')" "$page" || fail "$page does not speak of $option"
    done
done

if [ -n "$SCDOC" ]; then
    for page in $man_pages; do
        "$SCDOC" <"$top_srcdir/$page.scd" >/dev/null || fail "$page.scd is not for scdoc"
    done
fi
[ "$failures" = 0 ]
