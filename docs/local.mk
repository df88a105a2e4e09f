# SPDX-License-Identifier: BSD-2-Clause
# docs/ - manual pages, made by scdoc when it is there
EXTRA_DIST += $(MAN_PAGES:=.scd)
if HAVE_SCDOC
man_MANS += $(MAN_PAGES)
CLEANFILES += $(MAN_PAGES)
docs/man/%: docs/man/%.scd
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SCDOC) <$< >$@.tmp && mv $@.tmp $@
endif
dist_doc_DATA += README.md docs/architecture.svg docs/bench.svg docs/bench.txt docs/ARCHITECTURE.md docs/GENERATED.md docs/PROTOCOL.md CONTRIBUTING.md SECURITY.md
