# SPDX-License-Identifier: GPL-3.0-or-later
# sluice: the build. tests/tests.mk holds the tests, config/packages.mk the packages. `make help`
# lists all targets.
#
# make writes every file below build/ (B). A build variant has its own folder there:
#   make VARIANT=asan            build/asan/sluice; the same word selects what `make unit`,
#                                `make replay`, `make integration` and `make browser` test
# Variables: CC CFLAGS CPPFLAGS LDFLAGS as usual (flags are added to ours), V=1 shows commands,
# WERROR=1 makes warnings errors, T=name runs only the tests (or lint checks) of that name,
# B=DIR builds elsewhere, MODULES="base/span ..." builds only these, WOLFSSL_PREFIX=DIR uses a
# wolfSSL of your own, ARCH=arm64 builds for that architecture in build/arm64 (docker/README.md).

VERSION = 0.1.0

# For another architecture than the machine's: Debian's name of it.
ARCH ?=
MACHINE_amd64 = x86_64-linux-gnu
MACHINE_arm64 = aarch64-linux-gnu
ifneq ($(ARCH),)
MACHINE := $(or $(MACHINE_$(ARCH)),$(error ARCH=$(ARCH) is none of amd64, arm64))
ifeq ($(origin CC),default)
CC := $(MACHINE)-gcc
endif
AR := $(MACHINE)-ar
endif

B ?= build$(ARCH:%=/%)
VARIANT ?= release
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
# Where the private wolfSSL is built.
WOLFSSL_BUILD = build$(ARCH:%=/%)
WOLFSSL_PREFIX ?= $(WOLFSSL_BUILD)/wolfssl
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

# Every module, in order: a module may include only modules above its own (`make lint`). A module
# is NAME.h and NAME.c, and NAME_PART.c once it has outgrown one file.
MODULES = \
    base/list base/span base/host base/utf8 base/siphash base/clock base/mem base/buf base/addr \
    base/json base/sigkey base/log \
    proto/mask proto/ws proto/base64 proto/jwt proto/accounts proto/revoked proto/deflate proto/framing \
    proto/shape proto/http proto/request proto/token proto/target proto/targets proto/upgrade \
    proto/policy proto/life proto/proxy_header \
    proto/forwarded proto/limit proto/balance proto/fitness proto/resource proto/mime \
    io/scratch io/reactor io/net io/carrier io/tls_pem io/der io/x509 io/crl io/peer_cert io/tls \
    io/tls_proof io/cert io/signature io/trust io/conn io/resolver io/follow \
    conf/arena conf/snapshot conf/report conf/words conf/file conf/value conf/key conf/draft \
    conf/bundle conf/build conf/auth conf/authorities conf/listen conf/route conf/files \
    conf/config conf/change conf/to conf/options \
    gate/shared gate/scoreboard gate/quota gate/spent gate/limits gate/descriptors gate/jail gate/control \
    gate/hasher gate/passwords gate/flood \
    gate/door gate/dial gate/backend_tls gate/probe gate/identity gate/seat gate/upstream gate/checks gate/roster \
    gate/pump gate/front gate/admission gate/answer gate/files gate/metrics \
    gate/listing gate/page gate/watch gate/flow gate/session gate/handover \
    gate/listener gate/inherit gate/notify gate/sockets gate/vitals gate/spread gate/worker \
    gate/heart gate/reload gate/master gate/health

# A name without a file is a mistake, not an empty module.
NO_MODULE := $(strip $(foreach module,$(MODULES),\
    $(if $(wildcard proxy/$(module).h proxy/$(module).c),,$(module))))
ifneq ($(NO_MODULE),)
$(error MODULES names what is not in proxy/: $(NO_MODULE))
endif

# ---------------------------------------------------------------------------------- tools, flags

ifeq ($(origin CC),default)
CC := gcc
endif
# The version that both Debian 12 and Debian 13 have, so that clang-format and clang-tidy say the
# same on both.
LLVM = 19
find_tool = $(firstword $(shell command -v $(1)-$(LLVM) || command -v $(1)) $(1)-$(LLVM))
FUZZ_CC ?= $(call find_tool,clang)

ifeq ($(VARIANT),fuzz)
override CC := $(FUZZ_CC)
endif

