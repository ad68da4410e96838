# Two commands matter: `make run` and `make test`. Both set up what they need on a machine that has
# nothing but make and Python 3.11 or newer. Stamp files make the second time fast.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --quiet --require-hashes
# The first interpreter that is 3.11 or newer and can make a virtual environment.
PYTHON := $(shell for each in python3.11 python3.12 python3.13 python3; do \
	$$each -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$each; break; }; done)

# What is checked, besides the package itself.
CODE := $(wildcard src tests examples bench formal hatch_build.py)

.PHONY: help run test check format formal bench bench-console bench-peers instructions conformance screenshots translations cluster-soak policy-keys docs fuzz ledger-fuzz lock clean

help:
	@echo "make run     set up, start Retinue with sample data, print a curl that works"
	@echo "make test    set up, run the checks and all tests"
	@echo "make check   format, lint, types, import contracts, architecture tests"
	@echo "make format  rewrite the code in the house's format"
	@echo "make formal  check the model of leases and receipts (needs spin and gcc)"
	@echo "make bench   measure (needs wrk for the load figures)"
	@echo "make bench-console  measure the console's pages in a large organization, on a quiet machine"
	@echo "make bench-peers  measure beside other systems, on a quiet machine; QUICK=1 shows that it works"
	@echo "make instructions  count the hot path's instructions (needs valgrind); REASON='...' records them"
	@echo "make conformance  show each requirement of the five systems, and write docs/reference/conformance.md"
	@echo "make screenshots  pictures of every page of the console, into docs/images"
	@echo "make translations  bring the texts that are marked into the German catalogue, and compile it"
	@echo "make cluster-soak  stop, kill and cut off processes for an hour while keys are revoked"
	@echo "make policy-keys  show that the tests of policy keys notice a key that does nothing"
	@echo "make fuzz    draw anew what tests draw, ROUNDS times (10)"
	@echo "make docs    check that the documents tell the truth"
	@echo "make package  build wheel and sdist, reproducibly; make package-check tries them"
	@echo "make sbom    list what is shipped (CycloneDX)"
	@echo "make site    build the documents that the control plane serves at /docs"
	@echo "make lock    write requirements/*.txt anew from pyproject.toml"
	@echo "make clean   remove what the other targets made (keeps retinue-data)"

run: $(VENV)/.run-stamp
	@exec $(BIN)/python examples/run.py

# The architecture tests are tests like the others, so `test` runs them once, with all the rest.
test: static
	$(BIN)/python -m tests.run

check: static
	$(BIN)/pytest -q tests/architecture

.PHONY: static
static: $(VENV)/.test-stamp
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

format: $(VENV)/.test-stamp
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(VENV)/.test-stamp
	$(BIN)/python bench/verify.py
	$(BIN)/python -m bench.writes
	$(BIN)/python -m bench.access
	$(BIN)/python -m bench.revoke

# The console's pages in a large organization, on each database; the tables go into the documents.
bench-console: $(VENV)/.test-stamp
	$(BIN)/python -m bench.console $(if $(QUICK),--quick)

# The peers have environments of their own, locked with hashes like everything else.
PEERS := .tools/peers
bench-peers: $(VENV)/.test-stamp $(PEERS)/python/.stamp $(PEERS)/openbao/.stamp $(if $(shell command -v npm),$(PEERS)/node/.stamp)
	$(BIN)/python -m bench.campaign $(if $(QUICK),--quick)

$(PEERS)/%/.stamp: bench/peers/%.txt | $(BIN)/python
	$(BIN)/python -m venv $(PEERS)/$*
	$(PEERS)/$*/bin/pip install --quiet --disable-pip-version-check --no-input --require-hashes -r $<
	@touch $@

