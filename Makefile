# Needs Python 3.11 or newer with venv and pip, and make; `check` and `format` also need npm. Everything installed goes
# into .venv and node_modules; everything written, into var.

SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
NODE_BIN := node_modules/.bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow fuzz mutants faults check format bench dist docs clean

help:
	@echo "make demo       start the review desk with example traces; PORT, STORE_PORT and DATA_DIR are heeded"
	@echo "make test       the tests on SQLite, a browser included; those of the database on PostgreSQL too"
	@echo "make test-slow  the tests that make test leaves out, since each takes many seconds; on both databases too"
	@echo "make fuzz       send 20,000 generated inputs each to the store, the API and every form; EXAMPLES is heeded"
	@echo "make mutants    change the code in small ways and name what no test notices; SAMPLE, MINUTES and ALL are heeded"
	@echo "make faults     kill and misbehave for half an hour on both databases; writes docs/faults.md"
	@echo "make check      style, types, floors, templates, front end, migrations"
	@echo "make format     put code, front end and templates in the one style that check asks for"
	@echo "make bench      measure, and compare with the last recorded run; ONLY, JSON=1 and RECORD=1 are heeded"
	@echo "make docs       build the documentation as a site in build/site"
	@echo "make dist       build a wheel with templates and static files in build/wheel; it has the command review-desk"
	@echo "make clean      remove what make made; your data in var stays"

# exec: Ctrl-C reaches the program itself, which ends its parts in order.
demo: .venv/.installed
	@exec $(BIN)/python manage.py demo

# SQLite last, since it runs most tests: its closing line is the one that stays in sight.
# As many at a time as there are cores, each with databases and servers of its own. Both parts run, whichever fails.
PYTEST := $(BIN)/pytest --numprocesses=auto --dist=worksteal
test: .venv/.installed-dev
	@code=0; $(PYTEST) --database=postgres || code=1; $(PYTEST) || code=1; exit $$code

test-slow: export FUZZ_ALL := 1
test-slow: .venv/.installed-dev
	@code=0; $(PYTEST) -m "slow or fuzz" --database=postgres || code=1; $(PYTEST) -m "slow or fuzz" || code=1; exit $$code

fuzz: export FUZZ_EXAMPLES := $(or $(EXAMPLES),20000)
fuzz: .venv/.installed-dev
	@$(BIN)/pytest -m fuzz --numprocesses=auto

mutants: .venv/.installed-mutants
	@nice -n 10 $(BIN)/python -m tests.mutants --sample=$(or $(SAMPLE),30) --minutes=$(or $(MINUTES),120) $(if $(ALL),--all)

faults: .venv/.installed-dev
	@$(BIN)/python -m tests.faults.report

check: export DATA_DIR := .venv/check
check: .venv/.installed-dev node_modules/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	find templates -name '*.html' -exec $(BIN)/djade --check --target-version 5.2 {} +
	$(NODE_BIN)/biome check --error-on-warnings
	$(NODE_BIN)/tsc
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

format: .venv/.installed-dev node_modules/.installed
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	$(NODE_BIN)/biome check --write
	find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 {} + || true

bench: .venv/.installed-dev
	@$(BIN)/python -m benchmarks all $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json) $(if $(RECORD),--record)

# Served over http, the site loads nothing of other hosts.
docs: .venv/.installed-docs
	@DATA_DIR=build/docs NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# From clean folders: what an older build left in them would be in the wheel too.
dist: .venv/.installed
	@rm -rf build/dist build/lib build/wheel
	@DATA_DIR=build/dist $(BIN)/python manage.py collectstatic --verbosity=0 --no-input
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir=build/wheel .
	@ls build/wheel/*.whl

clean:
	rm -rf .venv node_modules build *.egg-info test-results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=...")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable .
	@touch $@

.venv/.installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable '.[dev]'
	@touch .venv/.installed $@

.venv/.installed-mutants: pyproject.toml constraints.txt | .venv/.installed-dev
	$(PIP) --editable '.[mutants]'
	@touch $@

.venv/.installed-docs: pyproject.toml constraints.txt | .venv/.installed
	$(PIP) --editable '.[docs]'
	@touch $@

node_modules/.installed: package.json package-lock.json .npmrc
	@command -v npm >/dev/null || { echo "npm is needed to check the front end: install Node.js 18 or newer with npm." >&2; exit 1; }
	@npm ci --silent
	@# Not in the lock file: some of its optional packages for other systems cannot be had, which npm ci refuses.
	@npm install --silent --no-save --no-package-lock @lmnr-ai/lmnr@0.8.46
	@touch $@
