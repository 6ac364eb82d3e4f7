# SPDX-License-Identifier: Apache-2.0
# Fuzz targets: tests/fuzz/fuzz_NAME.c with its corpus in corpus/NAME/. Libraries as in unit tests. VARIANT=fuzz has the
# sanitizers, VARIANT=cover counts lines of a run over the corpus alone.

FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS    := $(FUZZ_TARGETS:%=$(B)/fuzz/%)
FUZZ_LIBS    := audit keeper tls dns http policy base
# Two run at a time, all in less than six minutes: what hostile bytes reach first has a minute, the others a third of one.
FUZZ_SECONDS ?= 60
FUZZ_SHORT   := audit_record form host init_message init_spec jsonrpc keeper_order trust
# Objects of folders that are otherwise not linked (their libraries would need the kernel programs).
FUZZ_OBJS_init_message := supervisor/spawn supervisor/paths

define FUZZ_RULE
$(B)/fuzz/$(1): $(B)/obj/tests/fuzz/fuzz_$(1).o $(FUZZ_OBJS_$(1):%=$(B)/obj/user/%.o) $(FUZZ_LIBS:%=$(B)/lib/lib%.a)
	@echo "  LD    $$@"
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(CFLAGS) -fsanitize=fuzzer $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PKG_LIBS)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call FUZZ_RULE,$(t))))
# The converter alone, without the rest of its folder.
$(B)/fuzz/nono: $(patsubst %.c,$(B)/obj/%.o,$(wildcard user/cli/nono*.c))

.PHONY: fuzz fuzz-bins fuzz-coverage corpus
fuzz-bins: $(FUZZ_BINS)
fuzz: ## run every fuzz target for FUZZ_SECONDS (those of FUZZ_SHORT for a third), two at a time
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz fuzz-bins
	$(Q)FUZZ_SHORT="$(FUZZ_SHORT)" scripts/run-fuzz run $(FUZZ_SECONDS) $(FUZZ_TARGETS)
corpus: ## grow the corpora: fuzz, then keep what reaches new code
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz fuzz-bins
	$(Q)scripts/run-fuzz grow $(FUZZ_SECONDS) $(FUZZ_TARGETS)
fuzz-coverage: ## lines of each parser that its corpus alone reaches; at least 90 %
	$(Q)$(MAKE) --no-print-directory VARIANT=cover fuzz-bins
	$(Q)scripts/run-fuzz coverage 90 $(FUZZ_TARGETS)
