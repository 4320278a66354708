# SPDX-License-Identifier: GPL-2.0-or-later
# vfab: one Makefile.  V=1 shows the commands; WERROR=0 relaxes; SAN=address,undefined or SAN=thread
# builds with sanitizers in a directory of its own, STAGES=1 one that counts cycles by stage of the packet path.
# `make help` lists the targets.

comma   := ,
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
# gcc warns of things that are not there once it instruments the code.
WERROR  ?= $(if $(SAN),0,1)
STAGES  ?=
BUILD   := build$(if $(SAN),/$(subst $(comma),-,$(SAN)))$(if $(STAGES),/stages)

CC      ?= cc
CFLAGS  ?= -O2 -g
PKGS    := yaml-0.1 jansson liburcu-qsbr libmnl libnftnl libseccomp libcap-ng libpcap

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
           -Wwrite-strings -Wundef -Wvla -Wimplicit-fallthrough $(if $(filter 1,$(WERROR)),-Werror)
HARDEN  := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
FLAGS    = -std=c11 -D_GNU_SOURCE -I. -DVFAB_VERSION='"$(VERSION)"' $(WARN) $(HARDEN) \
           $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -DVFAB_SANITIZED -DVFAB_TEST_CLOCK) $(if $(STAGES),-DVFAB_STAGES) \
           $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LINK     = -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) -pthread
LIBS     = $(shell pkg-config --libs $(PKGS) 2>/dev/null)
Q       := $(if $(V),,@)

# Objects, in reading order.
BASE   := addr csum drop fdb frame packet isa log loop nearest rate rcu ring siphash stage units
CORE   := conf conf_merge conf_list conf_yaml conf_schema conf_value conf_check conf_vlan conf_forward conf_out conf_check_out \
          conf_check_ways conf_dhcp conf_option conf_merge_dhcp conf_check_dhcp conf_print conf_print_dhcp
SWITCH := forward forward_rare forwarder trace filter guard guard_check guard_loop worker fabric legs state broker_client sandbox plan want device guest \
          watchdog uplink lessee lessor lessor_net lessor_ties lessor_taps session_log apply ctl ctl_client ctl_conf show show_mac show_out show_nat show_lease show_event watch story capture pcapng \
          broker broker_check broker_kept broker_tap broker_taps broker_guests broker_link broker_links broker_host broker_stock \
          broker_file broker_spawn broker_wire broker_resolver resolv_conf resolver resolver_query resolver_wire switch
GATEWAY := gateway gateway_group gateway_arp gateway_nd gateway_ra gateway_route gateway_local gateway_hop gateway_icmp gateway_frag gateway_made gateway_serve gateway_conf neigh hold
PORT   := port scratch vnet tap gso guest_mem vring vring_take vring_put vring_chain inflight vhost vhost_msg \
          vhost_ring_msg vhost_mem_msg
VLAN   := vlan tag
NAT    := nat begin life nat_list plan tcp icmp frag session session_life session_pool session_restore index places guest ports room wheel
BRIDGE := rtnl netns tc bpf nft nft_rule nft_look sysctl sockets conntrack packet packet_socket
DHCP   := wire client lease lease_store lease_pool journal journal_line journal_sync net server reply wire6 server6 \
          dns dns_view dns_name dns_local dns_hash dns_cache dns_wait dns_wire dns_write stream segment
TOOLS  := say call client table confile merge net port uplink forward import nat mac lease see top watch apply proc attach netns \
          lab_state lab_conf lab_names lab_up lab_down lab complete

# The packet path is compiled once more for AVX2, which isa.h chooses at start.
WIDE_FLAGS := -mavx2 -mbmi -mbmi2 -mprfchw -DPATH_WIDE
WIDE   := $(if $(filter x86_64,$(shell uname -m)),switch/forward switch/port/vring_take switch/port/vring_put)

base_o   := $(BASE:%=switch/base/%.o)
core_o   := $(CORE:%=switch/%.o)
daemon_o := $(base_o) $(core_o) $(SWITCH:%=switch/%.o) $(PORT:%=switch/port/%.o) \
            $(GATEWAY:%=switch/%.o) $(NAT:%=nat/%.o) $(DHCP:%=dhcp/%.o) $(VLAN:%=vlan/%.o) \
            $(BRIDGE:%=bridge/%.o) $(WIDE:%=%_wide.o)
tools_o  := $(TOOLS:%=tools/%.o)

all: $(BUILD)/vfabd $(BUILD)/vfab

