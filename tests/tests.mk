# SPDX-License-Identifier: GPL-3.0-or-later
# sluice: the tests and checks. The Makefile includes this file; tests/README.md says what each
# kind of test is.

FUZZ_SECONDS ?= 60
# Not the first python3 on PATH: the tests' modules come from Debian's packages.
PYTHON ?= /usr/bin/python3
CLANG_FORMAT ?= $(call find_tool,clang-format)
CLANG_TIDY ?= $(call find_tool,clang-tidy)

# ---------------------------------------------------------------------------------- files

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

# ---------------------------------------------------------------------------------- packages

# What the tests need from apt besides the build's packages.
TEST_PACKAGES = libcunit1-dev $(LLVM_PACKAGES) cppcheck shellcheck chromium chromium-driver \
    firefox-esr novnc tigervnc-standalone-server default-jdk-headless \
    redis-server mosquitto postgresql rabbitmq-server openssh-server openssh-client openssl python3 python3-websockets python3-wsproto \
    iproute2 nftables procps ngircd unbound nginx libnginx-mod-stream haproxy valgrind libssl-dev node-ws \
    gnutls-bin libnss3-tools apache2-utils python3-cryptography python3-jwt prometheus systemd mandoc \
    $(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm)
LLVM_PACKAGES = clang-$(LLVM) clang-tidy-$(LLVM) clang-format-$(LLVM) libclang-rt-$(LLVM)-dev

# The compiler that checks the types of proxy/page/sluice.js.
TYPESCRIPT = 5.9.3

test-deps:  ## install the Debian packages that only the tests need
	$(Q)proxy/packages.sh 'to test' $(B)/packages.log $(TEST_PACKAGES)
	$(Q)NODE_PATH=/usr/share/nodejs node -e 'require("ws")' 2>/dev/null || \
	  NODE_PATH=$(CURDIR)/$(B)/node/node_modules node -e 'require("ws")' 2>/dev/null || \
	  npm install --silent --no-audit --no-fund --prefix $(B)/node ws
	$(Q)grep -qs '"version": "$(TYPESCRIPT)"' $(B)/typescript/node_modules/typescript/package.json || \
	  npm install --silent --no-audit --no-fund --prefix $(B)/typescript typescript@$(TYPESCRIPT)
	$(Q)cmp -s $(EXAMPLE_LOCK) $(EXAMPLE_CLIENTS)/fetched || { mkdir -p $(EXAMPLE_CLIENTS) && \
	  cp $(EXAMPLE_LOCK) $(EXAMPLE_LOCK:-lock.json=.json) $(EXAMPLE_CLIENTS) && \
	  npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(EXAMPLE_CLIENTS) && \
	  cp $(EXAMPLE_LOCK) $(EXAMPLE_CLIENTS)/fetched; }

# The clients that drive config/examples: exactly those of the lock file, fetched once.
EXAMPLE_LOCK = tests/integration/examples/package-lock.json
EXAMPLE_CLIENTS = $(B)/node/examples

# ---------------------------------------------------------------------------------- running

.PHONY: test test-deps gate check lint keys format format-check unit replay differential integration
.PHONY: kit screenshots faults flood soak heads browser firefox fuzz fuzz-run coverage coverage-run
.PHONY: docker-test rolling-test kubernetes-test next-tls-test

test:  ## install what is missing, build, and run the whole gate
	+$(Q)$(MAKE) --no-print-directory deps
	+$(Q)$(MAKE) --no-print-directory test-deps
	+$(Q)$(MAKE) --no-print-directory gate

check: test

gate:  ## run the whole gate, but install nothing first
	+$(Q)MAKE='$(MAKE)' B='$(B)' tests/gate

# tests/record passes a test program's output on and notes its count for the gate.
RECORD = B='$(B)' tests/record
SAN_ENV = ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0 \
    UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=print_suppressions=0

LINT_ENV = B='$(B)' CC='$(CC)' MODULES='$(MODULES)' CLANG_FORMAT='$(CLANG_FORMAT)' \
    CLANG_TIDY='$(CLANG_TIDY)' PYTHON='$(PYTHON)' BIN='$(B)/sluice'
LINT_NEEDS = $(COMPDB) $(GEN)/unit/suites.inc $(WOLFSSL_STAMP) \
    $(if $(wildcard proxy/main.c),$(if $(filter-out examples kubernetes config_keys,$(T)),,$(B)/sluice))