# SQLite's binding is compiled here, against the headers of this machine's Node (Debian: libnode-dev, or nodejs).
$(PEERS)/node/.stamp: $(wildcard bench/peers/node/*)
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --silent
	cd $(@D) && npm_config_nodedir=$$(dirname "$$(dirname "$$(readlink -f "$$(command -v node)")")") \
		npm rebuild better-sqlite3 --build-from-source --silent
	@touch $@

# Part of `test` too: tests/bench. What grows by more than 3 % needs a reason, which is kept beside the number.
instructions: $(VENV)/.test-stamp
	$(BIN)/python -m bench.instructions --check $(if $(REASON),--record "$(REASON)")

# Part of `test` too: tests/formal runs the same checks.
formal:
	$(or $(PYTHON),python3) formal/check.py

conformance: $(VENV)/.test-stamp
	RETINUE_TEST_SNAPSHOT=write $(BIN)/pytest tests/conformance

# Pictures of every page of the console, to be looked at.
screenshots: $(VENV)/.test-stamp
	RETINUE_TEST_SNAPSHOT=write RETINUE_TEST_REQUIRE=chromium $(BIN)/pytest -q tests/browser/test_pages.py tests/browser/test_states.py

# New texts come without German, which is then written into locale/de; the second time compiles it.
translations: $(VENV)/.test-stamp
	$(BIN)/python -m tests.console.catalogue

# With the native lease; a third of the time on SQLite, on PostgreSQL, and behind a relay.
cluster-soak: $(VENV)/.test-stamp
	RETINUE_TEST_SECONDS=1170 RETINUE_TEST_LEASE_SECONDS=10 RETINUE_TEST_REQUIRE=postgres \
		$(BIN)/pytest -s tests/cluster/test_cluster.py

# With each key pinned to its default in turn, the test that shows what it does must fail.
policy-keys: $(VENV)/.test-stamp
	RETINUE_TEST_DATABASE=sqlite $(BIN)/python -m tests.architecture.pinned

docs: $(VENV)/.test-stamp
	$(BIN)/pytest -q tests/architecture/test_docs.py

# Wheel and sdist, the same bytes from the same commit wherever they are built.
.PHONY: package sbom package-check
package: $(VENV)/.test-stamp
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -t sdist -t wheel

# What a release consists of, as CycloneDX: the locked packages of retinue[all].
SBOM ?= dist/retinue.cdx.json
sbom: .tools/package/.stamp
	@mkdir -p $(dir $(SBOM))
	.tools/package/bin/cyclonedx-py requirements requirements/all.txt --pyproject pyproject.toml \
		--mc-type application --output-reproducible --output-file $(SBOM)

# Installs the wheel into an empty environment and runs the demo from it; checks what is for containers and systemd.
package-check: package sbom
	$(BIN)/pytest -q tests/examples/test_package.py tests/examples/test_deploy.py

.tools/package/.stamp: requirements/package.txt | $(BIN)/python
	$(BIN)/python -m venv .tools/package
	.tools/package/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/package.txt
	@touch $@

# The documents as the control plane serves them at /docs; an install makes them too.
.PHONY: site
site: $(VENV)/.test-stamp
	$(BIN)/python hatch_build.py src/retinue/server/site

# --- set-up ------------------------------------------------------------------------------------------

$(BIN)/python:
ifeq ($(PYTHON),)
	@echo "Python 3.11 or newer with the venv module is needed and was not found." >&2
	@echo "On Debian and Ubuntu: apt-get install python3-venv" >&2
	@exit 1
else
	$(PYTHON) -m venv $(VENV)
endif

$(VENV)/.run-stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	$(INSTALL) -r requirements/run.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test-stamp: requirements/test.txt pyproject.toml | $(BIN)/python
	$(INSTALL) -r requirements/test.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run-stamp

# --- lock --------------------------------------------------------------------------------------------

# The resolver itself is locked too; it never enters the environment that runs Retinue.
UV := .tools/uv/bin/uv
LOCK := $(UV) pip compile --generate-hashes --universal --python-version 3.11 --quiet \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"

$(UV): requirements/lock.txt | $(BIN)/python
	$(BIN)/python -m venv .tools/uv
	.tools/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
	@touch $@

# What tests draw, drawn anew in each of ROUNDS rounds: what fails is printed, to be repeated and mended.
ROUNDS ?= 10
fuzz: $(VENV)/.test-stamp
	for round in $$(seq $(ROUNDS)); do \
		RETINUE_TEST_DRAWS=anew $(BIN)/pytest -q tests/property tests/machine tests/unit tests/node/test_bodies.py \
			tests/node/test_fuzz.py tests/node/test_heads.py tests/invariants/test_inv5_narrow.py \
			tests/storage/test_merkle_tree.py tests/api/test_cursors.py tests/api/test_cursor_lists.py; done

# 100,000 exports of an audit log that somebody has touched; minutes.
ledger-fuzz: $(VENV)/.test-stamp
	RETINUE_TEST_CORRUPTIONS=100000 $(BIN)/pytest -q tests/property/test_audit_log_fuzz.py

lock: $(UV)
	$(LOCK) pyproject.toml --extra all --group build --group test --output-file requirements/test.txt
	$(LOCK) pyproject.toml --extra all --group build --constraint requirements/test.txt --output-file requirements/run.txt
	$(LOCK) pyproject.toml --extra all --constraint requirements/test.txt --output-file requirements/all.txt
	$(LOCK) --group package --output-file requirements/package.txt
	$(LOCK) --group lock --output-file requirements/lock.txt
	$(LOCK) bench/peers/python.in --output-file bench/peers/python.txt
	$(LOCK) bench/peers/openbao.in --output-file bench/peers/openbao.txt

clean:
	rm -rf $(VENV) .tools build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
