# SPDX-License-Identifier: Apache-2.0
# Manual pages and completions, from the program's own tables. A command without a template, or a template without a
# command, is an error of make.

REFERENCE     := $(B)/gen/reference.json
MAN_TEMPLATES := $(sort $(wildcard docs/man/*.in))
# as a tree that man -M reads: man1/bridle.1
man_page       = $(B)/man/man$(subst .,,$(suffix $(basename $(notdir $(1)))))/$(basename $(notdir $(1)))
MAN_PAGES     := $(foreach t,$(MAN_TEMPLATES),$(call man_page,$(t)))
COMPLETIONS   := $(foreach shell,bash zsh fish,$(B)/completion/bridle.$(shell))

$(B)/reference: $(B)/obj/docs/man/reference.o $(ROLE_LIBS) $(SERVICE_LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)
$(REFERENCE): $(B)/reference
	$(Q)mkdir -p $(@D) && $< > $@.tmp && mv $@.tmp $@

define MAN_RULE
$(call man_page,$(1)): $(1) $(REFERENCE) policy/bridle.schema.json scripts/make-manual Makefile user/cli/version.h
	@echo "  MAN   $$@"
	$$(Q)mkdir -p $$(@D) && scripts/make-manual $(REFERENCE) policy/bridle.schema.json $(VERSION) $(RELEASED) $$< > $$@.tmp && mv $$@.tmp $$@
endef
$(foreach t,$(MAN_TEMPLATES),$(eval $(call MAN_RULE,$(t))))

.PHONY: man completion
man: $(MAN_PAGES) ## make the manual pages
completion: $(COMPLETIONS) ## make the completions for bash, zsh and fish
$(COMPLETIONS): $(B)/completion/bridle.%: docs/completion/bridle.%.in $(REFERENCE) scripts/make-completion
	@echo "  GEN   $@"
	$(Q)mkdir -p $(@D) && scripts/make-completion $* $(REFERENCE) $< > $@.tmp && mv $@.tmp $@
