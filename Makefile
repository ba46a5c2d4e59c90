# One target a chore; people and CI run the same ones.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
WEB    := controllers/globalmanager/web
# What an installation builds the page from.
PAGE   := hatch_build.py $(wildcard $(WEB)/*.json $(WEB)/*.ts $(WEB)/*.html $(WEB)/.npmrc) $(shell find $(WEB)/src $(WEB)/public -type f 2>/dev/null)
ARGS   ?=

.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml $(PAGE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

install: $(STAMP)  ## make .venv with everything in it

demo: $(STAMP)  ## run the whole loop on real boards, five minutes at most (ARGS="--json out.json")
	$(BIN)/sedna demo $(ARGS)

page: $(STAMP)  ## build the page anew, or say why that fails
	PAGE_BUILD=require $(BIN)/pip install --quiet --no-deps --editable .

test: $(STAMP)  ## unit and integration tests
	$(BIN)/pytest -n 2 --dist worksteal -m "not e2e and not kubernetes" $(ARGS)

coverage: $(STAMP)  ## the same, with the lines that no test reaches; a quarter slower
	$(MAKE) test ARGS="--cov --cov-report=term:skip-covered $(ARGS)"

test-postgres: $(STAMP)  ## the service's tests on a real PostgreSQL (Debian's package, or SEDNA_TEST_POSTGRES=URL)
	SEDNA_TEST_DB=postgresql $(BIN)/pytest -n 2 --dist worksteal -m "not e2e" tests/globalmanager $(ARGS)

e2e: $(STAMP)  ## whole-service tests, some minutes
	$(BIN)/pytest -m "e2e and not kubernetes and not browser" $(ARGS)

page-test: $(STAMP)  ## types and unit tests of the page
	$(BIN)/python .ci/page.py types test

e2e-browser: $(STAMP)  ## the page in Debian's Chromium (SEDNA_TEST_SHOTS=FOLDER keeps screenshots)
	$(BIN)/python .ci/page.py packages
	$(BIN)/pytest -m browser $(ARGS)

e2e-kubernetes: $(STAMP)  ## the same on a real cluster: that of KUBECONFIG, or one that is started
	$(BIN)/pytest -m "kubernetes and not faults" $(ARGS)

faults: $(STAMP)  ## kill parts of a cluster of our own while jobs learn, SEDNA_TEST_FAULTS (12) times
	$(BIN)/pytest -m faults -s $(ARGS)

lint: $(STAMP)  ## style and common mistakes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy

layers: $(STAMP)  ## who may import whom
	$(BIN)/lint-imports

check: lint types layers  ## everything that reads the code without running it

format: $(STAMP)  ## rewrite to the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

crds: $(STAMP)  ## write deploy/crds from the models (ARGS=--check: only compare)
	PYTHONPATH=deploy:lib:controllers $(BIN)/python -m crdgen $(ARGS)

chart: crds  ## copy into the chart what it holds of deploy/
	rm -rf deploy/charts/sedna/files
	mkdir -p deploy/charts/sedna/files
	cp -r deploy/crds deploy/dashboards deploy/charts/sedna/files/

wheel: $(STAMP)  ## build the distribution into dist/
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean:  ## remove what the targets made, .venv apart
	rm -rf dist build htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find lib controllers deploy tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help install demo page test coverage test-postgres e2e page-test e2e-browser e2e-kubernetes faults lint types layers check format crds chart wheel clean