WARN = -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
    -Wmissing-prototypes -Wswitch-enum -Wvla -Wcast-qual -Wformat=2 -Wundef -Wpointer-arith \
    -Wimplicit-fallthrough $(if $(filter 1,$(WERROR)),$(WERROR_$(VARIANT)))

# assert(!"what cannot be") is fine.
ifneq ($(findstring clang,$(CC)),)
WARN += -Wno-string-conversion
endif
# Warnings count only where the compiler instruments nothing.
WERROR_release = -Werror
WERROR_debug = -Werror

# The build leaves out those that the compiler does not know.
OPTIONAL_HARDEN = -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
    -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr -fno-delete-null-pointer-checks
# Asks by compiling an empty file, which needs no header and no library.
known_flags = $(shell for flag in $(1); do \
    $(CC) -Werror $$flag -x c -c /dev/null -o /dev/null 2>/dev/null && printf '%s ' $$flag; done)

ifneq ($(filter release debug,$(VARIANT)),)
HARDEN := $(call known_flags,$(OPTIONAL_HARDEN)) -fno-strict-aliasing -fwrapv
endif
SANITIZE = address,undefined

CFLAGS_release = -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(HARDEN)
CFLAGS_debug = -Og -g3 $(HARDEN)
SANITIZE_FLAGS = -O1 -g -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
# gcc guesses ranges of values badly in code that it has instrumented.
CFLAGS_asan = $(SANITIZE_FLAGS) $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
CFLAGS_fuzz = $(SANITIZE_FLAGS) -fsanitize=fuzzer-no-link
CFLAGS_coverage = -O0 -g --coverage
LDFLAGS_asan = -fsanitize=$(SANITIZE)
LDFLAGS_fuzz = -fsanitize=$(SANITIZE)
LDFLAGS_coverage = --coverage
ifeq ($(filter $(VARIANT),release debug asan fuzz coverage),)
$(error VARIANT=$(VARIANT) is none of release, debug, asan, coverage, fuzz)
endif

# wolfSSL's options.h would lower _FORTIFY_SOURCE without WOLFSSL_OPTIONS_IGNORE_SYS.
DEFINES = -Iproxy -DSLUICE_VERSION='"$(VERSION)"' -D_GNU_SOURCE -isystem $(WOLFSSL_PREFIX)/include \
    -DWOLFSSL_USE_OPTIONS_H -DWOLFSSL_OPTIONS_IGNORE_SYS
COMPILE = $(CC) -std=gnu11 $(WARN) $(DEFINES) $(CPPFLAGS) -fPIE $(CFLAGS_$(VARIANT)) $(CFLAGS)
LINK_FLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,-z,nodlopen \
    -Wl,--as-needed $(LDFLAGS_$(VARIANT)) $(LDFLAGS)
# A sanitizer's library has a crypt_r of its own, which calls the real one.
LIBS = $(WOLFSSL_LIB) -lev -linih -lcares -lseccomp -ljansson \
    -Wl,--no-as-needed -lcrypt -Wl,--as-needed -lz -lm

# ---------------------------------------------------------------------------------- files

OUT = $(B)/$(VARIANT)
BIN = $(if $(filter release,$(VARIANT)),$(B)/sluice,$(OUT)/sluice)
GEN = $(B)/gen
ARCHIVE = $(OUT)/libsluice.a
COMPDB = $(B)/compile_commands.json

