# SPDX-License-Identifier: GPL-3.0-or-later
# sluice: build, tests and checks. `make help` lists the targets.
#
# Everything is written below $(B). A build variant has its own folder there:
#   make VARIANT=asan            build/asan/sluice; the same word selects what `make unit`,
#                                `make replay`, `make integration` and `make browser` test
# Variables: CC CFLAGS CPPFLAGS LDFLAGS as usual (flags are added to ours), V=1 shows commands,
# WERROR=1 makes warnings errors, T=name runs only the tests (or lint checks) of that name,
# B=DIR builds elsewhere, MODULES="base/span ..." builds only these, WOLFSSL_PREFIX=DIR uses a
# wolfSSL of your own.

VERSION = 0.1.0

B ?= build
VARIANT ?= release
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
WOLFSSL_PREFIX ?= build/wolfssl
FUZZ_SECONDS ?= 60
# Not the first python3 on PATH: the tests' modules come from Debian's packages.
PYTHON ?= /usr/bin/python3

# Every module, in order: a module may include only modules above its own (`make lint`). A module
# is NAME.h and NAME.c, and NAME_PART.c once it has outgrown one file.
MODULES = \
    base/list base/span base/utf8 base/mem base/buf base/addr base/log \
    proto/mask proto/ws proto/base64 proto/deflate proto/framing proto/shape \
    proto/http proto/upgrade proto/policy proto/life \
    io/reactor io/net io/tls io/tls_proof io/cert io/conn io/resolver \
    conf/config \
    gate/scoreboard gate/dial gate/pump gate/page gate/session gate/listener gate/worker \
    gate/master

# A name that no file has is a mistake, not an empty module.
NO_MODULE := $(strip $(foreach module,$(MODULES),\
    $(if $(wildcard proxy/$(module).h proxy/$(module).c),,$(module))))
ifneq ($(NO_MODULE),)
$(error MODULES names what is not in proxy/: $(NO_MODULE))
endif

# ---------------------------------------------------------------------------------- tools, flags

ifeq ($(origin CC),default)
CC := gcc
endif
# Debian names its LLVM tools with a version unless the unversioned package is there.
find_tool = $(firstword $(shell command -v $(1) || command -v $(1)-14) $(1))
FUZZ_CC ?= $(call find_tool,clang)
CLANG_FORMAT ?= $(call find_tool,clang-format)
CLANG_TIDY ?= $(call find_tool,clang-tidy)

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
# Warnings are judged where nothing is instrumented.
WERROR_release = -Werror
WERROR_debug = -Werror

# Left out where the compiler does not know them.
OPTIONAL_HARDEN = -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
    -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr -fno-delete-null-pointer-checks
# Compiled to nothing but an object: no header and no library is needed to ask.
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
LIBS = $(WOLFSSL_LIB) -lev -linih -lcares -lz -lm

# ---------------------------------------------------------------------------------- files

OUT = $(B)/$(VARIANT)
BIN = $(if $(filter release,$(VARIANT)),$(B)/sluice,$(OUT)/sluice)
GEN = $(B)/gen
ARCHIVE = $(OUT)/libsluice.a
COMPDB = $(B)/compile_commands.json

SOURCES := $(foreach module,$(MODULES),$(wildcard proxy/$(module).c proxy/$(module)_*.c))
ifneq ($(filter gate/page,$(MODULES)),)
DEMO_PAGE := $(and $(wildcard proxy/demo.html),$(wildcard proxy/gate/page.h),$(GEN)/demo_page.c)
endif
OBJECTS = $(SOURCES:%.c=$(OUT)/%.o) $(DEMO_PAGE:$(B)/%.c=$(OUT)/%.o)

TESTS := $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_TESTS = $(if $(T),$(filter $(T),$(TESTS)),$(TESTS))
UNIT_GEN = $(GEN)/unit$(if $(T),-$(firstword $(T)))
UNIT_DIR = $(OUT)/tests/unit$(if $(T),-$(firstword $(T)))
UNIT_BIN = $(OUT)/unit$(if $(T),-$(firstword $(T)))
UNIT_OBJECTS = $(UNIT_TESTS:%=$(UNIT_DIR)/test_%.o) $(UNIT_DIR)/runner.o

FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_NAMES = $(if $(T),$(filter $(T),$(FUZZERS)),$(FUZZERS))
REPLAYS = $(FUZZ_NAMES:%=$(OUT)/replay_%)
FUZZ_BINS = $(FUZZ_NAMES:%=$(B)/fuzz/fuzz_%)

