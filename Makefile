# SPDX-License-Identifier: Apache-2.0
# bridle: `make help` lists the targets. Everything is built below build/$(VARIANT)/.

# The manuals carry both; the date is not that of the build, so that the same sources give the same pages.
VERSION  := $(shell sed -n 's/^.define BRIDLE_VERSION "\(.*\)"/\1/p' user/cli/version.h)
RELEASED := 2026-11-25

VARIANT ?= release
MACHINE := $(subst x86_64,x86,$(subst aarch64,arm64,$(shell uname -m)))
ARCH    := $(MACHINE)
# For another machine than this one: make ARCH=arm64 B=build/arm64 build/arm64/bridle, after scripts/arm64-sysroot.
CROSS   := $(if $(filter-out $(MACHINE),$(ARCH)),aarch64-linux-gnu-)
SYSROOT := $(if $(CROSS),$(CURDIR)/build/sysroot-$(ARCH))
CC      := $(if $(filter asan fuzz cover,$(VARIANT)),clang,$(CROSS)gcc)
CLANG   := clang
BPFTOOL := $(shell command -v bpftool || echo /usr/sbin/bpftool)
PYTHON  ?= /usr/bin/python3
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)
B       := build/$(VARIANT)

PKGS    := libssl libcrypto json-c libidn2 libpsl libcares libseccomp libcap libbpf
WARN    := -Wall -Wextra -Wshadow -Wundef -Wvla -Wformat=2 -Wpointer-arith -Wcast-qual -Wwrite-strings \
           -Wstrict-prototypes -Wmissing-prototypes -Wredundant-decls -Wimplicit-fallthrough -Wnull-dereference
HARDEN  := -fstack-protector-strong -fstack-clash-protection -fPIE -fno-strict-aliasing
OPT     := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
SAN     :=
ifeq ($(CC),$(CROSS)gcc)
WARN    += -Wduplicated-cond -Wlogical-op
HARDEN  += -ftrivial-auto-var-init=zero
OPT     := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
ifeq ($(VARIANT),asan)
OPT     := -O1 -g -fno-omit-frame-pointer
SAN     := -fsanitize=address,undefined -fno-sanitize-recover=undefined
HARDEN  := -fPIE -fno-strict-aliasing
endif
ifeq ($(VARIANT),fuzz)
OPT     := -O1 -g -fno-omit-frame-pointer
SAN     := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
HARDEN  := -fPIE -fno-strict-aliasing
endif
ifeq ($(VARIANT),cover)
OPT     := -O0 -g
SAN     := -fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping
HARDEN  := -fPIE -fno-strict-aliasing
endif
ifeq ($(ARCH),x86)
HARDEN  += $(if $(SAN),,-fcf-protection=full)
endif
WERROR  := $(if $(CI),-Werror,)

CPPFLAGS := -D_GNU_SOURCE -I. -Iuser -Ipolicy -I$(B)/gen
CFLAGS   := -std=gnu17 $(OPT) $(WARN) $(WERROR) $(HARDEN) $(SAN)
LDFLAGS  := -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SAN)
PKG_CONFIG := pkg-config
ifneq ($(SYSROOT),)
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/aarch64-linux-gnu/pkgconfig $(PKG_CONFIG)
CFLAGS     += --sysroot=$(SYSROOT)
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -lelf -lz

# One static library for each folder; a program takes what it needs. Order does not matter (--start-group).
SERVICES := base tls http dns inject upstream audit
ROLES    := supervisor keeper zygote worker init cli
POLICY_OBJS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard policy/*.c))
obj_of    = $(patsubst %.c,$(B)/obj/%.o,$(wildcard user/$(1)/*.c))
SERVICE_LIBS := $(foreach s,$(SERVICES),$(if $(wildcard user/$(s)/*.c),$(B)/lib/lib$(s).a)) $(B)/lib/libpolicy.a
ROLE_LIBS    := $(foreach r,$(ROLES),$(if $(wildcard user/$(r)/*.c),$(B)/lib/lib$(r).a))

.PHONY: all
all: build/bridle build/bridled ## build build/bridle and build/bridled

build/bridle: $(B)/bridle
	$(Q)ln -f $< $@
build/bridled: build/bridle
	$(Q)ln -f $< $@

$(B)/bridle: $(ROLE_LIBS) $(SERVICE_LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(B)/obj/user/cli/main.o -Wl,--start-group $^ -Wl,--end-group $(PKG_LIBS)

define LIB_RULE
$(B)/lib/lib$(1).a: $(call obj_of,$(1))
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $(CROSS)ar rcs $$@ $$^
endef
$(foreach s,$(SERVICES) $(ROLES),$(eval $(call LIB_RULE,$(s))))

$(B)/lib/libpolicy.a: $(POLICY_OBJS)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(CROSS)ar rcs $@ $^

$(B)/obj/%.o: %.c
	@echo "  CC    $<"
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) $(CONVERSION) -MMD -MP -c -o $@ $<

# Conversions are checked where they pay: parsers and the engine.
$(B)/obj/policy/%.o $(B)/obj/user/http/%.o $(B)/obj/user/dns/%.o: CONVERSION := -Wconversion -Wno-sign-conversion

-include bpf/build.mk
-include docs/build.mk
-include deploy/build.mk
-include tests/build.mk
-include scripts/lint.mk

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

.PHONY: clean help fmt
clean: ## remove everything that was built
	$(Q)rm -rf build
fmt: ## format the C sources
	$(Q)git ls-files '*.c' '*.h' | grep -v '^vmlinux/' | xargs clang-format -i
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16
