# SPDX-License-Identifier: BSD-2-Clause
# docs/ - manual pages, made by scdoc when it is there
MAN_PAGES += docs/man/mrpc.7 docs/man/mrpc_call.3 docs/man/mrpc_channel.3 docs/man/mrpc_extension.3 \
	docs/man/mrpc_heap.3 docs/man/mrpc_json.3 docs/man/mrpc_message.3 docs/man/mrpc_reflect.3 docs/man/mrpc_runtime.3 docs/man/mrpc_server.3 docs/man/mrpc_text.3
EXTRA_DIST += $(MAN_PAGES:=.scd)
if HAVE_SCDOC
man_MANS += $(MAN_PAGES)
CLEANFILES += $(MAN_PAGES)
docs/man/%: docs/man/%.scd
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SCDOC) <$< >$@.tmp && mv $@.tmp $@
endif
dist_doc_DATA += README.md docs/architecture.svg docs/bench.svg docs/bench.txt docs/bench-codec.txt docs/ARCHITECTURE.md docs/GENERATED.md docs/PROTOCOL.md docs/RDMA.md CONTRIBUTING.md SECURITY.md
