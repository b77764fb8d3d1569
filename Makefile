# `make demo` and `make test` do all their own set-up; everything is installed into .venv.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Installed first, so that no other requirement brings a second, larger build of it.
TORCH ?= torch==2.13.0
# One thread each for BLAS and OpenMP: the arrays are small, and the test files use the cores themselves.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MPLBACKEND=Agg
CHECK := check taox-1t1r-128 --rows 8 --cols 4 --seed 7 --out demo-results
DEMO := bench kws --quick --card ideal-5bit --card taox-1t1r-128 --chips 10 --out demo-results --force

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench clean ngspice

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install everything into .venv (the other targets do it by themselves)

demo: $(READY) ngspice ## spoken keywords on two kinds of chip, a macro against ngspice; all into demo-results/
	@$(BIN)/aimc $(DEMO)
	@if command -v ngspice >/dev/null; then echo; $(BIN)/aimc $(CHECK); fi

test: $(READY) lint ngspice ## linters, type check, tests
	@$(ONE_THREAD) $(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadfile

ngspice:
	@if ! command -v ngspice >/dev/null || ! ldconfig -p 2>/dev/null | grep -q libngspice; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ngspice libngspice0 >/dev/null || \
	      echo "ngspice could not be installed, so checks against SPICE are left out"; \
	  elif ! command -v ngspice >/dev/null; then \
	    echo "ngspice is missing, so checks against SPICE are left out: sudo apt-get install ngspice"; fi; fi

lint: $(READY) ## import rules, ruff, pyright
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/pyright

bench: $(READY) ## the speed questions of benchmarks/speed, one after the other
	@for question in benchmarks/speed/*.py; do echo "== $$question"; $(ONE_THREAD) $(BIN)/python "$$question" || exit 1; done

clean: ## remove .venv, caches and what the demo wrote
	rm -rf .venv build dist demo-results .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find aimc tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "aimc needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1): make PYTHON=python3.11"; exit 1; }
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; \
	  else echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 1; fi; fi
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv .venv
	@echo "installing into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip install -q --upgrade pip
	@$(BIN)/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' || $(BIN)/pip install -q $(TORCH)
	@$(BIN)/pip install -q -e '.[torch,speech,spice,text,dev]'
	@touch $@
