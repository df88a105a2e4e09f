# SPDX-License-Identifier: BSD-2-Clause
# model.sh - what the scripts that check a model share; sourced
set -eu
command -v spin >/dev/null || { echo "spin is missing; on Debian: apt-get install spin"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# search MODEL OPTION... - prints the number of errors
search() {
    model=$1
    shift
    spin "$@" -a "$top_srcdir/tests/sim/$model" >spin.log
    ${CC:-cc} -O1 -w -DSAFETY -o pan pan.c
    ./pan -m100000 >pan.log
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log
}

# holds MODEL - exits unless the whole of it was searched without an error
holds() {
    errors=$(search "$1")
    if [ "$errors" != 0 ] || grep -q 'not completed\|max search depth too small' pan.log; then
        cat pan.log
        exit 1
    fi
}

# breaks MODEL OPTION - exits unless there is an error in what the option makes of it
breaks() {
    [ "$(search "$1" "$2")" -gt 0 ] || { echo "with $2 nothing was found: the model proves nothing"; exit 1; }
}
