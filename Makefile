# Signpost's commands. `make` alone lists them; CI calls only these.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
SETUP := $(VENV)/.signpost-setup
DEV := $(VENV)/.signpost-dev
BENCHES := $(filter-out %/__init__.py,$(sort $(wildcard tests/bench/*.py)))
PEERS := .signpost/cache/peers
PEERS_READY := $(PEERS)/.signpost-peers
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

.PHONY: help setup check test up bench trace clean distclean lock

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(SETUP) ## make the virtual environment in .venv (quick when it is there)

up: $(SETUP) ## run everything here: Kafka, the services, a demo university, a term; Ctrl-C stops it
	@exec $(BIN)/signpost up

check: $(DEV) ## style, types, import rules, and the tests that need no server (a minute or two)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTHON) -m pytest --numprocesses auto tests/unit tests/contracts tests/architecture

test: $(DEV) ## all tests; they start every server that they need
	@$(PYTHON) -m tests.support.prepare
	@SIGNPOST_TEST_STEPS=$${SIGNPOST_TEST_STEPS:-100000} $(PYTHON) -m pytest \
		--numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 12

bench: $(DEV) $(PEERS_READY) ## measure; each writes its figures to build/bench/NAME.json
	@mkdir -p build/bench
	@set -e; for bench in $(basename $(notdir $(BENCHES))); do $(PYTHON) -m tests.bench.$$bench; done

trace: $(DEV) ## show each requirement of the policy with its register entry, code and tests
	@$(PYTHON) -m tests.support.trace

clean: ## forget the local run, so that the next `make up` begins anew (downloads are kept)
	@for file in .signpost/pids/*.pid .signpost/*/broker.pid; do \
		pid=$$(cut -d ' ' -f 1 "$$file" 2>/dev/null); \
		if [ -n "$$pid" ] && kill -0 "$$pid" 2>/dev/null; then \
			echo "Signpost is still running (process $$pid): stop it first, with Ctrl-C where it runs." >&2; \
			exit 1; \
		fi; \
	done
	@if [ -d .signpost ]; then find .signpost -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +; fi
	@rm -rf build

distclean: clean ## forget everything that was made or downloaded here, the virtual environment too
	@rm -rf .signpost $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*

lock: $(DEV) ## pin all dependencies anew, after a change of pyproject.toml
	$(COMPILE) pyproject.toml --extra local --output-file requirements.lock
	$(COMPILE) pyproject.toml --extra local --extra dev --output-file requirements-dev.lock
	$(COMPILE) tests/bench/peers/requirements.in --output-file requirements-bench.lock

$(SETUP): requirements.lock pyproject.toml deploy/local/setup.sh
	@sh deploy/local/setup.sh $(VENV) requirements.lock
	@touch $@

# Holds all that the other has, so one installation serves both.
$(DEV): requirements-dev.lock pyproject.toml deploy/local/setup.sh
	@sh deploy/local/setup.sh $(VENV) requirements-dev.lock
	@touch $(SETUP) $@

# What Signpost is measured beside; it never meets the environment that Signpost runs in.
$(PEERS_READY): requirements-bench.lock tests/bench/peers/requirements.in deploy/local/setup.sh
	@sh deploy/local/setup.sh $(PEERS) requirements-bench.lock
	@touch $@
