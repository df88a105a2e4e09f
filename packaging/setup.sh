# SPDX-License-Identifier: BSD-2-Clause
# setup.sh - what ./check and ./quickstart share: install what is missing, configure, build. Sourced, from the top of
# the tree, with $me set to the name of the command.

# What the build needs on Debian 12 and its relatives; `setup_packages check` adds what only the tests need, the RDMA
# libraries, and what `make check-rdma` runs its virtual machine with.
build_packages="autoconf automake libtool pkg-config make gcc g++ libc6-dev liburing-dev libxxhash-dev
    protobuf-compiler libprotobuf-dev libprotoc-dev"
check_packages="libcmocka-dev libprotobuf-c-dev protobuf-c-compiler scdoc binutils xz-utils spin valgrind"
rdma_packages="libibverbs-dev librdmacm-dev ibverbs-providers rdma-core qemu-system-x86 busybox-static kmod iproute2"

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
    [ "${1:-}" != check ] || wanted="$wanted $check_packages $rdma_packages"
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

# What the virtual machine of `make check-rdma` loads of a kernel: file systems, virtio, networking, Soft-RoCE.
rdma_kernel_parts="./boot/vmlinuz-* ./lib/modules/*/modules.* ./lib/modules/*/kernel/arch ./lib/modules/*/kernel/crypto
    ./lib/modules/*/kernel/drivers/infiniband ./lib/modules/*/kernel/drivers/net/veth.ko* ./lib/modules/*/kernel/drivers/virtio
    ./lib/modules/*/kernel/fs/9p ./lib/modules/*/kernel/fs/configfs ./lib/modules/*/kernel/fs/fscache ./lib/modules/*/kernel/fs/netfs
    ./lib/modules/*/kernel/fs/overlayfs ./lib/modules/*/kernel/lib ./lib/modules/*/kernel/net"

# setup_rdma_kernel FOLDER - downloads the package of Debian's current kernel, and unpacks these parts into FOLDER.
setup_rdma_kernel() {
    [ -z "$(ls "$1"/boot/vmlinuz-* 2>/dev/null)" ] || return 0
    command -v apt-get >/dev/null || die "this is not Debian: unpack a kernel with rdma_rxe, 9p and overlay into $1"
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$package" ] || die "apt knows no linux-image-amd64: run apt-get update"
    echo "$me: downloading $package"
    rm -rf "$1" && mkdir -p "$1" &&
        (cd "$1" && apt-get -qq -o APT::Sandbox::User=root download "$package" &&
            dpkg-deb --fsys-tarfile "$package"_*.deb | eval tar -x --wildcards $(printf " '%s'" $rdma_kernel_parts) &&
            rm "$package"_*.deb) || { rm -rf "$1"; die "cannot fetch and unpack $package"; }
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
