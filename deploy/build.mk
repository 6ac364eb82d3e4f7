# SPDX-License-Identifier: Apache-2.0
PREFIX  ?= /usr/local
DESTDIR ?=

.PHONY: install uninstall
install: all man completion ## install below DESTDIR/PREFIX (/usr/local)
	$(Q)BUILD='$(B)' DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' scripts/install install
uninstall: ## remove what install made
	$(Q)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' scripts/install uninstall
