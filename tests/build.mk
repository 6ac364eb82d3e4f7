# SPDX-License-Identifier: Apache-2.0
# Unit tests mirror the sources: tests/unit/<path>/test_<file>.c is one cmocka program, found by pattern. It links
# with the libraries of UNIT_LIBS_<folder>, so that a test of one folder needs no other folder to compile.

UNIT_SRCS := $(shell find tests/unit -name 'test_*.c' 2>/dev/null)
UNIT_BINS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRCS))

UNIT_LIBS_base     := base
UNIT_LIBS_policy   := policy base
UNIT_LIBS_http     := http base
UNIT_LIBS_tls      := tls base
UNIT_LIBS_dns      := dns policy base
UNIT_LIBS_audit    := audit base
UNIT_LIBS_inject   := inject http policy base
UNIT_LIBS_upstream := upstream tls dns http policy base
UNIT_LIBS_keeper   := keeper tls base
UNIT_LIBS_worker   := worker upstream inject audit dns tls http policy base
UNIT_LIBS_zygote   := zygote worker upstream inject audit dns tls http policy base
UNIT_LIBS_supervisor := supervisor audit tls http policy base
UNIT_LIBS_init     := init tls base
UNIT_LIBS_cli      := cli supervisor keeper zygote worker init upstream inject audit dns tls http policy base

unit_folder = $(word 1,$(subst /, ,$(patsubst $(B)/unit/%,%,$(1))))
unit_libs   = $(foreach l,$(UNIT_LIBS_$(call unit_folder,$(1))),$(B)/lib/lib$(l).a)

define UNIT_RULE
$(1): $(B)/obj/tests/unit/$(patsubst $(B)/unit/%,%,$(1)).o $(call unit_libs,$(1))
	@echo "  LD    $$@"
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PKG_LIBS) -lcmocka
endef
$(foreach b,$(UNIT_BINS),$(eval $(call UNIT_RULE,$(b))))

.PHONY: unit unit-bins
unit-bins: $(UNIT_BINS)
unit: $(UNIT_BINS) ## run the unit tests (no root)
	$(Q)scripts/run-unit $(UNIT_BINS)
# One folder alone: make unit-policy
unit-%:
	$(Q)$(MAKE) --no-print-directory $(foreach b,$(filter $(B)/unit/$*/%,$(UNIT_BINS)),$(b))
	$(Q)scripts/run-unit $(filter $(B)/unit/$*/%,$(UNIT_BINS))

-include tests/fuzz/build.mk

# Suites of `make check`, in order. Each ends with "NAME: N passed, N failed, N skipped".
CHECKS := build-check lint unit unit-asan check-bpf check-flow check-demo fuzz-coverage fuzz

.PHONY: check build-check unit-asan check-flow check-demo
check: ## build twice and run every test (root)
	$(Q)MAKE="$(MAKE)" scripts/check-all $(CHECKS)
unit-asan:
	$(Q)$(MAKE) --no-print-directory VARIANT=asan unit
build-check: all $(B)/launch
	@echo "build-check: 1 passed, 0 failed, 0 skipped"

# The launcher of the tests: everything of `run` but the private network namespace.
$(B)/launch: $(B)/obj/tests/lib/launch.o $(filter-out $(B)/lib/libcli.a,$(ROLE_LIBS)) $(SERVICE_LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)

check-flow: all $(B)/launch completion man
	$(Q)tests/flow/run
# Stock Debian kernels under QEMU's interpreter: the tests of the hooks and the demo in each. Not part of `check`.
VM_KERNELS ?= 6.1 6.12 7.3
.PHONY: check-vm check-deep check-arm
check-vm: all $(B)/launch $(BPF_TESTS) ## boot other kernels and test the hooks and the demo there
	$(Q)scripts/deps vm && tests/vm/run $(VM_KERNELS)
check-deep: ## what `check` has no time for
	$(Q)MAKE="$(MAKE)" scripts/check-all check-arm differential mutate check-vm check-clients check-agents
