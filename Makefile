# Every command of the project; `make help` lists them. A machine needs Node >= 20 and npm, nothing
# else: Bun, the linter and the compiler come with `npm ci`, which runs when something is missing.

BUN       := node_modules/.bin/bun
BIOME     := node_modules/.bin/biome
INSTALLED := node_modules/.package-lock.json
ROUNDS    ?= 20
SCENARIO  ?= p2p-50-50-qos1

.DEFAULT_GOAL := help
# Whatever builds, builds in dist/: one after the other, also with -j.
.NOTPARALLEL:
.PHONY: help install run test soak check format build build-node clean
.PHONY: dist test-targets size-table emulators
.PHONY: deb test-packages package-tools
.PHONY: image openwrt release bench bench-quick profile config-reference spec-table

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: install ## start the broker on 127.0.0.1:1883; ARGS="--listen HOST:PORT ..."
	@exec $(BUN) src/main.ts serve $(ARGS)

test: install ## run everything, as CI does; SUITES="sim golden" runs only those
	@$(BUN) test/run.ts $(SUITES)

soak: install ## the same suites with ROUNDS=20 times the random rounds
	@MINNOW_ROUNDS=$(ROUNDS) $(BUN) test/run.ts $(SUITES)

check: install ## types, lint and the tidy rules only
	@$(BUN) test/run.ts types lint tidy

format: install ## format the sources and apply the linter's safe fixes
	@$(BIOME) check --write

build: install ## compile this machine's executable to dist/minnow
	@$(BUN) targets/executable.ts

build-node: install ## bundle the program for Node >= 20 to dist/node/minnow.mjs
	@$(BUN) targets/node.ts

dist: install ## build archives of all targets, or of TARGET=..., to dist/, with sums and SBOMs
	@$(BUN) targets/dist.ts $(if $(LEVEL),--level=$(LEVEL)) $(TARGET)

# Everything from dist/, each in a place that has nothing but what its file in targets/ says. Some
# ten minutes; "make test" tries three targets of its own making.
test-targets: emulators dist ## build all targets, or TARGET=..., and try each of them
	@MINNOW_DIST=dist $(if $(TARGET),MINNOW_TARGET='$(TARGET)') \
		$(BUN) test ./test/targets/dist.test.ts ./test/install/real.test.ts

size-table: install ## measure what dist/ holds, and write the table into README.md
	@$(BUN) targets/size-table.ts

emulators:
	@.ci/install qemu-user-static libc6-arm64-cross g++-arm-linux-gnueabihf xz-utils \
		mosquitto-clients

deb: install ## package minnow for Debian, to dist/minnow_*.deb; ARCH="amd64 arm64 armhf"
	@$(BUN) targets/debian/build.ts $(ARCH)

# Installs, upgrades and removes it in a Debian of its own, under systemd, which takes root.
test-packages: package-tools deb ## make Debian packages, and see one live and go under systemd
	@MINNOW_PACKAGES=dist $(BUN) test ./test/packages/debian.test.ts

package-tools:
	@.ci/install systemd-container debootstrap lintian binutils python3

image: install ## make one container image of what is in dist/, for all platforms, in dist/image
	@$(BUN) targets/image/build.ts

openwrt: install ## package what is in dist/ for OpenWrt, to dist/openwrt; ARGS=ARCHITECTURE
	@$(BUN) openwrt/build.ts $(ARGS)

release: dist deb openwrt image ## build all that people are given, and gather it in dist/release
	@$(BUN) targets/release.ts

# The executable is what people run, so it is what is measured. The report: dist/bench/report.html.
bench: build ## compare brokers side by side in at most 15 minutes; ARGS="..."
	@$(BUN) bench/main.ts --program dist --seconds 1 --minutes 14 \
		--peer minnow-async --peer minnow-sync --peer mosquitto --once aedes --once nats \
		--html dist/bench/report.html --json dist/bench/report.json $(ARGS)

bench-quick: build ## the same in two minutes: fewer scenarios, one short run
	@$(BUN) bench/main.ts --program dist --quick \
		--html dist/bench/quick.html --json dist/bench/quick.json $(ARGS)

profile: install ## processor profile and flame graph; SCENARIO=p2p-50-50-qos1 ARGS="..."
	@$(BUN) bench/profile.ts --scenario $(SCENARIO) $(ARGS)

config-reference: install ## write docs/CONFIG.md from the configuration schema
	@$(BUN) src/main.ts config --reference > docs/CONFIG.md.new
	@mv docs/CONFIG.md.new docs/CONFIG.md

spec-table: install ## fill docs/SPEC.md with the tests that show each statement
	@$(BUN) test/conformance/spec-table.ts

install: $(INSTALLED) ## install what is missing; every target above does it by itself
	@$(BUN) --version > /dev/null 2>&1 || node node_modules/bun/install.js

# npm may have been told to run no install scripts (then the rule above finishes what bun's would
# have done) or to leave out development packages (which is where Bun is: ask for them by name).
$(INSTALLED): package-lock.json
	npm ci --include=dev --include=optional --no-audit --no-fund
	@touch $@

clean: ## remove everything that was installed or built
	rm -rf node_modules dist
