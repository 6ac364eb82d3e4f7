# SPDX-License-Identifier: Apache-2.0
# Gates that read the sources only. `make lint` runs them all and ends with a result line.

LINT_C     := $(sort $(shell find policy user docs tests/unit tests/lib tests/bpf tests/fuzz tests/differential -name '*.c'))
LINT_H     := $(sort $(shell find policy user bpf tests -name '*.h'))
LINT_BPF   := $(sort $(wildcard bpf/*.bpf.c))
LINT_SH    := $(shell find scripts .ci tests -type f -not -path 'tests/fuzz/corpus/*' | sort | xargs grep -lE '^\#!/bin/sh' 2>/dev/null)
LINT_GATES := lint-layers lint-codes lint-bpf lint-format lint-headers lint-shell lint-docs lint-man lint-cppcheck lint-tidy

.PHONY: lint $(LINT_GATES)
lint: ## layers, codes, documents, format, headers alone, shellcheck, manual, cppcheck, clang-tidy
	$(Q)passed=0; failed=0; for gate in $(LINT_GATES); do echo "  $$gate"; \
		if $(MAKE) --no-print-directory $$gate; then passed=$$((passed + 1)); \
		else echo "$$gate failed"; failed=$$((failed + 1)); fi; done; \
	echo "lint: $$passed passed, $$failed failed, 0 skipped"; [ $$failed -eq 0 ]

lint-layers:
	$(Q)scripts/check-layers
# docs/codes.md is what why.def says; every code is said by a source and named by a test.
lint-codes:
	$(Q)$(PYTHON) scripts/codes check
.PHONY: codes
codes: ## make docs/codes.md from user/base/why.def
	$(Q)$(PYTHON) scripts/codes write
# The sign of these results is lost before Linux 6.4, see bpf/maps.h.
lint-bpf:
	$(Q)! grep -nE 'bpf_map_[a-z]+_elem\(.*\) *(<|>)' bpf/*.h bpf/*.c
lint-format:
	$(Q)clang-format --dry-run --Werror $(LINT_C) $(LINT_H) $(LINT_BPF) 2>&1 | grep -E 'error:' | head -20; \
	clang-format --dry-run --Werror $(LINT_C) $(LINT_H) $(LINT_BPF) 2>/dev/null
lint-headers:
	$(Q)for h in $(filter-out bpf/%,$(LINT_H)); do \
		case $$h in tests/bpf/*|tests/lib/test.h) continue;; esac; \
		echo "#include \"$$h\"" | $(CC) $(CPPFLAGS) $(PKG_CFLAGS) -std=gnu17 -Wall -fsyntax-only -x c - || exit 1; done
lint-shell:
	$(Q)shellcheck $(LINT_SH)
lint-docs:
	$(Q)scripts/check-docs
# A page that another names must be there; what mandoc says on stderr is about its own index alone.
lint-man: man
	$(Q)MANPATH=$(CURDIR)/$(B)/man mandoc -T lint -W style $(MAN_PAGES) 2>/dev/null
# cppcheck does not know the cleanup attribute: leaks are for the leak sanitizer of unit-asan.
lint-cppcheck:
	$(Q)cppcheck --quiet --enable=warning,portability --inline-suppr --error-exitcode=1 --std=c11 \
		--suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck --suppress=memleak --suppress=resourceLeak '-DLIBBPF_OPTS(t,n,...)=struct t n = {0}' -Iuser -I. -D_GNU_SOURCE \
		$(filter policy/% user/%,$(LINT_C))
lint-tidy: $(BPF_SKEL)
	$(Q)printf '%s\n' $(filter policy/% user/%,$(LINT_C)) | \
		xargs -P 2 -n 12 sh -c 'clang-tidy --quiet "$$@" -- -std=gnu17 $(CPPFLAGS) $(PKG_CFLAGS) 2>/dev/null' tidy