$(BUILD)/vfabd: $(addprefix $(BUILD)/,switch/main.o $(daemon_o))
$(BUILD)/vfab: $(addprefix $(BUILD)/,tools/vfab.o $(tools_o) $(core_o) $(base_o))
$(BUILD)/vfabd $(BUILD)/vfab:
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CFLAGS) $(FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%_wide.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $< (wide)"
	$(Q)$(CC) $(CFLAGS) $(FLAGS) $(WIDE_FLAGS) -MMD -MP -c -o $@ $<

# Everything but main() in two archives, so that a test links what it uses: the daemon with the doubles of
# tests/lib, and the tools.
lib_o  := $(daemon_o) $(patsubst %.c,%.o,$(wildcard tests/lib/*.c))
ARCHIVES := $(BUILD)/libtools.a $(BUILD)/libvfab.a
$(BUILD)/libvfab.a: $(addprefix $(BUILD)/,$(lib_o))
$(BUILD)/libtools.a: $(addprefix $(BUILD)/,$(tools_o))
$(ARCHIVES):
	@rm -f $@
	@echo "  AR    $@"
	$(Q)ar rcs $@ $^

# Tests: one cmocka binary for each module, one fuzz binary for each parser.  Without an engine (gcc 12 has
# none) a fuzz target replays the files it is given; `make fuzz` builds with clang's.
ENGINE ?=
units  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
fuzzes := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
lints  := $(wildcard tests/lint/*.sh)
# SCENARIOS="tests/scenario/a.sh ..." runs these only.
SCENARIOS ?= $(wildcard tests/scenario/*.sh)
RUN    := BUILD=$(BUILD) SAN=$(SAN) tests/run.sh

$(units): $(BUILD)/%: $(BUILD)/%.o $(ARCHIVES)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LINK) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(fuzzes): $(BUILD)/%: $(BUILD)/%.o $(if $(ENGINE),,$(BUILD)/tests/fuzz/driver.o) $(ARCHIVES)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LINK) $(ENGINE) $(LDFLAGS) -o $@ $^ $(LIBS)

unit: $(units) $(fuzzes)
	$(Q)$(RUN) cmocka $(units) : corpus $(fuzzes) $(if $(SAN),,: script $(lints))

lint:
	$(Q)$(RUN) script $(lints)

scenario: all
	$(Q)$(RUN) script $(SCENARIOS)

check:
	$(Q)tests/install-packages.sh build check
	$(Q)MAKE="$(MAKE)" tests/run-check.sh

FUZZ_SECONDS ?= 60
fuzz:
	$(Q)MAKE="$(MAKE)" FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run-fuzz.sh
fuzzers: $(fuzzes)

bench: all
	$(Q)BUILD=$(BUILD) MAKE="$(MAKE)" tests/bench/run.sh

# One binary for each measurement; it prints key=value lines.
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(ARCHIVES)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

# The long rows of the tests in full, hours on end if asked: SOAK_SECONDS.
SOAK_SECONDS ?= 3600
soak: all
	$(Q)BUILD=$(BUILD) SOAK_SECONDS=$(SOAK_SECONDS) tests/run-soak.sh

analyze: export ANALYZE_FLAGS = $(filter-out -Werror,$(FLAGS))
analyze:
	$(Q)tests/run-analyze.sh

demo:
	$(Q)tests/install-packages.sh build demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) tests/demo.sh

# Programs, man pages, completion and the systemd unit; starts nothing.
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(BUILD)/vfabd $(DESTDIR)$(PREFIX)/sbin/vfabd
	install -m 755 $(BUILD)/vfab $(DESTDIR)$(PREFIX)/bin/vfab
	install -m 644 $(wildcard tools/*.1) $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(wildcard tools/*.5) $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 $(wildcard switch/*.8) $(DESTDIR)$(PREFIX)/share/man/man8
	sed 's|@PREFIX@|$(PREFIX)|g' switch/vfabd.service > $(BUILD)/vfabd.service
	install -m 644 $(BUILD)/vfabd.service $(DESTDIR)$(PREFIX)/lib/systemd/system/vfabd.service
	for shell in bash zsh fish; do $(BUILD)/vfab completion $$shell > $(BUILD)/vfab.$$shell || exit 1; done
	install -m 644 $(BUILD)/vfab.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vfab
	install -m 644 $(BUILD)/vfab.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_vfab
	install -m 644 $(BUILD)/vfab.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/vfab.fish

clean:
	rm -rf build

help:
	@echo "all       $(BUILD)/vfabd and $(BUILD)/vfab"
	@echo "unit      unit tests, fuzz corpora and lints: no root, under a minute"
	@echo "scenario  network namespaces, real traffic: root"
	@echo "check     everything, also under the sanitizers; installs missing Debian packages"
	@echo "demo      the fabric at work; installs missing Debian packages"
	@echo "fuzz      each fuzz target for FUZZ_SECONDS ($(FUZZ_SECONDS)) with clang's engine"
	@echo "lint      rules of the source tree          analyze  -fanalyzer, cppcheck, clang-tidy"
	@echo "bench     measurements, peers beside us     soak     the long tests, SOAK_SECONDS ($(SOAK_SECONDS))"
	@echo "install   under PREFIX ($(PREFIX)), DESTDIR  clean    removes build/"

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all unit lint scenario check fuzz fuzzers bench soak analyze demo install clean help

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