lint: $(LINT_NEEDS)  ## check layers, keys, sizes, format, clang-tidy, cppcheck, shellcheck, hardening
	$(Q)$(LINT_ENV) $(RECORD) lint tests/lint/run $(T)

keys: $(B)/sluice  ## write what config/README.md repeats of the table of keys
	$(Q)$(LINT_ENV) tests/lint/config_keys --write

format:  ## run clang-format on every C file
	$(CLANG_FORMAT) -i $(C_FILES)

format-check:  ## say what clang-format would change
	$(Q)$(LINT_ENV) tests/lint/format

unit: $(UNIT_BIN)  ## run the CUnit tests
	$(Q)$(SAN_ENV) $(RECORD) unit-$(VARIANT) $(if $(T),,tests/unit/parts )$(UNIT_BIN)

$(UNIT_BIN): $(UNIT_OBJECTS) $(ARCHIVE) $(OUT)/link-flags $(WOLFSSL_STAMP)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) $(LINK_FLAGS) -o $@ $(UNIT_OBJECTS) $(ARCHIVE) \
	  -lcunit $(LIBS)

# make reads the list of suites from the files, so the list is never stale.
$(GEN)/unit/suites.inc: FORCE
	$(call stamp,$(foreach test,$(TESTS),SUITE($(test))))
$(GEN)/unit-%/suites.inc: FORCE
	$(call stamp,$(foreach test,$(UNIT_TESTS),SUITE($(test))))

$(UNIT_DIR)/%.o: tests/unit/%.c $(OUT)/flags $(UNIT_GEN)/suites.inc $(WOLFSSL_STAMP)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -Itests/unit -I$(UNIT_GEN) -MMD -MP -c -o $@ $<

kit:  ## test the kit for pages, proxy/page/sluice.js, under node
	$(Q)$(RECORD) kit tests/kit/run $(T)

replay: $(REPLAYS)  ## run every committed fuzz input once, as a plain test
	$(Q)$(SAN_ENV) $(RECORD) replay-$(VARIANT) tests/fuzz/replay.sh $(OUT) $(FUZZ_NAMES)

$(OUT)/replay_%: $(OUT)/tests/fuzz/fuzz_%.o $(OUT)/tests/fuzz/replay.o $(ARCHIVE) $(OUT)/link-flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) $(LINK_FLAGS) -o $@ $(filter %.o,$^) $(ARCHIVE) $(LIBS)

$(OUT)/tests/fuzz/%.o: tests/fuzz/%.c $(OUT)/flags $(WOLFSSL_STAMP)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

differential: $(OUT)/differential_decode  ## give the same random streams to sluice, Node's ws and Python's wsproto
	$(Q)$(SAN_ENV) $(RECORD) differential-$(VARIANT) $(PYTHON) tests/differential/run.py \
	  --decoder $(OUT)/differential_decode

$(OUT)/differential_decode: $(OUT)/tests/differential/decode.o $(ARCHIVE) $(OUT)/link-flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) $(LINK_FLAGS) -o $@ $(filter %.o,$^) $(ARCHIVE) $(LIBS)

$(OUT)/tests/differential/%.o: tests/differential/%.c $(OUT)/flags $(WOLFSSL_STAMP)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

heads: $(OUT)/heads_check  ## give the same random request heads to sluice, Node, nginx and HAProxy
	$(Q)$(SAN_ENV) $(RECORD) heads-$(VARIANT) $(PYTHON) tests/heads/run.py \
	  --check $(OUT)/heads_check

$(OUT)/heads_check: $(OUT)/tests/heads/check.o $(ARCHIVE) $(OUT)/link-flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) $(LINK_FLAGS) -o $@ $(filter %.o,$^) $(ARCHIVE) $(LIBS)

$(OUT)/tests/heads/%.o: tests/heads/%.c $(OUT)/flags $(WOLFSSL_STAMP)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

integration: $(BIN)  ## test the program on real sockets with real services
	$(Q)$(SAN_ENV) $(RECORD) integration-$(VARIANT) $(PYTHON) tests/integration/run.py \
	  --sluice $(BIN) $(if $(T),-k '$(T)')

