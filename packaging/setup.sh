# SPDX-License-Identifier: BSD-2-Clause
# setup.sh - what ./check and ./quickstart share: install what is missing, configure, build. Sourced, from the top of
# the tree, with $me set to the name of the command.

# What the build needs on Debian 12 and its relatives; `setup_packages check` adds what only the tests need.
build_packages="autoconf automake libtool pkg-config make gcc g++ libc6-dev liburing-dev libxxhash-dev
    protobuf-compiler libprotobuf-dev libprotoc-dev"
check_packages="libcmocka-dev scdoc binutils xz-utils spin"

die() {
    echo "$me: $*" >&2
    exit 1
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# Installs, with apt, those packages that are not there yet. Elsewhere than on Debian it leaves that to the user:
# configure names what is missing.
setup_packages() {
    wanted=$build_packages
    [ "${1:-}" != check ] || wanted="$wanted $check_packages"
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "$me: this is not Debian; needed are the equivalents of:" $wanted
        return
    fi
    missing=
    for package in $wanted; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        die "packages are missing and neither root nor sudo is here to install them; as root, run: apt-get install$missing"
    echo "$me: installing$missing"
    as_root apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null ||
        die "apt-get update failed: is there a network, and an entry in /etc/apt/sources.list?"
    as_root apt-get -qq -y -o DPkg::Lock::Timeout=300 --no-install-recommends install $missing >/dev/null ||
        die "apt-get could not install$missing"
}

processors() {
    nproc 2>/dev/null || echo 2
}

# configure_in FOLDER OPTION... - bootstraps and configures, unless that was done with the same options.
configure_in() {
    folder=$1
    shift
    [ -x configure ] && [ configure -nt configure.ac ] || ./bootstrap || return 1
    if [ -f "$folder/Makefile" ] && [ -f "$folder/config.h" ] && [ "$(cat "$folder/.options" 2>/dev/null)" = "$*" ]; then
        return 0
    fi
    mkdir -p "$folder" && (cd "$folder" && ../configure "$@") && echo "$*" >"$folder/.options"
}
