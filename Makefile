# vmdeck: one makefile, no recursion; variants are build folders (V=dev|rel|asan|tsan|cov|fuzz).
V      ?= dev
B      := build/$(V)
CC     ?= gcc
PREFIX ?= /usr/local
WERROR ?= 1
SUDO   := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:

# ---- packages: the one list of what a fresh Debian 12 needs -------------------------------------
DEPS_BUILD := build-essential pkg-config libev-dev libncurses-dev libvterm-dev libjson-c-dev \
	libsqlite3-dev liblz4-dev libssl-dev libcmocka-dev libinih-dev libnl-3-dev \
	libnl-route-3-dev libnftables-dev libcurl4-openssl-dev
DEPS_RUN   := qemu-system-x86 qemu-utils busybox-static ca-certificates passt
DEPS_TEST  := tmux screen python3 strace ncurses-term procps btrfs-progs iproute2 groff-base
DEPS_CHECK := clang clang-format clang-tidy cppcheck shellcheck mandoc
DEPS       := $(DEPS_BUILD) $(DEPS_RUN) $(DEPS_TEST)

# ---- flags ---------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Wpointer-arith -Wvla -Wformat=2 -Wundef -Wimplicit-fallthrough $(if $(filter 1,$(WERROR)),-Werror)
PKGS_BACKEND := json-c sqlite3 liblz4 libcrypto libcurl
PKGS_NET     := libnl-route-3.0 libnl-3.0 libnftables json-c
PKGS_TUI     := json-c vterm ncursesw inih
# No pkg-config call when nothing is to be built from it: keeps the no-op make fast.
PKGCFG := $(B)/pkg.mk
CSTD   := -std=gnu11 -D_GNU_SOURCE -I. -fno-strict-aliasing
OPT_dev  := -O1 -g
OPT_rel  := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OPT_tsan := -O1 -g -fsanitize=thread
OPT_cov  := -O0 -g --coverage
OPT_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined
LD_rel   := -pie -Wl,-z,relro,-z,now
LD_asan  := -fsanitize=address,undefined
LD_tsan  := -fsanitize=thread
LD_cov   := --coverage
LD_fuzz  := -fsanitize=address,undefined
ifeq ($(V),fuzz)
CC := clang
endif
CFLAGS_ALL = $(CSTD) $(WARN) $(OPT_$(V)) $(CFLAGS)
# The agent (static, in the guest) and the preload library (inside QEMU) carry no sanitizer.
OPT_plain := -O2 -g -fno-stack-protector
Q := $(if $(V1),,@)

# ---- objects: one archive a folder ---------------------------------------------------------------
LIBDIRS := backend/base backend/api backend/vsock backend/vmm backend/image backend/guest \
	backend/events backend/rpc backend/snapshot backend/net backend/health backend/vm backend/record
