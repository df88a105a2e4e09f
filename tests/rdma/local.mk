# SPDX-License-Identifier: BSD-2-Clause
# tests/rdma/ - make check-rdma: what runs over Soft-RoCE in a virtual machine; packaging/rdma.sh installs what that needs
RDMA_FILES = tests/rdma/check.sh tests/rdma/hello.sh tests/rdma/inside.sh tests/rdma/kv.sh tests/rdma/vm.sh
EXTRA_DIST += $(RDMA_FILES)

.PHONY: check-rdma
if HAVE_RDMA
RDMA_SUITES = unary streams death connections threads misc
check-rdma: all tests/run-test$(EXEEXT) tests/unit/transport_conformance$(EXEEXT) $(RDMA_SUITES:%=tests/unit/test_runtime_%$(EXEEXT))
	+$(AM_TESTS_ENVIRONMENT) RDMA_SUITES='$(RDMA_SUITES)' $(srcdir)/tests/rdma/check.sh
else
check-rdma:
	@echo "SKIP: check-rdma: configured without rdma (libibverbs and librdmacm)"; echo "# SKIP: 1"; \
	test "$${RDMA_VM_REQUIRED:-0}" = 1 && exit 1; exit 77
endif