SOURCES := $(foreach module,$(MODULES),$(wildcard proxy/$(module).c proxy/$(module)_*.c))
ifneq ($(filter gate/page,$(MODULES)),)
PAGES := $(patsubst proxy/page/%.html,$(GEN)/%_page.c,$(wildcard proxy/page/*.html)) \
    $(GEN)/page_kit.c
endif
OBJECTS = $(SOURCES:%.c=$(OUT)/%.o) $(PAGES:$(B)/%.c=$(OUT)/%.o)

C_FILES := $(sort $(wildcard proxy/*.[ch] proxy/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch]))

ifeq ($(WOLFSSL_PREFIX),$(WOLFSSL_BUILD)/wolfssl)
WOLFSSL_STAMP = $(WOLFSSL_PREFIX)/stamp
WOLFSSL_LIB = $(WOLFSSL_PREFIX)/lib/libwolfssl.a
else
WOLFSSL_LIB = $(or $(wildcard $(WOLFSSL_PREFIX)/lib/libwolfssl.a),\
    -L$(WOLFSSL_PREFIX)/lib -Wl$(comma)-rpath$(comma)$(WOLFSSL_PREFIX)/lib -lwolfssl)
endif
comma = ,

ifneq ($(V),1)
Q = @
say = @printf '  %-8s %s\n' '$(1)' '$(2)'
else
say = @:
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:

# ---------------------------------------------------------------------------------- building

.PHONY: all debug asan run wolfssl deps install install-program uninstall clean distclean help
all: $(BIN) $(COMPDB)  ## build the optimised, hardened program, build/sluice (the default)

debug:  ## build without optimisation, build/debug/sluice
	+$(Q)$(MAKE) --no-print-directory VARIANT=debug all

asan:  ## build with address and undefined-behaviour checks, build/asan/sluice
	+$(Q)$(MAKE) --no-print-directory VARIANT=asan all

run:  ## install what is missing, build, and start the demo on https://localhost:8443
	+$(Q)$(MAKE) --no-print-directory deps
	+$(Q)$(MAKE) --no-print-directory -j2 all
	$(Q)exec $(B)/sluice --demo

wolfssl: $(WOLFSSL_STAMP)  ## build the private wolfSSL, build/wolfssl (part of every build)

$(BIN): $(OUT)/proxy/main.o $(ARCHIVE) $(OUT)/link-flags $(WOLFSSL_STAMP)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) $(LINK_FLAGS) -o $@ $< $(ARCHIVE) $(LIBS)

# ar makes it anew, so that no object of a removed source stays in it.
$(ARCHIVE): $(OBJECTS) $(OUT)/objects
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(OBJECTS)

$(OUT)/proxy/%.o: proxy/%.c $(OUT)/flags $(WOLFSSL_STAMP) | $(B)/libraries
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

$(OUT)/gen/%.o: $(GEN)/%.c $(OUT)/flags
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

# A file as an array of bytes that is called like the source made of it, and its length.
define embed
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && { printf '#include "gate/page.h"\n\n'; \
	  printf 'const unsigned char $(basename $(@F))[] = {\n'; \
	  od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/ 0x\1,/g'; \
	  printf '};\nconst size_t $(basename $(@F))_len = sizeof($(basename $(@F)));\n'; } >$@
endef
$(GEN)/%_page.c: proxy/page/%.html
	$(embed)
$(GEN)/page_kit.c: proxy/page/sluice.js
	$(embed)

# Stamps that change only when what they hold changes: flags, the list of objects.
define stamp
	$(Q)mkdir -p $(@D) && printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || \
	  printf '%s\n' '$(subst ','\'',$(1))' >$@
endef
$(OUT)/flags: FORCE
	$(call stamp,$(COMPILE))
$(OUT)/link-flags: FORCE
	$(call stamp,$(LINK_FLAGS) $(LIBS))
$(OUT)/objects: FORCE
	$(call stamp,$(OBJECTS))
.PHONY: FORCE

ifdef WOLFSSL_STAMP
# The script itself knows whether there is anything to do.
$(WOLFSSL_STAMP): FORCE
	$(Q)$(ARCH:%=WOLFSSL_CC=$(CC)) proxy/wolfssl.sh $(WOLFSSL_BUILD)
endif

$(B)/libraries:
	$(Q)mkdir -p $(@D) && printf '#include <ev.h>\n#include <ini.h>\n#include <ares.h>\n#include <seccomp.h>\n#include <jansson.h>\n#include <crypt.h>\n#include <zlib.h>\n' | \
	  $(CC) $(CPPFLAGS) $(CFLAGS) -E -x c - >/dev/null 2>&1 || \
	  { echo 'libev, inih, c-ares, libseccomp, jansson, libcrypt or zlib is missing; run: make deps' >&2; exit 1; }
	$(Q)touch $@

# For editors and clang-tidy: warnings and paths, without flags that only gcc knows.
TIDY_FLAGS = -std=gnu11 -Wall -Wextra $(DEFINES) -Itests/unit -I$(GEN)/unit
$(COMPDB): $(GEN)/compile-list
	$(Q)args=$$(printf '%s\n' $(TIDY_FLAGS) | sed 's/"/\\"/g; s/.*/"&", /' | tr -d '\n'); \
	separator='['; for file in $(filter %.c,$(C_FILES)); do \
	  printf '%s\n{"directory": "%s", "file": "%s", "arguments": ["cc", %s"-c", "%s"]}' \
	    "$$separator" '$(CURDIR)' "$$file" "$$args" "$$file"; separator=','; \
	done >$@ && printf '\n]\n' >>$@
$(GEN)/compile-list: FORCE
	$(call stamp,$(CURDIR) $(filter %.c,$(C_FILES)) $(TIDY_FLAGS))

install-program: all  ## install the program and the configuration alone, as for an image
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(SYSCONFDIR)/sluice'
	install -m 755 $(BIN) '$(DESTDIR)$(PREFIX)/bin/sluice'
	test -e '$(DESTDIR)$(SYSCONFDIR)/sluice/sluice.ini' || \
	  install -m 644 config/sluice.ini '$(DESTDIR)$(SYSCONFDIR)/sluice/sluice.ini'

install: install-program $(MANUAL)  ## install into PREFIX (/usr/local) below DESTDIR; keep a configuration that is there
	install -d '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(SYSUSERSDIR)' '$(DESTDIR)$(MANDIR)/man8' \
	  '$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(COMPLETIONDIR)'
	for unit in sluice.service sluice.socket; do \
	  sed -e 's|/usr/local/bin/|$(PREFIX)/bin/|' -e 's| /etc/| $(SYSCONFDIR)/|g' \
	    "config/systemd/$$unit" >'$(DESTDIR)$(UNITDIR)'/"$$unit" && \
	  chmod 644 '$(DESTDIR)$(UNITDIR)'/"$$unit" || exit 1; \
	done
	install -m 644 config/systemd/sluice.sysusers '$(DESTDIR)$(SYSUSERSDIR)/sluice.conf'
	for page in $(MANUAL); do \
	  install -m 644 "$$page" '$(DESTDIR)$(MANDIR)'/man"$${page##*.}"/ || exit 1; \
	done
	install -m 644 config/completion/sluice.bash '$(DESTDIR)$(COMPLETIONDIR)/sluice'

uninstall:  ## remove the program and what belongs to it, keep the configuration and the user
	rm -f '$(DESTDIR)$(PREFIX)/bin/sluice' \
	  '$(DESTDIR)$(UNITDIR)/sluice.service' '$(DESTDIR)$(UNITDIR)/sluice.socket' \
	  '$(DESTDIR)$(SYSUSERSDIR)/sluice.conf' '$(DESTDIR)$(COMPLETIONDIR)/sluice' \
	  '$(DESTDIR)$(MANDIR)/man8/sluice.8' '$(DESTDIR)$(MANDIR)/man5/sluice.ini.5'

clean:  ## remove what was built, but not wolfSSL and what the tests fetched
	rm -rf $(B)/release $(B)/debug $(B)/asan $(B)/coverage $(B)/fuzz $(B)/gen $(B)/test \
	  $(B)/manual $(B)/deb
	rm -f $(B)/sluice $(B)/libraries $(COMPDB)

distclean:  ## remove build/ altogether
	rm -rf $(B)

# ---------------------------------------------------------------------------------- packages

# What the build needs from apt.
BUILD_LIBRARIES = libc6-dev libev-dev libinih-dev libc-ares-dev libseccomp-dev libjansson-dev \
    libcrypt-dev zlib1g-dev
BUILD_PACKAGES = $(if $(ARCH),gcc-$(subst _,-,$(MACHINE)),gcc) make $(BUILD_LIBRARIES:%=%$(ARCH:%=:%)) \
    dpkg-dev autoconf automake libtool debian-archive-keyring

deps:  ## install the Debian packages that the build needs (nothing if all are there)
	$(Q)proxy/packages.sh 'to build' $(B)/packages.log $(BUILD_PACKAGES)

# ---------------------------------------------------------------------------------- the rest

MAKEFILES_READ = Makefile config/packages.mk tests/tests.mk tests/bench/bench.mk
include $(filter-out Makefile,$(MAKEFILES_READ))

help:  ## print this list
	@sed -n 's/^\([a-z0-9-]*\):.*  ## /\1|/p' $(MAKEFILES_READ) | \
	  awk -F '|' '{ printf "  make %-13s %s\n", $$1, $$2 }'
	@sed -n 's/^# \{0,1\}//; 5,11p' Makefile

-include $(OBJECTS:.o=.d) $(OUT)/proxy/main.d
