# vfab: one Makefile.  V=1 shows the commands; WERROR=0 relaxes; SAN=address,undefined or SAN=thread
# builds with sanitizers in a directory of its own.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
WERROR  ?= 1
BUILD   := build$(if $(SAN),/$(subst $(comma),-,$(SAN)))
comma   := ,

CC      ?= cc
CFLAGS  ?= -O2 -g
PKGS    := yaml-0.1 jansson liburcu-qsbr libmnl libseccomp libcap-ng libpcap

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
           -Wwrite-strings -Wundef -Wvla -Wimplicit-fallthrough $(if $(filter 1,$(WERROR)),-Werror)
HARDEN  := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
FLAGS    = -std=c11 -D_GNU_SOURCE -I. -DVFAB_VERSION='"$(VERSION)"' $(WARN) $(HARDEN) \
           $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -DVFAB_SANITIZED) \
           $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LINK     = -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) -pthread
LIBS     = $(shell pkg-config --libs $(PKGS) 2>/dev/null)
Q       := $(if $(V),,@)

# Objects, in reading order.
BASE   := addr csum drop fdb frame log loop nearest rate rcu ring units
CORE   := conf conf_schema conf_check conf_print
SWITCH := forward trace worker fabric state broker_client sandbox plan apply ctl show capture \
          broker broker_tap switch
PORT   := port scratch tap gso
VLAN   := vlan tag
BRIDGE := rtnl
TOOLS  := client table net port mac see lab apply attach complete

base_o   := $(BASE:%=switch/base/%.o)
core_o   := $(CORE:%=switch/%.o)
daemon_o := $(base_o) $(core_o) $(SWITCH:%=switch/%.o) $(PORT:%=switch/port/%.o) \
            $(VLAN:%=vlan/%.o) $(BRIDGE:%=bridge/%.o)
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

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