objs     = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))
lib      = $(B)/$(subst /,-,$(1)).a
AGENT_SRC := $(wildcard agent/*.c)
TUI_SRC   := $(wildcard tui/*.c tui/cli/*.c tui/console/*.c tui/record/*.c)
RPL_SRC   := $(wildcard backend/replay/*.c)
DMN_SRC   := $(wildcard backend/daemon/*.c)
NET_SRC   := $(wildcard backend/net/keeper/*.c)
VSOCK_SRC := $(wildcard backend/vsock/*.c)

WIRE_O    := $(B)/agent/wire.o $(B)/agent/wire_payload.o
LIBS_TUI  := $(call lib,backend/record) $(call lib,backend/api) $(call lib,backend/base) $(WIRE_O)
LIBS_NET  := $(call lib,backend/net) $(call lib,backend/base)
LIBS_DMN  := $(call lib,backend/vm) $(call lib,backend/net) $(call lib,backend/snapshot) $(call lib,backend/rpc) $(call lib,backend/health) $(call lib,backend/guest) $(call lib,backend/image) \
	$(call lib,backend/vmm) $(call lib,backend/events) $(call lib,backend/api) $(call lib,backend/base) $(WIRE_O)

LIBS_RPL  := $(foreach d,record rpc events api base,$(call lib,backend/$(d))) $(WIRE_O)

PROGS := $(B)/vmdeck $(B)/vmdeckd $(B)/vmdeck-net $(B)/vmdeck-replay $(B)/vmdeck-agent $(B)/vmdeck-agent-host $(B)/vmdeck-vsock.so

all: $(PROGS) ## build everything (V=dev|rel|asan|tsan|cov|fuzz picks the variant)

# Goals that only start another make, or build nothing, must run before pkg-config is installed.
NO_BUILD := deps run test test-unit test-asan check check-layers check-sizes format check-format bench \
	fuzz soak clean help uninstall screenshots recording
ifneq ($(filter-out $(NO_BUILD),$(or $(MAKECMDGOALS),all)),)
-include $(PKGCFG)
endif
$(PKGCFG): Makefile
	@mkdir -p $(@D)
	@pkg-config --exists --print-errors $(PKGS_BACKEND) $(PKGS_NET) $(PKGS_TUI) || { echo "run 'make deps' first" >&2; exit 1; }
	@{ echo "LDLIBS_BACKEND := $$(pkg-config --libs $(PKGS_BACKEND)) -lev -lm -lpthread"; \
	   echo "LDLIBS_NET := $$(pkg-config --libs $(PKGS_NET)) -lev -lm -lpthread"; \
	   echo "LDLIBS_TUI := $$(pkg-config --libs $(PKGS_TUI)) -lev -lm -lpthread"; \
	   echo "CFLAGS_PKG := $$(pkg-config --cflags $(PKGS_BACKEND) $(PKGS_NET) $(PKGS_TUI) | sed 's/-I/-isystem /g')"; } > $@.tmp
	@mv $@.tmp $@

$(B)/%.o: %.c | $(PKGCFG)
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CFLAGS_ALL) $(CFLAGS_PKG) -MMD -MP -c -o $@ $<

$(B)/plain/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $< (plain)"
	$(Q)gcc $(CSTD) $(WARN) $(OPT_plain) -MMD -MP -c -o $@ $<

$(B)/pic/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $< (pic)"
	$(Q)gcc $(CSTD) $(WARN) $(OPT_plain) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

define lib_rule
$(call lib,$(1)): $(call objs,$(1))
	@echo "  AR   $$(@F)"
	$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach d,$(LIBDIRS),$(eval $(call lib_rule,$(d))))

$(B)/vmdeckd: $(DMN_SRC:%.c=$(B)/%.o) $(LIBS_DMN)
	@echo "  LD   $(@F)"
	$(Q)$(CC) $(LD_$(V)) -o $@ $^ $(LDLIBS_BACKEND)

$(B)/vmdeck-net: $(NET_SRC:%.c=$(B)/%.o) $(LIBS_NET)
	@echo "  LD   $(@F)"
	$(Q)$(CC) $(LD_$(V)) -o $@ $^ $(LDLIBS_NET)

$(B)/vmdeck-replay: $(RPL_SRC:%.c=$(B)/%.o) $(LIBS_RPL)
	@echo "  LD   $(@F)"
	$(Q)$(CC) $(LD_$(V)) -o $@ $^ $(LDLIBS_BACKEND)

$(B)/vmdeck: $(TUI_SRC:%.c=$(B)/%.o) $(LIBS_TUI)
	@echo "  LD   $(@F)"
	$(Q)$(CC) $(LD_$(V)) -o $@ $^ $(LDLIBS_TUI)

$(B)/vmdeck-agent: $(AGENT_SRC:%.c=$(B)/plain/%.o)
	@echo "  LD   $(@F) (static)"
	$(Q)gcc -static -s -o $@ $^

# The same agent as an ordinary program of this host, sanitized in V=asan: tests without a VM.
$(B)/vmdeck-agent-host: $(AGENT_SRC:%.c=$(B)/%.o)
	@echo "  LD   $(@F)"
	$(Q)$(CC) $(LD_$(V)) -o $@ $^

$(B)/vmdeck-vsock.so: $(VSOCK_SRC:%.c=$(B)/pic/%.o)
	@echo "  LD   $(@F)"
	$(Q)gcc -shared -Wl,-z,relro,-z,now,-z,defs -o $@.tmp $^ -lpthread -ldl && mv $@.tmp $@

# The console without a terminal, over many rows: part `rows` of the bench.
$(B)/bench-rows: $(B)/tests/bench/rows.o $(patsubst %.c,$(B)/%.o,$(wildcard tui/console/*.c tui/record/*.c)) $(LIBS_TUI)
	@echo "  LD   $(@F)"
	$(Q)$(CC) $(LD_$(V)) -o $@ $^ $(LDLIBS_TUI)

# ---- tests ---------------------------------------------------------------------------------------
# tests/unit/test_X.c -> $(B)/tests/test_X; links the archives it names in `// LIBS: a b` (any of
# base api vsock vmm image guest health events rpc vm, in link order) and `// OBJS: path.c` objects (`*` too).
TESTBIN   := $(B)/testbin
DIEBIN    := $(B)/diebin
UNIT_SRC  := $(wildcard tests/unit/test_*.c)
UNIT_BIN  := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)
unit_line  = $(shell sed -n 's|^// $(2): *||p' $(1))
define unit_rule
$(B)/tests/$(notdir $(1:.c=)): $(B)/$(1:.c=.o) $(addprefix $(B)/backend-,$(addsuffix .a,$(call unit_line,$(1),LIBS))) $(patsubst %.c,$(B)/%.o,$(wildcard $(call unit_line,$(1),OBJS))) $(WIRE_O)
	@mkdir -p $$(@D)
	@echo "  LD   tests/$$(@F)"
	$(Q)$$(CC) $$(LD_$$(V)) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) -lcmocka $$(LDLIBS_TUI) $$(LDLIBS_BACKEND)
endef
ifneq ($(filter unit $(B)/tests/%,$(MAKECMDGOALS)),)
$(foreach t,$(UNIT_SRC),$(eval $(call unit_rule,$(t))))
endif
unit: $(UNIT_BIN) $(B)/tests/pane_feed $(B)/tests/udp_echo $(TESTBIN)/vmdeckd $(DIEBIN)/vmdeckd ## build the unit tests only

# The daemon with a driver that needs no VM (tests/support/vmm_process.c), beside links to the other
# programs, for tests through VMDECK_LIBEXEC.
$(TESTBIN)/vmdeckd: $(DMN_SRC:%.c=$(B)/%.o) $(B)/tests/support/vmm_process.o $(LIBS_DMN)
	@mkdir -p $(@D)
	@echo "  LD   testbin/vmdeckd"
	$(Q)$(CC) $(LD_$(V)) -o $@ $^ $(LDLIBS_BACKEND)
	@for p in vmdeck-agent vmdeck-agent-host vmdeck-net vmdeck-replay vmdeck-vsock.so; do ln -sf ../$$p $(@D)/$$p; done

# The daemon that ends itself at the step of a flow that it is told (tests/support/flow_die.c).
$(DIEBIN)/vmdeckd: $(DMN_SRC:%.c=$(B)/%.o) $(B)/tests/support/flow_die.o $(LIBS_DMN)
	@mkdir -p $(@D)
	@echo "  LD   diebin/vmdeckd"
	$(Q)$(CC) $(LD_$(V)) -o $@ $^ $(LDLIBS_BACKEND)
	@for p in vmdeck-agent vmdeck-agent-host vmdeck-net vmdeck-replay vmdeck-vsock.so; do ln -sf ../$$p $(@D)/$$p; done

$(B)/tests/udp_echo: $(B)/plain/tests/support/udp_echo.o
	@mkdir -p $(@D)
	@echo "  LD   tests/udp_echo (static)"
	$(Q)gcc -static -s -o $@ $^

# Feeds a file into a pane of the console, for tests and measurements beside tmux.
PANE_FEED_O := $(patsubst %.c,$(B)/%.o,$(wildcard tui/console/pane*.c tui/console/grid*.c tui/console/scroll_*.c \
	tui/console/paint*.c tui/console/theme.c tui/console/theme_file.c) tui/console/guard.c tui/console/glyphs.c tui/console/colour.c \
	tui/console/spots.c tui/console/guard_params.c \
	tui/console/layout.c tui/console/keys.c)
$(B)/tests/pane_feed: $(B)/tests/support/pane_feed.o $(PANE_FEED_O) $(call lib,backend/base)
	@mkdir -p $(@D)
	@echo "  LD   tests/pane_feed"
	$(Q)$(CC) $(LD_$(V)) -o $@ $^ $(LDLIBS_TUI)

# ---- the two commands, and what they need ----------------------------------------------------------
# Packages come first: on a fresh machine nothing below can start without them.
define install_missing
missing=$$(for p in $(1); do echo $$p; done | sort >build.want; dpkg-query -W -f '$${db:Status-Status} $${Package}\n' $(1) 2>/dev/null | sed -n 's/^installed //p' | sort | comm -13 - build.want | tr '\n' ' '; rm -f build.want); \
if [ -n "$$missing" ]; then \
	echo "installing: $$missing"; \
	get="$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends install $$missing"; \
	$$get >/dev/null 2>&1 || { $(SUDO) apt-get -qq update && $$get >/dev/null; } || { echo "could not install: $$missing" >&2; exit 1; }; \
fi
endef
deps: ## install the packages that are missing (apt; sudo when not root)
	@$(call install_missing,$(DEPS))

run: deps ## build, make the default image, open the console (without a terminal: a tour in plain text)
	@$(MAKE) --no-print-directory all
	@if [ -t 0 ] && [ -t 1 ]; then $(B)/vmdeck image build mini && exec $(B)/vmdeck; else exec $(B)/vmdeck tour; fi

test: deps ## all tests: units, real processes, real VMs; ends with "N passed, N failed"
	@$(MAKE) --no-print-directory all unit
	@python3 tests/run.py --build $(B)

test-unit: ## unit tests only
	@$(MAKE) --no-print-directory all unit
	@python3 tests/run.py --build $(B) --only unit

test-asan: ## the tests without a VM under ASan and UBSan
	@$(MAKE) --no-print-directory V=asan all unit
	@python3 tests/run.py --build build/asan --no-vm

check: deps ## test, test-asan, check-layers, check-sizes, lint, check-format
	@$(call install_missing,$(DEPS_CHECK))
	@$(MAKE) --no-print-directory check-layers check-sizes check-format lint test-asan test check-docs

check-layers: ## prove that includes point one way only
	@python3 tests/check_layers.py

docs: all ## write the tables of README.md and the manual pages from the programs
	@python3 tests/docs.py --build $(B)

check-docs: all ## fail when the tables of README.md and the manual pages are not what the programs say
	@python3 tests/docs.py --check --build $(B)

screenshots: deps ## show the recorded session in the console and write screenshots/*.svg (and .png with rsvg-convert)
	@$(MAKE) --no-print-directory all
	@python3 tests/screens/screens.py --build $(B) --svg screenshots

recording: deps ## real VMs do what the screens show: writes tests/screens/session.rec.xz anew (then: screens-update)
	@$(MAKE) --no-print-directory all
	@python3 tests/screens/record.py --build $(B)

screens: all ## compare the console's screens of the recorded session with tests/screens/*.txt
	@python3 tests/screens/screens.py --build $(B)

screens-update: all ## take the present screens over into tests/screens/*.txt
	@python3 tests/screens/screens.py --build $(B) --update

check-sizes: ## prove that files and functions are small
	@python3 tests/check_sizes.py

CSOURCES := $(shell find agent backend tui tests -name '*.[ch]' 2>/dev/null)
lint: $(PKGCFG) ## cppcheck, clang-tidy, shellcheck
	# resourceLeak: cppcheck does not know scoped cleanup; the analyzer below and LeakSanitizer do.
	cppcheck --quiet --enable=warning,portability --inline-suppr --error-exitcode=1 --suppress=missingIncludeSystem \
		--suppress=resourceLeak --suppress=ctuuninitvar -j2 -I. agent backend tui
	printf '%s\n' $(filter agent/%.c backend/%.c tui/%.c,$(CSOURCES)) | xargs -P2 -n8 sh -c \
		'clang-tidy --quiet "$$@" -- $(CSTD) $(CFLAGS_PKG) 2>/dev/null' tidy
	shellcheck .ci/run

format: ## clang-format all sources
	@clang-format -i $(CSOURCES)

check-format: ## fail when clang-format would change something
	@clang-format --dry-run -Werror $(CSOURCES)

bench: deps ## measure against bare QEMU in the same run; prints ratios
	@$(MAKE) --no-print-directory V=rel all build/rel/bench-rows build/rel/tests/pane_feed
	@python3 tests/bench/run.py --build build/rel

soak: deps ## the console under sanitizers in a storm of keys, sizes and events (MINUTES=30 SEED=)
	@$(MAKE) --no-print-directory V=asan all
	@python3 tests/soak/soak.py --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED))

fuzz: ## run each fuzzer for 60 s
	@$(MAKE) --no-print-directory V=fuzz fuzz-all

FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
define fuzz_rule
build/fuzz/$(notdir $(1:.c=)): build/fuzz/$(1:.c=.o) $(addprefix build/fuzz/backend-,$(addsuffix .a,$(call unit_line,$(1),LIBS))) $(patsubst %.c,build/fuzz/%.o,$(call unit_line,$(1),OBJS)) $(WIRE_O)
	@echo "  LD   $$(@F)"
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) -lcmocka $$(LDLIBS_BACKEND)
endef
ifeq ($(V),fuzz)
$(foreach t,$(FUZZ_SRC),$(eval $(call fuzz_rule,$(t))))
endif
fuzz-all: $(FUZZ_SRC:tests/fuzz/%.c=build/fuzz/%)
	@for f in $^; do mkdir -p build/fuzz/corpus-$$(basename $$f); $$f -max_total_time=$(or $(FUZZ_TIME),60) -print_final_stats=0 build/fuzz/corpus-$$(basename $$f) || exit 1; done

install: all ## install below PREFIX (/usr/local), honouring DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/vmdeck $(DESTDIR)$(PREFIX)/share/vmdeck/themes
	install -m 755 $(B)/vmdeck $(B)/vmdeckd $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(B)/vmdeck-agent $(B)/vmdeck-net $(B)/vmdeck-replay $(B)/vmdeck-vsock.so $(DESTDIR)$(PREFIX)/lib/vmdeck
	install -m 644 themes/*.theme $(DESTDIR)$(PREFIX)/share/vmdeck/themes
	for s in 1 5 8; do install -d $(DESTDIR)$(PREFIX)/share/man/man$$s && \
		install -m 644 tui/man/*.$$s $(DESTDIR)$(PREFIX)/share/man/man$$s || exit 1; done

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/vmdeck $(DESTDIR)$(PREFIX)/bin/vmdeckd
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/man/,man1/vmdeck.1 man5/vmdeck.conf.5 man8/vmdeckd.8)
	rm -rf $(DESTDIR)$(PREFIX)/lib/vmdeck $(DESTDIR)$(PREFIX)/share/vmdeck

-include $(shell find $(B) -name '*.d' 2>/dev/null)

clean: ## remove build outputs (not the home of the VMs)
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

.PHONY: all unit clean help deps run test test-unit test-asan check check-layers check-sizes lint format \
	check-format bench soak fuzz fuzz-all install uninstall docs check-docs screenshots recording screens screens-update
