# Two stamps: a user's environment holds what runs, a developer's also what tests. Both are pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo-company
SCALE ?= small

.DEFAULT_GOAL := help
.PHONY: help demo dev test lint test-portable test-ui stress bench clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-13s %s\n", $$1, $$2}'

demo: $(VENV)/.runtime  ## a demo company, a full import, the report (SCALE=small|medium|large)
	@$(BIN)/kimo demo --dir $(DEMO) --scale $(SCALE)

dev: $(VENV)/.runtime  ## the Dagster UI on the demo company's data
	@test -f $(DEMO)/kimo.yaml || $(BIN)/kimo demo --dir $(DEMO) --scale $(SCALE)
	@$(BIN)/kimo --config $(DEMO)/kimo.yaml dev

test: $(VENV)/.dev lint  ## the whole test suite
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not stress"

lint: $(VENV)/.dev  ## ruff, its formatter and mypy
	@$(BIN)/ruff format --check kimo_assets kimo_assets_tests benchmarks
	@$(BIN)/ruff check kimo_assets kimo_assets_tests benchmarks
	@$(BIN)/mypy

test-portable: $(VENV)/.dev  ## only what depends on the machine: its user, its Python, its folders
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m portable

test-ui: $(VENV)/.dev  ## only the tour of the UI in a real Chromium
	@$(BIN)/python -m pytest -q -m ui

stress: $(VENV)/.dev  ## long runs, not in the default suite
	@$(BIN)/python -m pytest -q -m stress

bench: $(VENV)/.dev  ## figures for docs/benchmarks.md, as ratios to a floor of the same run (SCALE=medium|large)
	@$(BIN)/python -m benchmarks

clean:  ## removes the environment and the demo company
	rm -rf $(VENV) $(DEMO)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another with make PYTHON=python3.12 ...")'
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing the pinned dependencies (a minute or two, once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev,ui,mysql,mssql,oracle,celery]'
	@touch $@
