# SPDX-License-Identifier: Apache-2.0
# The kernel side: each bpf/*.bpf.c is compiled alone, all are linked into one object, one skeleton comes out.

# The maps come first: libbpf 1.1 gives maps that were declared before they were defined no offset.
BPF_SRCS := bpf/maps.bpf.c $(sort $(wildcard bpf/hook_*.bpf.c))
BPF_OBJS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(BPF_SRCS))
BPF_SKEL := $(B)/gen/bridle.skel.h
BPF_CFLAGS := -target bpf -mcpu=v3 -std=gnu17 -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror \
              -D__TARGET_ARCH_$(ARCH) -I. -Iuser -Ivmlinux/$(ARCH)

# libbpf's skeleton trips our warnings, so it is a system header.
CPPFLAGS += -isystem $(B)/gen

.PHONY: bpf
bpf: $(BPF_SKEL) ## compile the kernel programs

$(B)/bpf/%.bpf.o: bpf/%.bpf.c vmlinux/$(ARCH)/vmlinux.h
	@echo "  BPF   $<"
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/bpf/bridle.bpf.o: $(BPF_OBJS) bpf/build.mk
	@echo "  LINK  $@"
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJS)

$(BPF_SKEL): $(B)/bpf/bridle.bpf.o
	@echo "  SKEL  $@"
	$(Q)mkdir -p $(@D) && $(BPFTOOL) gen skeleton $< name bridle > $@.tmp && mv $@.tmp $@

$(B)/obj/user/supervisor/kernel.o: $(BPF_SKEL)

-include $(wildcard $(B)/bpf/*.d)

# From this machine's kernel; the result is committed, so that builds do not depend on the kernel that runs them. For another
# machine: vmlinux/carve.py IMAGE > FILE, then make vmlinux ARCH=arm64 BTF=FILE (the committed one is Debian's 6.12).
BTF ?= /sys/kernel/btf/vmlinux
.PHONY: vmlinux
vmlinux: ## make vmlinux/ARCH/vmlinux.h anew from this kernel's BTF
	$(Q)mkdir -p vmlinux/$(ARCH)
	$(Q)$(BPFTOOL) btf dump file $(BTF) format c | $(PYTHON) vmlinux/trim.py > vmlinux/$(ARCH)/vmlinux.h.tmp
	$(Q)mv vmlinux/$(ARCH)/vmlinux.h.tmp vmlinux/$(ARCH)/vmlinux.h

# Real programs, real sockets, in cgroups and namespaces of their own. Root.
BPF_TESTS := $(patsubst tests/bpf/%.c,$(B)/tests/bpf/%,$(wildcard tests/bpf/test_*.c tests/bpf/native_*.c))

$(B)/tests/bpf/%: $(B)/obj/tests/bpf/%.o $(B)/obj/tests/bpf/stage.o $(B)/obj/user/supervisor/kernel.o \
                  $(B)/obj/user/supervisor/kernel_pins.o $(B)/lib/libbase.a
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

.SECONDARY: $(patsubst $(B)/tests/bpf/%,$(B)/obj/tests/bpf/%.o,$(BPF_TESTS) $(B)/tests/bpf/stage)
.PHONY: check-bpf
check-bpf: $(BPF_TESTS) ## run the tests of the kernel programs (root)
	$(Q)LABEL=bpf scripts/run-unit $(BPF_TESTS)
