# The commands of this project; other people's scripts use them, so their names are fixed.
# VAR_DIR (default var/) holds all state of a local run, PORT (default 8000) is the first of its ports;
# both come from the environment and have their defaults in the programs, since tests have others.

SHELL := /bin/bash
.DEFAULT_GOAL := help

ARGS ?=
ONLY ?=
PY := .venv/bin/python

.PHONY: help setup demo demo-once test test-servers check bench dev

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'
	@echo "  VAR_DIR=var PORT=8000 choose where a run keeps its state and the first of its ports"

setup: ## the virtual environment with the locked packages; quick when nothing changed
	@tools/setup.sh runtime

demo: setup ## everything on http://127.0.0.1:PORT with real data and models; Ctrl-C stops it
	@$(PY) -m demo.run

demo-once: setup ## the whole story, headless; exits 0 only if every step was true
	@$(PY) -m demo.run --once

test: ## everything the tests need, then all tests (ARGS="tests/audit -k merkle" goes to pytest)
	@tools/test.sh $(ARGS)

test-servers: ## the wire protocols against real model servers, each in its own environment
	@tools/setup.sh dev
	@$(PY) -m tests.servers $(ARGS)

check: ## lint, types, import contracts, migrations, deploy checks, templates
	@tools/setup.sh dev
	@$(PY) tools/check.py $(ONLY)

bench: ## the benchmarks, one JSON line per figure (ONLY=registry)
	@tools/setup.sh dev
	@$(PY) -m benchmarks $(ONLY)

dev: ## the application with reload on your own embedded services, without the story
	@tools/setup.sh dev
	@tools/dev.sh
