# SPDX-License-Identifier: GPL-3.0-or-later
# sluice: the benchmark and the counts of instructions. The Makefile includes this file.

# What only the benchmark needs; the tools speak TLS with OpenSSL.
BENCH_PACKAGES = libssl-dev openssl valgrind haproxy nginx libnginx-mod-stream lighttpd \
    lighttpd-mod-openssl websockify

.PHONY: bench-deps bench bench-check bench-count bench-tools crowd
bench-deps:  ## install the Debian packages that only the benchmark needs
	$(Q)proxy/packages.sh 'to benchmark' $(B)/packages.log $(BENCH_PACKAGES)

BENCH_TOOLS = $(B)/bench/load $(B)/bench/backend
BENCH_RUN = $(PYTHON) tests/bench/run.py --sluice $(BIN) --tools $(B)/bench \
    $(if $(filter 1,$(QUICK)),--quick --out $(B)/bench) $(if $(T),-k '$(T)') $(if $(BEFORE),--before $(BEFORE))
bench-tools: $(BENCH_TOOLS) $(B)/bench/count

bench: $(BIN) $(BENCH_TOOLS)  ## measure beside HAProxy, nginx, lighttpd, websockify (QUICK=1: 2 min)
	$(Q)$(BENCH_RUN)

bench-check: $(BIN) $(BENCH_TOOLS) bench-count  ## measure, and check against tests/bench/budgets.json
	$(Q)$(BENCH_RUN) --check

bench-count: $(B)/bench/count  ## check the instructions of the hot paths against their budgets (gate)
	$(Q)$(RECORD) bench-count $(PYTHON) tests/bench/count.py --tools $(B)/bench --check \
	  $(if $(T),-k '$(T)')

crowd: $(BIN) $(BENCH_TOOLS)  ## 50,000 idle sessions in one sluice: memory, CPU, reload, drain (6 min)
	$(Q)$(PYTHON) tests/bench/crowd.py --sluice $(BIN) --tools $(B)/bench

BENCH_COMPILE = $(CC) -std=gnu11 $(WARN) -D_GNU_SOURCE $(CPPFLAGS) -O3 -g $(CFLAGS)
$(B)/bench/load: $(wildcard tests/bench/load*.[ch] tests/bench/protocol.[ch])
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(BENCH_COMPILE) -o $@ $(filter %.c,$^) $(LDFLAGS) -lssl -lcrypto

$(B)/bench/backend: $(wildcard tests/bench/backend*.[ch] tests/bench/protocol.[ch])
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(BENCH_COMPILE) -o $@ $(filter %.c,$^) $(LDFLAGS) -lssl -lcrypto

# The tool replaces system calls, so that it counts only our instructions.
COUNT_WRAP = -Wl,--wrap=net_recv,--wrap=net_send
$(B)/bench/count: $(wildcard tests/bench/count*.[ch]) $(ARCHIVE) $(OUT)/link-flags $(WOLFSSL_STAMP)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(COMPILE) $(LINK_FLAGS) $(COUNT_WRAP) -o $@ \
	  $(filter tests/bench/%.c,$^) $(ARCHIVE) $(LIBS) -lssl -lcrypto
