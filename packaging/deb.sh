#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deb.sh - makes Debian packages out of this tree
#
#     packaging/deb.sh [FOLDER]       the packages go to FOLDER (default: ./deb)
#
# Needs what ./check installs, and debhelper and dpkg-dev. Runs the tests on the way, unless DEB_BUILD_OPTIONS=nocheck.
set -eu
cd "$(dirname "$0")/.."
for tool in dh dpkg-buildpackage; do
    command -v "$tool" >/dev/null || { echo "deb.sh: $tool is missing: apt-get install debhelper dpkg-dev" >&2; exit 1; }
done
mkdir -p "${1:-deb}"
output=$(cd "${1:-deb}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/mrpc-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

./bootstrap
mkdir "$work/dist" && (cd "$work/dist" && "$OLDPWD/configure" -q && make -s dist)
tar -C "$work" -xf "$work"/dist/mrpc-*.tar.xz
source=$(echo "$work"/mrpc-*)
cp -r packaging/debian "$source/debian"
(cd "$source" && dpkg-buildpackage -b -us -uc)
cp "$work"/*.deb "$output"
ls -l "$output"
