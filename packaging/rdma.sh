#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# rdma.sh - installs what `make check-rdma` needs and fetches the kernel of its virtual machine (Debian 12)
#
#     packaging/rdma.sh [BUILD-FOLDER]          (default: build)
#
# The packages are those of setup.sh; the kernel is a package, too, which apt downloads and checks, but it is only
# unpacked, as far as the machine needs it, into BUILD-FOLDER/rdma/kernel: 70 MB are downloaded and about 50 MB kept.
set -u
cd "$(dirname "$0")/.." || exit 1
me=rdma.sh
. packaging/setup.sh
setup_packages check
setup_rdma_kernel "${1:-build}/rdma/kernel"
