# Kizuna: set up, run, check, test. `make help` lists what there is to do.
#
# The set-up is a chain of stamp files, each written last by its step: a step is done again when an input of it
# changes, and one that was interrupted starts over. Each stamp lies inside the folder that it vouches for.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= data/kizuna.sqlite3
export HOST PORT DATA

# Node, unlike pip, knows no certificates but its own; a company's network needs those that the machine trusts.
NODE_EXTRA_CA_CERTS ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)
export NODE_EXTRA_CA_CERTS

# What one process of the tests has compiled, the others need not.
export PYTHONDONTWRITEBYTECODE :=

VENV_PYTHON := .venv/bin/python
WHEEL_TOOLS := .venv-wheel
STEP := $(PYTHON) tools/setup/step.py
# Packages are compiled as they are imported: most of what the tests install, nobody imports.
INSTALL := -m pip --disable-pip-version-check --no-input --retries 2 install --no-compile
PIP := $(VENV_PYTHON) $(INSTALL)
# Never the machine's own Node, and deaf to the settings of the user's own npm. A mirror: npm_config_registry=...
NPM := .venv/bin/npm --userconfig=/dev/null --cache=.venv/npm-cache --loglevel=error \
  --fetch-retries=1 --fetch-retry-mintimeout=1000

# What `make deploy` understands; only what is said on its command line counts, nothing that the environment holds.
DEPLOY_WORDS := STACK ORIGINS SIGN_IN SECRET JWKS_URL AUDIENCE ISSUER STAGE RATE_LIMIT RATE_BURST RATE_BURST_NEW \
  TYPING_SECONDS HELLO_LIMIT ASK_LIMIT MOST_CONNECTIONS TOKEN_LIMIT TICKET_LIMIT REQUESTS_PER_SECOND REQUESTS_BURST \
  CONCURRENCY TABLE_READS TABLE_WRITES BUDGET_MAIL BUDGET LOG_DAYS LOG_ROLE ALARM_TOPIC BUCKET CONFIG PACKAGE TEMPLATE

# Tests of one file share pages and servers, so a file stays in one process. ARGS="-n 0": all in one.
# One process more than processors: tests in browsers wait a third of their time.
PARALLEL = -n $$($(PYTHON) -c 'import os; print(min(os.cpu_count() + 1, 5))') --dist loadfile --no-loadscope-reorder
# Each process measures what its own unit tests reach; pytest-cov adds the processes up at the end of the run.
# Part of the tests reaches part of the code, so with ARGS nothing is measured.
COVERAGE := $(if $(strip $(ARGS)),,--cov --cov-report=)

DEEP := KIZUNA_DEEP=1 $(VENV_PYTHON) -m pytest --dist loadfile --no-loadscope-reorder -o timeout=3000

