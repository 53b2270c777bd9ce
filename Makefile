# make demo | test | check …   `make` alone lists them. Needs python3 >= 3.11 and make; the rest goes into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -u -m pip install --disable-pip-version-check --no-input --constraint constraints.txt --editable
# One line that says how far the installation is; errors and warnings come on their own, from stderr.
PROGRESS = awk -v all="$$(grep -c == constraints.txt)" -v tty="$$([ -t 1 ] && echo 1 || echo 0)" \
	'/^(Collecting|Processing) / { n++; \
	   if (tty) printf "\r\033[K  %s", substr(sprintf("%d of at most %d: %s", n, all, $$2), 1, 76); fflush() } \
	 /^Installing collected/ { if (tty) printf "\r\033[K"; print "  " n + 0 " packages to install"; fflush() } \
	 /^The conflict is caused by/ { conflict = 1 } conflict { print } \
	 END { if (tty) printf "\r\033[K" }'

# pip says so for each package that a local index lacks.
MUTE = 2> >(grep -v 'neither a file nor a directory' >&2)

.PHONY: help demo test test-all check docs format bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo: .venv/.installed ## a live system on the flights of New York 2013, from nothing
	@$(BIN)/trimtab demo

test: .venv/.installed-dev ## the whole test suite, but for what takes minutes
	@$(BIN)/python -m pytest

test-all: .venv/.installed-dev ## the whole test suite
	@$(BIN)/python -m pytest -m "slow or not slow"

check: .venv/.installed-dev ## style, types, layers, generated pages
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/generate_docs.py --check

docs: .venv/.installed-dev ## write the pages that are made from the code
	@$(BIN)/python tools/generate_docs.py

format: .venv/.installed-dev ## let ruff format, and mend what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: .venv/.installed-dev ## durable steps beside Prefect and ZenML; takes long, loads the machine
	@$(BIN)/python -m benchmarks.steps.run

lock: ## resolve all dependencies anew and write constraints.txt
	@./tools/lock $(PYTHON)

clean: ## remove .venv and what tools have left; keeps .trimtab
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.made:
	@command -v $(PYTHON) >/dev/null \
	  || { echo "make: no '$(PYTHON)' found; install Python 3.11 or newer, or: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: $$($(PYTHON) -V) is too old; Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

# Editable, so that neither stamp depends on the sources.
.venv/.installed: .venv/.made pyproject.toml constraints.txt
	@echo "Installing into .venv (a minute or two)"
	@$(INSTALL) '.[flights]' $(MUTE) | $(PROGRESS)
	@touch $@

.venv/.installed-dev: .venv/.made pyproject.toml constraints.txt
	@echo "Installing into .venv, with the tools for development (a minute or two)"
	@$(INSTALL) '.[dev]' $(MUTE) | $(PROGRESS)
	@touch .venv/.installed $@