C_FILES := $(sort $(wildcard proxy/*.[ch] proxy/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch]))

ifeq ($(WOLFSSL_PREFIX),build/wolfssl)
WOLFSSL_STAMP = build/wolfssl/stamp
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

.PHONY: all debug asan run wolfssl deps test-deps install uninstall clean distclean help
all: $(BIN) $(COMPDB)  ## the optimised, hardened program, build/sluice (the default)

debug:  ## unoptimised, build/debug/sluice
	+$(Q)$(MAKE) --no-print-directory VARIANT=debug all

asan:  ## with address and undefined-behaviour checks, build/asan/sluice
	+$(Q)$(MAKE) --no-print-directory VARIANT=asan all

run:  ## install what is missing, build, and start the demo on https://localhost:8443
	+$(Q)$(MAKE) --no-print-directory deps
	+$(Q)$(MAKE) --no-print-directory -j2 all
	$(Q)exec $(B)/sluice --demo

wolfssl: $(WOLFSSL_STAMP)  ## the private wolfSSL, build/wolfssl (part of every build)

$(BIN): $(OUT)/proxy/main.o $(ARCHIVE) $(OUT)/link-flags $(WOLFSSL_STAMP)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) $(LINK_FLAGS) -o $@ $< $(ARCHIVE) $(LIBS)

# Made anew, so that no object of a removed source stays in it.
$(ARCHIVE): $(OBJECTS) $(OUT)/objects
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $(OBJECTS)

$(OUT)/proxy/%.o: proxy/%.c $(OUT)/flags $(WOLFSSL_STAMP) | $(B)/libraries
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

$(OUT)/gen/%.o: $(GEN)/%.c $(OUT)/flags
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

$(GEN)/demo_page.c: proxy/demo.html
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && { printf '#include "gate/page.h"\n\n'; \
	  printf 'const unsigned char demo_page[] = {\n'; \
	  od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/ 0x\1,/g'; \
	  printf '};\nconst size_t demo_page_len = sizeof(demo_page);\n'; } >$@

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
	$(Q)proxy/wolfssl.sh build
endif

$(B)/libraries:
	$(Q)mkdir -p $(@D) && printf '#include <ev.h>\n#include <ini.h>\n#include <ares.h>\n#include <zlib.h>\n' | \
	  $(CC) $(CPPFLAGS) $(CFLAGS) -E -x c - >/dev/null 2>&1 || \
	  { echo 'libev, inih, c-ares or zlib is missing; run: make deps' >&2; exit 1; }
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
	$(call stamp,$(filter %.c,$(C_FILES)) $(TIDY_FLAGS))

install: all  ## into PREFIX (/usr/local) below DESTDIR; the configuration only if there is none
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(SYSCONFDIR)/sluice'
	install -m 755 $(BIN) '$(DESTDIR)$(PREFIX)/bin/sluice'
	test -e '$(DESTDIR)$(SYSCONFDIR)/sluice/sluice.ini' || \
	  install -m 644 config/sluice.ini '$(DESTDIR)$(SYSCONFDIR)/sluice/sluice.ini'

uninstall:  ## takes the program away and leaves the configuration
	rm -f '$(DESTDIR)$(PREFIX)/bin/sluice'

clean:  ## removes what was built, except wolfSSL and what the tests fetched
	rm -rf $(B)/release $(B)/debug $(B)/asan $(B)/coverage $(B)/fuzz $(B)/gen $(B)/test
	rm -f $(B)/sluice $(B)/libraries $(COMPDB)

distclean:  ## removes build/ altogether
	rm -rf $(B)

# ---------------------------------------------------------------------------------- packages

# What apt must be able to find to build; what the tests need besides.
BUILD_PACKAGES = gcc libc6-dev make libev-dev libinih-dev libc-ares-dev \
    zlib1g-dev dpkg-dev autoconf automake libtool debian-archive-keyring
TEST_PACKAGES = libcunit1-dev clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev cppcheck \
    shellcheck chromium chromium-driver redis-server openssh-server openssh-client openssl \
    python3 python3-websockets python3-wsproto iproute2 nftables procps ngircd unbound \
    valgrind libssl-dev $(if $(shell command -v node),,nodejs) node-ws

deps:  ## install the Debian packages needed to build (nothing if all are there)
	$(Q)proxy/packages.sh 'to build' $(B)/packages.log $(BUILD_PACKAGES)

test-deps:  ## install the Debian packages that only the tests need
	$(Q)proxy/packages.sh 'to test' $(B)/packages.log $(TEST_PACKAGES)
	$(Q)NODE_PATH=/usr/share/nodejs node -e 'require("ws")' 2>/dev/null || \
	  NODE_PATH=$(CURDIR)/$(B)/node/node_modules node -e 'require("ws")' 2>/dev/null || \
	  npm install --silent --no-audit --no-fund --prefix $(B)/node ws

# ---------------------------------------------------------------------------------- tests

.PHONY: test gate check lint format format-check unit replay integration browser fuzz coverage
.PHONY: docker-test differential
test:  ## install what is missing, build, and run the whole gate
	+$(Q)$(MAKE) --no-print-directory deps
	+$(Q)$(MAKE) --no-print-directory test-deps
	+$(Q)$(MAKE) --no-print-directory gate

check: test

gate:  ## the whole gate, with nothing installed first
	+$(Q)MAKE='$(MAKE)' B='$(B)' tests/gate

# tests/record passes a test program's output on and notes its count for the gate.
RECORD = B='$(B)' tests/record
SAN_ENV = ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0 \
    UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=print_suppressions=0

LINT_ENV = B='$(B)' CC='$(CC)' MODULES='$(MODULES)' CLANG_FORMAT='$(CLANG_FORMAT)' \
    CLANG_TIDY='$(CLANG_TIDY)' PYTHON='$(PYTHON)' BIN='$(B)/sluice'
LINT_NEEDS = $(COMPDB) $(GEN)/unit/suites.inc $(WOLFSSL_STAMP) \
    $(if $(wildcard proxy/main.c),$(if $(T),,$(B)/sluice))
lint: $(LINT_NEEDS)  ## layers, keys, sizes, format, clang-tidy, cppcheck, shellcheck, hardening
	$(Q)$(LINT_ENV) $(RECORD) lint tests/lint/run $(T)

format:  ## clang-format, in place
	$(CLANG_FORMAT) -i $(C_FILES)

format-check:  ## only say what clang-format would change
	$(Q)$(LINT_ENV) tests/lint/format

unit: $(UNIT_BIN)  ## CUnit tests
	$(Q)$(SAN_ENV) $(RECORD) unit-$(VARIANT) $(UNIT_BIN)

$(UNIT_BIN): $(UNIT_OBJECTS) $(ARCHIVE) $(OUT)/link-flags $(WOLFSSL_STAMP)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) $(LINK_FLAGS) -o $@ $(UNIT_OBJECTS) $(ARCHIVE) \
	  -lcunit $(LIBS)

# Which suites there are is read from the files, so the list is never stale.
$(GEN)/unit/suites.inc: FORCE
	$(call stamp,$(foreach test,$(TESTS),SUITE($(test))))
$(GEN)/unit-%/suites.inc: FORCE
	$(call stamp,$(foreach test,$(UNIT_TESTS),SUITE($(test))))

$(UNIT_DIR)/%.o: tests/unit/%.c $(OUT)/flags $(UNIT_GEN)/suites.inc $(WOLFSSL_STAMP)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -Itests/unit -I$(UNIT_GEN) -MMD -MP -c -o $@ $<

replay: $(REPLAYS)  ## every committed fuzz input once, as a plain test
	$(Q)$(SAN_ENV) $(RECORD) replay-$(VARIANT) tests/fuzz/replay.sh $(OUT) $(FUZZ_NAMES)

$(OUT)/replay_%: $(OUT)/tests/fuzz/fuzz_%.o $(OUT)/tests/fuzz/replay.o $(ARCHIVE) $(OUT)/link-flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) $(LINK_FLAGS) -o $@ $(filter %.o,$^) $(ARCHIVE) $(LIBS)

$(OUT)/tests/fuzz/%.o: tests/fuzz/%.c $(OUT)/flags $(WOLFSSL_STAMP)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

differential: $(OUT)/differential_decode  ## the same random streams to sluice, Node's ws and Python's wsproto
	$(Q)$(SAN_ENV) $(RECORD) differential-$(VARIANT) $(PYTHON) tests/differential/run.py \
	  --decoder $(OUT)/differential_decode

$(OUT)/differential_decode: $(OUT)/tests/differential/decode.o $(ARCHIVE) $(OUT)/link-flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) $(LINK_FLAGS) -o $@ $(filter %.o,$^) $(ARCHIVE) $(LIBS)

$(OUT)/tests/differential/%.o: tests/differential/%.c $(OUT)/flags $(WOLFSSL_STAMP)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

integration: $(BIN)  ## the program on real sockets with real services
	$(Q)$(SAN_ENV) $(RECORD) integration-$(VARIANT) $(PYTHON) tests/integration/run.py \
	  --sluice $(BIN) $(if $(T),-k '$(T)')

browser: $(BIN)  ## the program and its page in headless Chromium
	$(Q)$(SAN_ENV) $(RECORD) browser-$(VARIANT) $(PYTHON) tests/browser/run.py \
	  --sluice $(BIN) $(if $(T),-k '$(T)')

fuzz:  ## libFuzzer, each target FUZZ_SECONDS (60); new inputs go to build/fuzz/NAME
	+$(Q)$(MAKE) --no-print-directory VARIANT=fuzz fuzz-run

.PHONY: fuzz-run
fuzz-run: $(FUZZ_BINS)
	$(Q)$(SAN_ENV) tests/fuzz/run.sh $(B)/fuzz $(FUZZ_SECONDS) $(FUZZ_NAMES)

$(B)/fuzz/fuzz_%: $(B)/fuzz/tests/fuzz/fuzz_%.o $(B)/fuzz/libsluice.a $(B)/fuzz/link-flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_fuzz) $(CFLAGS) $(LINK_FLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) \
	  $(B)/fuzz/libsluice.a $(LIBS)

coverage:  ## lines covered by unit tests and replay, per module; proto/ must reach 90 %
	+$(Q)$(MAKE) --no-print-directory VARIANT=coverage coverage-run

.PHONY: coverage-run
coverage-run: $(UNIT_BIN) $(REPLAYS)
	$(Q)find $(OUT) -name '*.gcda' -delete
	$(Q)$(RECORD) unit-coverage $(UNIT_BIN) >$(OUT)/tests.log && \
	  $(RECORD) replay-coverage tests/fuzz/replay.sh $(OUT) $(FUZZ_NAMES) >>$(OUT)/tests.log || \
	  { tail -n 30 $(OUT)/tests.log; exit 1; }
	$(Q)tests/coverage.sh $(OUT) 90 $(SOURCES)

# ---------------------------------------------------------------------------------- benchmark
# What only the benchmark needs; the tools speak TLS with OpenSSL.
BENCH_PACKAGES = libssl-dev openssl valgrind haproxy nginx libnginx-mod-stream lighttpd \
    lighttpd-mod-openssl websockify

.PHONY: bench-deps bench bench-check bench-count bench-tools
bench-deps:  ## install the Debian packages that only the benchmark needs
	$(Q)proxy/packages.sh 'to benchmark' $(B)/packages.log $(BENCH_PACKAGES)

BENCH_TOOLS = $(B)/bench/load $(B)/bench/backend
BENCH_RUN = $(PYTHON) tests/bench/run.py --sluice $(BIN) --tools $(B)/bench \
    $(if $(filter 1,$(QUICK)),--quick --out $(B)/bench) $(if $(T),-k '$(T)')
bench-tools: $(BENCH_TOOLS) $(B)/bench/count

bench: $(BIN) $(BENCH_TOOLS)  ## beside HAProxy, nginx, lighttpd, websockify (QUICK=1: 2 min)
	$(Q)$(BENCH_RUN)

bench-check: $(BIN) $(BENCH_TOOLS) bench-count  ## the same, against tests/bench/budgets.json
	$(Q)$(BENCH_RUN) --check

bench-count: $(B)/bench/count  ## instructions of the hot paths, against their budgets (gate)
	$(Q)$(RECORD) bench-count $(PYTHON) tests/bench/count.py --tools $(B)/bench --check \
	  $(if $(T),-k '$(T)')

BENCH_COMPILE = $(CC) -std=gnu11 $(WARN) -D_GNU_SOURCE $(CPPFLAGS) -O3 -g $(CFLAGS)
$(B)/bench/load: $(wildcard tests/bench/load*.[ch] tests/bench/protocol.[ch])
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(BENCH_COMPILE) -o $@ $(filter %.c,$^) $(LDFLAGS) -lssl -lcrypto

$(B)/bench/backend: $(wildcard tests/bench/backend.c tests/bench/protocol.[ch])
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(BENCH_COMPILE) -o $@ $(filter %.c,$^) $(LDFLAGS)

# System calls are replaced, so that only our instructions are counted.
COUNT_WRAP = -Wl,--wrap=net_recv,--wrap=net_send,--wrap=net_send_pieces
$(B)/bench/count: $(wildcard tests/bench/count*.[ch]) $(ARCHIVE) $(OUT)/link-flags $(WOLFSSL_STAMP)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) $(LINK_FLAGS) $(COUNT_WRAP) -o $@ \
	  $(filter tests/bench/%.c,$^) $(ARCHIVE) $(LIBS) -lssl -lcrypto

# ---------------------------------------------------------------------------------- the rest

docker-test:  ## build and run the container image, without an engine (root)
	docker/test.sh

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1|/p' Makefile | \
	  awk -F '|' '{ printf "  make %-13s %s\n", $$1, $$2 }'
	@sed -n 's/^# \{0,1\}//; 4,10p' Makefile

-include $(OBJECTS:.o=.d) $(OUT)/proxy/main.d $(UNIT_OBJECTS:.o=.d) \
    $(patsubst %,$(OUT)/tests/fuzz/%.d,replay $(FUZZERS:%=fuzz_%)) \
    $(OUT)/tests/differential/decode.d
