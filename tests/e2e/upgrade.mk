# SPDX-License-Identifier: BSD-2-Clause
# Processes that are upgraded while they serve, and the examples
if HAVE_PROTOC
TESTS += tests/e2e/hello.sh tests/e2e/upgrade.sh tests/e2e/serve.sh tests/e2e/serve_load.sh tests/e2e/swap.sh
endif
dist_check_SCRIPTS += tests/e2e/hello.sh tests/e2e/upgrade.sh tests/e2e/serve.sh tests/e2e/serve_load.sh tests/e2e/swap.sh
EXTRA_DIST += tests/e2e/common.sh