faults: $(BIN)  ## play what can happen to each side on every kind of session; FAULTS=all: the long run
	$(Q)$(SAN_ENV) $(RECORD) faults-$(VARIANT) $(PYTHON) tests/faults/run.py \
	  --sluice $(BIN) $(if $(T),-k '$(T)') $(if $(filter all,$(FAULTS)),--all)

flood: $(BIN)  ## large floods against the limits, HAProxy and nginx beside (5 min)
	$(Q)$(PYTHON) tests/flood/run.py --sluice $(BIN) $(if $(T),-k '$(T)')

# The long one: make soak SOAK_SECONDS=3600 SOAK_SESSIONS=10000 SOAK_CYCLE=300
SOAK_SECONDS ?= 60
SOAK_SESSIONS ?= 300
SOAK_CYCLE ?= 20
soak: $(BIN)  ## pages that come and go while everything around them fails; SOAK_SECONDS: how long
	$(Q)$(SAN_ENV) $(PYTHON) tests/soak/run.py --sluice $(BIN) --seconds $(SOAK_SECONDS) \
	  --sessions $(SOAK_SESSIONS) --cycle $(SOAK_CYCLE)

browser: $(BIN)  ## test the program and its page in headless Chromium
	$(Q)$(SAN_ENV) $(RECORD) browser-$(VARIANT) $(PYTHON) tests/browser/run.py \
	  --sluice $(BIN) $(if $(T),-k '$(T)')

firefox: $(BIN)  ## the same in headless Firefox
	$(Q)$(SAN_ENV) $(RECORD) firefox-$(VARIANT) $(PYTHON) tests/browser/run.py --firefox \
	  --sluice $(BIN) $(if $(T),-k '$(T)')

screenshots: $(BIN)  ## make the pictures of config/screenshots/ anew
	$(Q)$(PYTHON) tests/browser/screenshots.py --sluice $(BIN) $(if $(T),-k '$(T)')

fuzz:  ## run libFuzzer, each target FUZZ_SECONDS (60); new inputs go to build/fuzz/NAME
	+$(Q)$(MAKE) --no-print-directory VARIANT=fuzz fuzz-run

fuzz-run: $(FUZZ_BINS)
	$(Q)$(SAN_ENV) tests/fuzz/run.sh $(B)/fuzz $(FUZZ_SECONDS) $(FUZZ_NAMES)

$(B)/fuzz/fuzz_%: $(B)/fuzz/tests/fuzz/fuzz_%.o $(B)/fuzz/libsluice.a $(B)/fuzz/link-flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_fuzz) $(CFLAGS) $(LINK_FLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) \
	  $(B)/fuzz/libsluice.a $(LIBS)

coverage:  ## count the lines that unit tests and replay cover, per module; proto/ needs 90 %
	+$(Q)$(MAKE) --no-print-directory VARIANT=coverage coverage-run

coverage-run: $(UNIT_BIN) $(REPLAYS)
	$(Q)find $(OUT) -name '*.gcda' -delete
	$(Q)$(RECORD) unit-coverage $(UNIT_BIN) >$(OUT)/tests.log && \
	  $(RECORD) replay-coverage tests/fuzz/replay.sh $(OUT) $(FUZZ_NAMES) >>$(OUT)/tests.log || \
	  { tail -n 30 $(OUT)/tests.log; exit 1; }
	$(Q)tests/coverage.sh $(OUT) 90 $(SOURCES)

docker-test:  ## build and run the image for amd64 and arm64, rehearse a rolling deploy (root)
	docker/test.sh
	$(if $(filter amd64,$(shell dpkg --print-architecture)),docker/arm64.sh)

rolling-test: $(BIN)  ## rehearse a rolling deploy with the built program (root)
	$(PYTHON) docker/rolling.py --sluice $(CURDIR)/$(BIN)

kubernetes-test: $(BIN)  ## build and check the manifests of docker/kubernetes (go, python3)
	SLUICE='$(CURDIR)/$(BIN)' docker/kubernetes/test.sh

next-tls-test:  ## build with a newer wolfSSL in build/next, which has X25519MLKEM768, and test that
	+$(Q)MAKE='$(MAKE)' B='$(B)' PYTHON='$(PYTHON)' tests/next_tls/run.sh

-include $(UNIT_OBJECTS:.o=.d) $(patsubst %,$(OUT)/tests/fuzz/%.d,replay $(FUZZERS:%=fuzz_%)) \
    $(OUT)/tests/differential/decode.d $(OUT)/tests/heads/check.d