PACKAGES := .venv/.packages
PROJECT := .venv/.project
TEST_PACKAGES := .venv/.test-packages
RUNTIME := static/vendor/.stamp
# Folders count as well: a file that is gone changes its folder.
SITE := dist/local/index.html
SITE_INPUTS := index.html static/config.json backend/local/static_files.py backend/local/content_policy.py $(wildcard tools/build/*.*) \
  $(shell find app static/boot static/css static/i18n static/icons -name __pycache__ -prune -o -print)

GROUPED = awk 'BEGIN {FS = ":.*\#\# "} /^\#\#@/ {print "\n" substr($$0, 5)} /^[a-z0-9-]+:.*\#\# / {printf "  %-14s %s\n", $$1, $$2}'

.DEFAULT_GOAL := help
.NOTPARALLEL:
# What is spelled out below is no file; files are named by variables.
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help:  ## List the commands
	@$(GROUPED) $(MAKEFILE_LIST)
	@printf '\nSettable: PORT=%s HOST=%s DATA=%s PYTHON=%s; for tests ARGS="-n 0 -k name"\n' "$(PORT)" "$(HOST)" "$(DATA)" "$(PYTHON)"

##@ Every day

run: setup $(SITE)  ## Set up and build what is missing or has changed, then serve the built page
	@exec $(VENV_PYTHON) -m backend.server --root dist/local

dev: setup  ## Serve the source tree; open pages show what was changed
	@exec $(VENV_PYTHON) -m backend.server --root . --dev

example: setup  ## Run an example of the library, server and page from one command (NAME=todo)
	@exec $(VENV_PYTHON) -m tools.examples $(or $(NAME),todo)

test: test-tools  ## Set up, then lint, types, unit tests, end-to-end tests, coverage
	@$(VENV_PYTHON) -m pytest $(PARALLEL) $(COVERAGE) $(ARGS)
	@$(if $(COVERAGE),$(MAKE) --no-print-directory coverage-gate)

unit: setup-test dynamodb-local  ## The tests that need no browser
	@$(VENV_PYTHON) -m pytest $(PARALLEL) -m "not e2e" --ignore tests/test_checks.py --ignore tests/cloud $(ARGS)

e2e: setup-test browsers ministack quick-versions  ## The tests in real browsers
	@$(VENV_PYTHON) -m pytest $(PARALLEL) -m e2e $(ARGS)

check: setup-test  ## Lint, formatting, types
	@$(VENV_PYTHON) -m ruff check --output-format concise
	@$(VENV_PYTHON) -m ruff format --check
	@.venv/bin/lint-imports --no-cache --no-logo
	@$(VENV_PYTHON) -m mypy

fix: setup-test  ## Let ruff mend what it can: imports, formatting
	@$(VENV_PYTHON) -m ruff check --fix --quiet || true
	@$(VENV_PYTHON) -m ruff format

files:  ## Write the list of files in pyscript.toml
	@$(PYTHON) tools/build/page_files.py

clean:  ## Delete all that the set-up and the tests made (not the data)
	@rm -rf .venv .venv-lock $(WHEEL_TOOLS) node_modules static/vendor dist
	@rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage htmlcov test-results

##@ Before a release

# Half an hour of faults in real time begins at once, beside all the rest; what it says follows at the end.
SLOW := tests/e2e/reliability
test-deep: test-tools versions  ## The long forms of the tests as well: before a release, and each night
ifneq ($(strip $(ARGS)),)
	@$(DEEP) -n 4 $(ARGS)
else
	@mkdir -p test-results
	@$(DEEP) -n 0 $(SLOW) > test-results/slow.txt 2>&1 & \
	$(DEEP) -n 3 --ignore $(SLOW); rest=$$?; wait $$!; slow=$$?; cat test-results/slow.txt; exit $$(( rest + slow ))
	@$(VENV_PYTHON) -m tests.mutation --changed
endif

chaos: setup-test browsers  ## 400 faults on real pages, some ten minutes (FAULTS=40 SEED=4711: fewer, the same again)
	@KIZUNA_DEEP=1 FAULTS="$(FAULTS)" SEED="$(SEED)" $(VENV_PYTHON) -m pytest -n 0 -s tests/e2e/chaos/test_chaos.py -k long_plan

coverage: setup-test  ## Which lines and branches of library and chat their unit tests reach
	@$(VENV_PYTHON) -m pytest $(PARALLEL) --cov --cov-report= -q tests/kizuna tests/chat
	@$(MAKE) --no-print-directory coverage-gate

coverage-gate:
	@$(VENV_PYTHON) -m coverage report --include "app/kizuna/*" --fail-under 100
	@$(VENV_PYTHON) -m coverage report --include "app/chat/*" --fail-under 98

mutation: setup-test  ## Are the tests of the pure core good enough? (many minutes; ARGS="--module backoff --sample 50")
	@$(VENV_PYTHON) -m tests.mutation $(ARGS)

build: setup  ## Build the site for any static host in dist/site (ARGS="--config my.json --host chat.example.org")
	@$(VENV_PYTHON) -m tools.build.site $(ARGS)

# Hatchling is all that they need: that of the set-up, or where there is none, one in an environment of its own.
HATCHLING := $(if $(wildcard .venv/.packages),$(VENV_PYTHON),$(WHEEL_TOOLS)/bin/python) -m hatchling build --clean
HATCHLING_INSTALLED := $(if $(wildcard .venv/.packages),,$(WHEEL_TOOLS)/.packages)
SIZES = wc -c $(1) | awk '$$2 != "total" {print $$2 ": " $$1 " bytes"}'

wheel: $(HATCHLING_INSTALLED)  ## Build the library's wheel in dist/, in seconds, also where nothing is set up
	@$(STEP) "Building the wheel in dist" $(HATCHLING) --target wheel
	@$(call SIZES,dist/kizuna-*.whl)

dist: $(HATCHLING_INSTALLED)  ## Build what a release publishes in dist/: wheel and sdist
	@$(STEP) "Building wheel and sdist in dist" $(HATCHLING) --target wheel --target sdist
	@$(call SIZES,dist/kizuna-*.whl dist/kizuna-*.tar.gz)

docs: setup-test  ## Build the library's documents as a site in dist/docs
	@$(VENV_PYTHON) -m tools.reports.library
	@$(STEP) "Building the site in dist/docs" $(VENV_PYTHON) -m sphinx --fail-on-warning --keep-going --quiet \
	  -d dist/doctrees docs/library dist/docs

package: setup-test  ## Build the zip that Lambda runs, in dist/
	@$(VENV_PYTHON) -m tools.package $(ARGS)

deploy: setup-test  ## Put the backend on AWS (STACK=kizuna ORIGINS=https://chat.example.org ...)
	@$(VENV_PYTHON) -m tools.deploy $(foreach word,$(DEPLOY_WORDS),$(if $(filter command,$(firstword $(origin $(word)))),$(word)='$($(word))'))

lock: $(PACKAGES)  ## Pin anew what requirements/*.in and package.json ask for (UPGRADE=--upgrade: the newest of all)
	@$(STEP) "Making a virtual environment in .venv-lock" $(PYTHON) -m venv --clear .venv-lock
	@$(STEP) "Installing uv" .venv-lock/bin/python -m pip install uv==0.13.8
	@for list in run build wheel test docs aws ministack jupyterlite; do \
	  $(STEP) "Pinning requirements/$$list.txt" .venv-lock/bin/uv pip compile --universal --python-version 3.11 \
	    --generate-hashes --no-strip-extras --no-header --no-annotate $(UPGRADE) requirements/$$list.in -o requirements/$$list.txt || exit; \
	done
	@$(STEP) "Pinning requirements/notebook.txt" .venv-lock/bin/uv pip compile --python-platform wasm32-pyodide2024 --python-version 3.14 \
	  --generate-hashes --no-strip-extras --no-header --no-annotate $(UPGRADE) requirements/notebook.in -o requirements/notebook.txt
	@$(STEP) "Pinning package-lock.json" $(NPM) install --package-lock-only --ignore-scripts --no-audit --no-fund
	@rm -rf .venv-lock

##@ Reports, written into docs/

stats:  ## Lines of Python by folder
	@$(PYTHON) tools/checks/stats.py

diagrams: setup-test  ## Draw states and packages anew, into docs/
	@$(VENV_PYTHON) -m tools.reports.diagrams
	@$(VENV_PYTHON) -m tools.reports.packages

screenshot: setup-test browsers  ## Take the README's picture anew
	@$(VENV_PYTHON) -m tests.reports.screenshot

FETCH_PEERS := test -d node_modules/react-virtuoso || \
  $(STEP) "Fetching esbuild and React" $(NPM) ci --include=dev --ignore-scripts --no-audit --no-fund

bench: setup-test  ## What one event costs, in Pyodide and on CPython, into docs/benchmarks.md
	@$(VENV_PYTHON) -m tests.reports.bench.event_cost --write $(ARGS)

bench-fanout: setup-test  ## How long one frame takes to many connections, into docs/benchmarks.md (a minute)
	@$(VENV_PYTHON) -m tests.reports.bench.fanout --write $(ARGS)

bench-library: setup-test browsers  ## What the library costs beside js.WebSocket, and its import, into docs/benchmarks.md (minutes; ARGS="--before COMMIT")
	@$(VENV_PYTHON) -m tests.reports.bench.library --write $(ARGS)

bench-start: setup-test browsers  ## How long the page takes to start, into docs/benchmarks.md (half an hour; ARGS="--rounds 3")
	@$(FETCH_PEERS)
	@$(VENV_PYTHON) -m tests.reports.bench.start --write $(ARGS)

bench-messages: setup-test browsers  ## What floods of messages do to the page, into docs/benchmarks.md (an hour; ARGS="--counts 100,1000")
	@$(FETCH_PEERS)
	@$(VENV_PYTHON) -m tests.reports.bench.messages --write $(ARGS)

attacks: setup-test browsers  ## What each attack costs somebody else, into docs/attacks.md (minutes; ARGS="--only typing")
	@$(VENV_PYTHON) -m tests.reports.attacks --write $(ARGS)

reliability: setup-test browsers  ## Each fault in each engine, into docs/reliability.md (half an hour; ENGINE=webkit ONLY="reset fin")
	@KIZUNA_DEEP=1 WRITE=1 ONLY="$(ONLY)" $(VENV_PYTHON) -m pytest -n 0 -s tests/e2e/reliability -k "no_fault_costs and $(or $(ENGINE),fault)"

simulations: setup-test  ## A week under each profile, a storm of 100,000 clients (many minutes; ARGS="--clients 2000")
	@$(VENV_PYTHON) -m tests.reports.simulated.week --write
	@$(VENV_PYTHON) -m tests.reports.simulated.week --options five-retries --write
	@$(VENV_PYTHON) -m tests.reports.simulated.storm --write $(ARGS)

compat: browsers versions  ## Try the library in each Pyodide and PyScript it supports, into docs/library/versions.md (a quarter of an hour)
	@KIZUNA_DEEP=1 WRITE=1 $(VENV_PYTHON) -m pytest -n 0 tests/e2e/compat

scaling: setup-test  ## Compute docs/scaling.md anew from quotas and prices
	@$(VENV_PYTHON) -m tools.reports.scaling --write

##@ Set-up, which the others do by themselves

setup: $(PROJECT) $(RUNTIME)  ## What `make run` needs: packages, PyScript, Pyodide

setup-test: setup $(TEST_PACKAGES)

# apt-get brings the browsers while pip and npm bring their packages; two apt-get would wait for each other.
test-tools: | doctor  ## All that `make test` needs
	@$(PYTHON) -m tools.setup.browsers & browsers=$$!; \
	$(MAKE) --no-print-directory setup-test ministack quick-versions; tools=$$?; wait $$browsers && exit $$tools
	@$(MAKE) --no-print-directory dynamodb-local

browsers: setup-test
	@$(VENV_PYTHON) -m tools.setup.browsers

dynamodb-local: setup-test
	@$(VENV_PYTHON) -m tools.setup.dynamodb_local

ministack: setup-test
	@$(VENV_PYTHON) -m tools.setup.ministack

quick-versions: setup-test
	@$(VENV_PYTHON) -m tools.setup.compat --quick

versions: setup-test
	@$(VENV_PYTHON) -m tools.setup.compat
	@$(VENV_PYTHON) -m tools.setup.jupyterlite

# For trying out: compressed in seconds instead of a minute. `make build` compresses as well as can be.
$(SITE): $(SITE_INPUTS) $(PROJECT) $(RUNTIME)
	@$(VENV_PYTHON) -m compileall -q app  # else the server does it, and the folders are newer than the site
	@$(STEP) "Building the page in dist/local" $(VENV_PYTHON) -m tools.build.site --quick --to dist/local

doctor:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "make: no $(PYTHON) here: install Python 3.11 or newer, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) tools/setup/doctor.py

$(PACKAGES): requirements/run.txt requirements/build.txt | doctor
	@$(STEP) "Making a virtual environment in .venv" $(PYTHON) -m venv --clear .venv
	@pwd -P >.venv/.made-for
	@$(STEP) "Installing the server's packages" $(PIP) --require-hashes -r requirements/run.txt -r requirements/build.txt
	@touch $@

$(WHEEL_TOOLS)/.packages: requirements/wheel.txt | doctor
	@$(STEP) "Making a virtual environment in $(WHEEL_TOOLS)" $(PYTHON) -m venv --clear $(WHEEL_TOOLS)
	@$(STEP) "Installing hatchling" $(WHEEL_TOOLS)/bin/python $(INSTALL) --require-hashes -r requirements/wheel.txt
	@touch $@

$(PROJECT): pyproject.toml $(PACKAGES)
	@$(STEP) "Installing Kizuna, editable" $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(TEST_PACKAGES): requirements/test.txt requirements/docs.txt $(PACKAGES)
	@$(STEP) "Installing the tools for checks, tests and documents" $(PIP) --require-hashes -r requirements/test.txt -r requirements/docs.txt
	@touch $@

$(RUNTIME): package.json package-lock.json .npmrc tools/build/vendor.py $(PACKAGES)
	@$(STEP) "Fetching PyScript and Pyodide" $(NPM) ci --omit=dev --ignore-scripts --no-audit --no-fund
	@$(STEP) "Copying the runtime into static/vendor" $(VENV_PYTHON) -m tools.build.vendor
	@touch $@
