#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# sources.sh - what the sources promise as text: a licence line each, lines of at most 120 columns, and folders that use only
# those above them
set -u
cd "$top_srcdir" || exit 99
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# Ground floor first, as in docs/ARCHITECTURE.md
folders='heap marshal text json transports upgrade runtime protoc-gen-mrpc tools examples bench tests'

files="$(find include $folders m4 packaging -type f \( -name '*.[ch]' -o -name '*.cc' -o -name '*.mk' -o -name 'mrpc*.m4' \
    -o -name '*.sh' -o -name '*.proto' \) ! -path '*/golden/*' ! -path '*/corpus/*')
    configure.ac Makefile.am bootstrap check quickstart"
for file in $files; do
    head -n 5 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' || fail "$file has no SPDX line"
done

for file in $(find include $folders -type f \( -name '*.[ch]' -o -name '*.cc' \) ! -path '*/golden/*'); do
    long=$(LC_ALL=C.UTF-8 grep -nE '^.{121,}' "$file" | cut -d : -f 1 | tr '\n' ' ')
    [ -z "$long" ] || fail "$file has lines of more than 120 columns: $long"
done

below=
for folder in $folders; do
    below="$below $folder"
    for used in $(find "$folder" -name '*.[ch]' -exec sed -n 's|^# *include "\([a-z-]*\)/.*|\1|p' {} + | sort -u); do
        case " $folders " in
        *" $used "*) ;;
        *) continue ;;
        esac
        case "$below " in
        *" $used "*) ;;
        *) fail "$folder/ includes files of $used/, which stands above it:" $(grep -rl "^# *include \"$used/" "$folder") ;;
        esac
    done
done
[ "$failures" = 0 ]
