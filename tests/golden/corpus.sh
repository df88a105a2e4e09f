#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# corpus.sh - every schema that the packages of this machine have installed generates code that compiles
#
# Or those in MRPC_CORPUS=ROOT[:ROOT...], where ROOT is what the imports of its schemas are relative to. A schema that
# protoc alone refuses, mostly since it imports what is not there, is counted and named.
. "$top_srcdir/tests/golden/generate.sh"
roots=${MRPC_CORPUS:-/usr/include:/usr/share/gocode/src}
warnings='-Wall -Wextra -Werror'
unusable=0

# with_imports COMMAND... - with all roots as folders of imports
with_imports() {
    (
        IFS=:
        for root in $roots /usr/include; do
            set -- "$@" "-I$root"
        done
        exec "$@"
    )
}

# generate ROOT FILE
generate() {
    if with_imports "$PROTOC" "-I$1" --plugin=protoc-gen-mrpc="$plugin" --mrpc_out="$work/out" "$2" 2>"$work/said"; then
        pass "$2 is generated"
    elif with_imports "$PROTOC" "-I$1" -o /dev/null "$2" 2>"$work/why"; then
        cat "$work/said"
        fail "$2 is refused"
    else
        echo "protoc refuses $2: $(head -n 1 "$work/why")"
        unusable=$((unusable + 1))
    fi
}

# The headers of an import that protoc refuses by itself are not there.
compile() {
    if $CC -std=c11 $warnings -I"$top_srcdir/include" -I"$top_builddir/gen" -I"$work/out" -fsyntax-only "$work/out/$1" \
        >"$work/log" 2>&1; then
        pass "$1"
    elif grep -q 'fatal error: .*: No such file' "$work/log"; then
        echo "$1 needs what was not generated: $(sed -n 's/.*fatal error: //p' "$work/log")"
        unusable=$((unusable + 1))
    else
        head -n 20 "$work/log"
        fail "$1"
    fi
}

mkdir "$work/out"
IFS=:
for root in $roots; do
    unset IFS
    [ -d "$root" ] || continue
    for file in $(cd "$root" && find -L . -name '*.proto' -type f | sed 's|^\./||' | LC_ALL=C sort); do
        generate "$root" "$file"
    done
done
for file in $(outputs_in "$work/out" '*.c'); do
    compile "$file"
done
if [ "$passed" = 0 ] && [ "$failed" = 0 ]; then
    echo "SKIP: there are no schemas in $roots"
    exit 77
fi
echo "# not usable: $unusable"
finish