# The same messages and paths, read by bridle, llhttp, h11 and net/http.
.PHONY: differential mutate
differential: $(B)/differential/ours $(B)/differential/go_http ## compare the HTTP and path parsers with three others
	$(Q)$(PYTHON) tests/differential/run.py $(B)/differential
$(B)/differential/ours: $(B)/obj/tests/differential/ours.o $(B)/lib/libhttp.a $(B)/lib/libpolicy.a $(B)/lib/libbase.a
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)
$(B)/differential/go_http: tests/differential/go_http.go
	$(Q)scripts/deps differential && mkdir -p $(@D) && GO111MODULE=off GOCACHE=$(abspath $(@D))/cache go build -o $@ $<
mutate: ## flip each comparison of the engine and the HTTP/1.1 parser; a test must notice (20 minutes)
	$(Q)$(PYTHON) tests/mutate/mutate.py
# All of bridle for arm64, on whatever this machine is; what of it can be run without a kernel of that kind is run.
ARM_UNITS := $(patsubst $(B)/%,build/arm64/%,$(foreach f,policy http dns tls inject audit upstream,$(filter $(B)/unit/$(f)/%,$(UNIT_BINS))))
check-arm: build/bridle
	$(Q)scripts/deps arm && scripts/arm64-sysroot
	$(Q)$(MAKE) --no-print-directory ARCH=arm64 B=build/arm64 build/arm64/bridle $(ARM_UNITS) && tests/arm64/run $(ARM_UNITS)
# Clients that need compilers and downloads, run unchanged inside a sandbox; build/cache/clients keeps what was built.
.PHONY: check-clients compat
check-clients: all ## run the heavy clients inside
	$(Q)scripts/deps clients && tests/clients/build && tests/flow/run --heavy
compat: all ## run every client and write docs/compatibility.md
	$(Q)scripts/deps test && scripts/deps clients && tests/clients/build
	$(Q)rm -f build/compat.jsonl
	$(Q)COMPAT_RESULTS=$(CURDIR)/build/compat.jsonl tests/flow/run -k "test_client_rows and not page"
	$(Q)COMPAT_RESULTS=$(CURDIR)/build/compat.jsonl tests/flow/run --heavy
	$(Q)$(PYTHON) tests/lib/compat.py build/compat.jsonl >build/compat.md && mv build/compat.md docs/compatibility.md
# Programs of agents from npm (700 MB in build/cache) give a prompt to a server under the API's name. Needs Node 20 and npm.
.PHONY: check-agents
check-agents: all $(B)/launch ## run Claude Code, Codex and Gemini CLI in a sandbox
	$(Q)tests/agents/run
check-demo: all $(B)/launch
	$(Q)unshare --net --mount $(PYTHON) tests/lib/demo.py && echo "check-demo: 1 passed, 0 failed, 0 skipped"

.PHONY: bench-policy
bench-policy: $(B)/bench/policy_decide ## what a decision costs
	$(Q)$<
$(B)/bench/policy_decide: $(B)/obj/tests/bench/policy_decide.o $(B)/lib/libpolicy.a $(B)/lib/libbase.a
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)

# bridle beside nginx, HAProxy, mitmproxy and a bare relay. Not part of `check`: it wants a quiet machine and minutes.
BENCH_TOOLS := $(foreach t,client relay connect,$(B)/bench/$(t))
.PHONY: bench
bench: all $(BENCH_TOOLS) $(B)/bench/policy_decide ## measure, and write docs/performance.md (root, 8 minutes; BENCH_QUICK=1: to try it)
	$(Q)scripts/deps bench
	$(Q)timeout -k 30 900 unshare --net --mount $(PYTHON) tests/bench/run.py
	$(Q)$(PYTHON) tests/bench/page.py
$(BENCH_TOOLS): $(B)/bench/%: $(B)/obj/tests/bench/%.o
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(PKG_LIBS) -pthread

.PHONY: demo
demo: all $(B)/launch ## show what bridle does (root)
	$(Q)unshare --net --mount $(PYTHON) tests/lib/demo.py
