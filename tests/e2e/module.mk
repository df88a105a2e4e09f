# SPDX-License-Identifier: BSD-2-Clause
# module.mk - the tool that makes marshal modules
EXTRA_DIST += tests/e2e/module.mk
if HAVE_PROTOC
TESTS += tests/e2e/mrpc-module.sh
endif
dist_check_SCRIPTS += tests/e2e/mrpc-module.sh
