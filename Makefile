# The project's habits. `make` alone lists them. CONTRIBUTING.md tells when to use which.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test build release check check-selftest fmt bench bench-faithful bench-peers bench-memory docs interop \
	fuzz install deb clean-machine packages

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DESTDIR ?=
# Finds the toolchain or says what to do.
SWIFT := Tools/swift.sh swift
# The Swift runtime goes into the programs: a smaller footprint and nothing to install beside them.
RELEASE := -c release --static-swift-stdlib
# All tests run in one process: at once they would hold more files open than a shell allows. A crash is told shortly:
# the backtrace of a process with so many threads can hang.
TEST_LIMITS := SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=8 SWIFT_BACKTRACE=enable=no
SWIFT_SOURCES := Sources Tests Package.swift

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: packages ## Teach the embedded model a new word while its daemon runs, and look at the pictures
	@Tools/demo/demo.sh

test: packages ## Run all tests (debug build)
	$(SWIFT) build --build-tests -j $(JOBS)
	$(TEST_LIMITS) $(SWIFT) test --skip-build --parallel

build: packages ## Build for work on the code (debug)
	$(SWIFT) build -j $(JOBS)

release: packages ## Build the programs as they are installed
	$(SWIFT) build $(RELEASE) -j $(JOBS) --product inversion
	$(SWIFT) build $(RELEASE) -j $(JOBS) --product inversiond

check: packages ## Check format, sizes, layers, docs and habits (seconds, nothing is built)
	@Tools/check/all.sh

check-selftest: packages ## Show that each check can fail
	@Tools/swift.sh python3 Tools/check/selftest.py

fmt: ## Format the Swift sources in place
	$(SWIFT) format --in-place --recursive --parallel --configuration .swift-format $(SWIFT_SOURCES)

bench: release ## Measure the README's table again (ONLY=picture measures one part)
	$(SWIFT) build $(RELEASE) -j $(JOBS) --product KernelBenchmark
	@python3 Benchmarks/bench.py $(addprefix --only ,$(ONLY))

bench-faithful: release ## Measure how close the embedded model's int8 package is to its f32 weights
	$(SWIFT) build $(RELEASE) -j $(JOBS) --product FaithfulBenchmark
	@Benchmarks/faithful.sh

bench-peers: packages ## Time other engines on the same weights (TASK=training SIZE=256 THREADS=1 ONLY=engine)
	$(SWIFT) build $(RELEASE) -j $(JOBS) --product EngineBenchmark
	@Benchmarks/peers/setup.sh
	@python3 Benchmarks/peers/bench.py $(addprefix --task ,$(TASK)) $(addprefix --size ,$(SIZE)) \
	  $(addprefix --threads ,$(THREADS)) $(if $(ONLY),--only '$(ONLY)')

# WHAT says what COMMAND does, DATA names the files that it reads.
MODEL ?= $(or $(INVERSION_PEERS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/inversion-peers)/models/sd15
DATA ?= $(MODEL)
WHAT ?= text, two guided steps, two decoded pictures, 512x512
COMMAND ?= .build/release/EngineBenchmark $(MODEL) --size 512 --runs 1 --memory-budget {limit} --json

bench-memory: ## Run a command inside limits of memory (MODEL=package, or COMMAND='...{limit}' WHAT=name DATA=files)
	@python3 Benchmarks/memory.py --save --what '$(WHAT)' $(foreach limit,none 500 300 200 128,--limit $(limit)) \
	  $(addprefix --cache ,$(CACHE)) --data $(DATA) -- $(COMMAND)

docs: ## Renew the generated parts of the docs and check every path in them
	@python3 Benchmarks/table.py --write README.md docs/*.md
	@python3 Tools/check/docs.py

interop: packages ## Test the files against the real diffusers library (a venv of its own)
	@Tools/interop/run.sh

SECONDS ?= 60
fuzz: packages ## Fuzz every parser of bytes from outside for SECONDS each (PARSER=zip fuzzes one)
	@Tools/fuzz/run.sh $(SECONDS) $(PARSER)

install: ## Install programs, units, model and docs under DESTDIR/PREFIX (run make release first)
	@Tools/install.sh "$(DESTDIR)" "$(PREFIX)"

deb: ## Make a Debian package of it in .build (run make release first)
	@Tools/deb.sh

clean-machine: ## Run the demo and the tests in a fresh minimal Debian 12 (needs root and debootstrap)
	@Tools/check/clean-machine.sh

packages:
	@Tools/install-packages.sh
