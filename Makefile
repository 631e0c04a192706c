# Apus: `make run` starts a broker, `make test` proves it. The scripts in scripts/ do the work; this file names it.

SWIFT ?= swift
PYTHON ?= /usr/bin/python3
DATA ?= data
API ?= http://127.0.0.1:18083
FUZZ_SECONDS ?= 30
CRASH_KILLS ?= 300
BENCH_ROUNDS ?= 5
BENCH_SECONDS ?= 3
BENCH_PEERS ?= mosquitto,nats
BENCH_WORKLOADS ?=
BENCH_SESSIONS ?= 1000000
BENCH_MINUTES ?= 5
BENCH_MICRO ?=
BENCH_OPTIONS ?=
# Whether there is a terminal changes the compiler's flags otherwise, and everything would be compiled anew.
STEADY = --no-color-diagnostics
export SWIFT PYTHON

.PHONY: help run build test unit third-party management crash bench asan tsan fuzz lint conformance clean

help: ## list the goals
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

run: build ## start the message service on loopback
	@.build/release/apus serve --data $(DATA) --api $(API)

build: ## build the release binary, Swift runtime linked statically
	@scripts/bootstrap build
	@$(SWIFT) build $(STEADY) -c release --static-swift-stdlib --product apus

test: ## everything: build, unit, wire, third-party, management and crash tests, lint, conformance, a little fuzzing
	@scripts/test

unit: ## build the tests and run the Swift ones only
	@scripts/test build unit

third-party: ## real clients against the debug binary
	@scripts/test build third-party

management: ## the vendor's SDKs against the debug binary
	@scripts/test build management

crash: ## the long crash test: CRASH_KILLS times kill -9 on the debug binary
	@scripts/test build
	@scripts/crash --kills $(CRASH_KILLS)

bench: build ## measure the parts, and Apus beside other brokers; Benchmarks/README.md tells the settings
	@$(SWIFT) build $(STEADY) -c release --static-swift-stdlib --product ApusMicrobench
	@Benchmarks/micro.py $(BENCH_MICRO)
	@Benchmarks/compare.py --rounds $(BENCH_ROUNDS) --seconds $(BENCH_SECONDS) --peers "$(BENCH_PEERS)" \
		--workloads "$(BENCH_WORKLOADS)" --sessions $(BENCH_SESSIONS) --minutes $(BENCH_MINUTES) $(BENCH_OPTIONS)

asan: ## the Swift tests under the address sanitizer
	@scripts/sanitize address

tsan: ## the Swift tests under the thread sanitizer
	@scripts/sanitize thread

fuzz: ## the fuzz targets, FUZZ_SECONDS each, beginning with the saved corpus
	@scripts/fuzz $(FUZZ_SECONDS)

lint: ## formatting, and the rules of this repository
	@scripts/lint

conformance: ## write the conformance tables anew and say what is missing
	@scripts/check-conformance --write

clean: ## remove what was built
	@rm -rf .build .build-asan .build-tsan .build-fuzz .pytest_cache
