# What a person types. `make demo` and `make test` need Debian with Python 3.11 or newer, nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# two for each of two processors: the tests of real processes mostly wait
WORKERS ?= 4

# hundreds of short programs are started here: compiled anew each time, they take twice as long
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help venv demo deb test test-faults test-lan lint bench bench-lan bench-scale lock clean

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

venv: $(READY)  ## make .venv from the lock file, when it or pyproject.toml has changed

$(READY): requirements.lock pyproject.toml deploy/venv.sh
	@PYTHON="$(PYTHON)" deploy/venv.sh $(VENV)
	@touch $@

demo: $(READY)  ## five workstations on this machine, a real application, a real rollout
	@$(BIN)/roundsman demo $(DEMO)

deb: $(READY)  ## the agent as a Debian package, in build/
	@deploy/deb.sh $(BIN)/python

test: $(READY)  ## every test, with branch coverage
	@deploy/desktop.sh "$(BIN)/python"
	@rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/coverage run -m pytest -p tests.again -n $(WORKERS) --dist worksteal $(TESTS) \
		|| $(BIN)/python -m tests.again $$?
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --fail-under=90
	@$(BIN)/coverage json -q -o - | $(BIN)/python deploy/branches.py 90

test-faults: $(READY)  ## kill, fill and break the disk under the steps of an update; as root (FAULTS=all)
	@command -v strace >/dev/null || { apt-get update -q && apt-get install -qy strace; }
	@$(BIN)/python -m tests.diskfaults

test-lan: $(READY)  ## an office of virtual Debian workstations, and trouble on its wires; as root (LAN=all)
	@tests/lan/prepare.sh
	@$(MAKE) --no-print-directory deb
	@rm -f build/faults.jsonl
	@export ROUNDSMAN_LAN=1; set -x; \
		$(BIN)/python -m pytest -p tests.again $(if $(filter all,$(LAN)),,-m "not thorough") $(or $(TESTS),tests/lan) \
		|| $(BIN)/python -m tests.again $$?
	@$(if $(filter all,$(LAN)),$(BIN)/python -m tests.lan.faults)

lint: $(READY)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)  ## the figures that are promised, as a table and in build/bench.json
	@mkdir -p build
	@$(BIN)/python -m tests.bench

bench-lan: $(READY)  ## the race on virtual Debian workstations beside a script, Ansible, pyinfra; as root (HOSTS="5 20")
	@tests/lan/prepare.sh
	@$(MAKE) --no-print-directory deb
	@$(BIN)/python -m tests.lan.race $(ROWS)

bench-scale: $(READY)  ## what 50, 200 and 1000 workstations take of a coordinator, as a table and build/scale.svg
	@mkdir -p build
	@$(BIN)/python -m tests.bench.scale

lock:  ## choose the newest admissible packages and write requirements.lock
	@PYTHON="$(PYTHON)" deploy/lock.sh

clean:  ## forget everything that was made here
	rm -rf $(VENV) build dist *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find agent coordinator tests -name __pycache__ -type d -exec rm -rf {} +
