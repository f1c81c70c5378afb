# The commands of this project. A fresh machine needs make and Python 3.11, 3.12 or 3.13; nothing else.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
ROUND ?=

.PHONY: help
help:
	@echo "make demo [ROUND=FILE]  run a round through the whole path and show what happened"
	@echo "make up   [ROUND=FILE]  the same, and leave Airflow running until Ctrl-C"
	@echo "make test               run the tests"
	@echo "make check              lint, types, import contracts, lock files; edits nothing"
	@echo "make fix                format and repair what can be repaired"
	@echo "make bench              measure, as ratios in one run"
	@echo "make rules              write docs/rules.md from the decision tables"
	@echo "make mutants            change the rules one by one and see whether a test notices"
	@echo "make lock               resolve the dependencies anew"

# ---------------------------------------------------------------------------------- installation

.venv/installed: requirements.lock requirements.bootstrap.lock pyproject.toml .ci/install
	@.ci/install

.PHONY: install
install: .venv/installed

# ------------------------------------------------------------------------------------- commands

.PHONY: demo up test check fix bench rules mutants lock clean
demo: .venv/installed
	@$(BIN)/python -m dtm_sharing.demo $(if $(ROUND),--round-file "$(ROUND)")

up: .venv/installed
	@$(BIN)/python -m dtm_sharing.demo --stay $(if $(ROUND),--round-file "$(ROUND)")

test: .venv/installed
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/dtm-sharing schema --check policies/schemas >/dev/null
	@if grep -n '://' requirements*.lock; then echo "a lock file names a host" >&2; exit 1; fi
	@$(BIN)/dtm-sharing fmt --check policies >/dev/null
	@$(BIN)/dtm-sharing seal --check policies >/dev/null
	@$(BIN)/dtm-sharing test policies --coverage-min 100 --prove >/dev/null
	@$(BIN)/dtm-sharing validate policies

fix: .venv/installed
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
	@$(BIN)/dtm-sharing schema policies/schemas
	@$(BIN)/dtm-sharing fmt policies

bench: .venv/installed
	@$(BIN)/python -m tests.bench $(ARGS)

rules: .venv/installed
	@$(BIN)/python -m tests.spec.document

mutants: .venv/installed
	@$(BIN)/python -m tests.mutation $(ARGS)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header
lock: .venv/installed
	@$(COMPILE) --upgrade --group dev pyproject.toml -o requirements.lock
	@$(COMPILE) --group production -c requirements.lock pyproject.toml -o requirements.production.lock
	@awk '/^uv==/ {on=1; print; next} /^[a-z]/ {on=0} on' requirements.lock > requirements.bootstrap.lock

clean:
	@rm -rf .venv .demo .bench .mutants
