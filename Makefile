# One word per job. Everything runs in .venv, made from the hashed requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := $(VENV)/.peers
MUTATOR := $(VENV)/.mutator
COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock"
ARGS ?=
# Compiled code is kept also where the environment says otherwise, as images do: the tests start hundreds of processes.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
# Two processes for each core (tests/conftest.py), four at most: each has servers of its own.
BESIDE = --numprocesses auto --maxprocesses 4 --dist worksteal
# Two at a time, those of a file in one process: they share the systems that they start.
IN_PAIRS = --numprocesses 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo run web console flower secrets test test-all coverage check docs client bench chaos explore mutants soak lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## run the main job on embedded defaults, about 30 s (ARGS=--forever: until Ctrl-C)
	@$(BIN)/python -m simulation.demo $(ARGS)

run: $(READY) ## start a worker and a beat against the real services, with the keys from .env
	@$(BIN)/python -m worker.processes.run

web: $(READY) ## start the ingress on 127.0.0.1:8080 (needs PARLEY_INGRESS__SOURCES__<NAME>__TOKEN)
	@$(BIN)/python -m worker.web

console: $(READY) ## open the console on 127.0.0.1:8081 (needs PARLEY_OPERATORS_FILE; parley operator add makes it)
	@PARLEY_INGRESS__ENABLED=false PARLEY_CONSOLE__ENABLED=true $(BIN)/python -m worker.web

flower: $(READY) ## open the dashboard on 127.0.0.1:5555 (needs PARLEY_FLOWER__PASSWORD, and workers with task events)
	@$(BIN)/python -m worker.processes.flower

secrets: ## make random passwords in deploy/secrets, for docker compose
	@deploy/make-secrets

test: $(READY) ## run the tests that need nothing but Python, about 4 min on two free cores (ARGS='-k order' and the like go to pytest)
	@$(PYTEST) $(BESIDE) -m 'not slow' $(ARGS)

# That ARGS chose none (5) is no failure.
test-all: $(READY) ## run these and all others, about 17 min: RabbitMQ, TLS, browser, compose, chaos ... as far as they are installed
	@$(PYTEST) $(BESIDE) -m 'not slow' $(ARGS); fast=$$?; $(PYTEST) -m 'slow and alone' $(ARGS); alone=$$?; \
	$(PYTEST) $(IN_PAIRS) -m 'slow and not alone' $(ARGS); slow=$$?; \
	for status in $$fast $$alone $$slow; do [ $$status -eq 0 ] || [ $$status -eq $(if $(ARGS),5,0) ] || exit $$status; done

coverage: $(READY) ## run the tests of worker/domain, pipeline and store, about 6 min: every branch there must be reached
	@$(PYTEST) $(BESIDE) --cov --cov-report term tests/worker/domain tests/worker/pipeline tests/worker/store \
		tests/worker/cli tests/worker/test_intake_terms.py $(ARGS)

check: $(READY) ## lint, format, types, direction of imports, length of modules, public names in tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=clients/python $(BIN)/lint-imports
	@$(BIN)/python tests/module_lengths.py
	@$(BIN)/python tests/private_names.py

docs: $(READY) ## build the docs site into build/site and check it: dead links, pages left out, anything from outside
	@$(BIN)/python -m docs_build

client: $(READY) ## copy the event models into clients/python, after worker/domain/events.py or what it needs has changed
	@PYTHONPATH=. $(BIN)/python clients/python/copy_events.py

bench: $(READY) $(PEERS) ## measure throughput and order, side by side with what one would use instead
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: $(READY) ## kill, freeze, cut and refuse everything for about 3 min; exit 0 when every promise held (ARGS='--seed 2')
	@$(BIN)/python -m simulation.chaos $(ARGS)

explore: $(READY) ## take the real scripts and turns through steps by chance for a minute; exit 0 when every promise held (ARGS='--seed 2')
	@$(BIN)/python -m simulation.explore $(ARGS)

mutants: $(READY) $(MUTATOR) ## change lines of the core, one at a time, and see whether tests fail; goes on where it was stopped (ARGS='--seconds 3600')
	@$(BIN)/python -m simulation.mutants $(ARGS)

soak: $(READY) ## the same with 100 000 messages, about 10 min; the figures of docs/ledger.md
	@$(BIN)/python -m simulation.chaos --seed 20261121 --messages 100000 --conversations 2500 --minutes 8.5 \
		--outage-seconds 75 $(ARGS)

lock: $(READY) ## compile requirements/*.txt from pyproject.toml
	@$(COMPILE) pyproject.toml --extra flower --extra encryption --extra web -o requirements/base.txt
	@$(COMPILE) pyproject.toml --extra flower --extra encryption --extra web --group simulation -o requirements/demo.txt
	@$(COMPILE) pyproject.toml --extra flower --extra encryption --extra web --group simulation --extra tracing --group dev \
		-o requirements/dev.txt
	@$(COMPILE) --group oracles --no-deps -o requirements/oracles.txt
	@$(COMPILE) --group bench -c requirements/dev.txt -o requirements/bench.txt
	@$(COMPILE) --group mutants -c requirements/dev.txt -o requirements/mutants.txt

clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .cache dist build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements/dev.txt requirements/oracles.txt
	@command -v $(PYTHON) >/dev/null || { echo "Parley needs Python 3.11 or newer: $(PYTHON) was not found"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Parley needs Python 3.11 or newer"; exit 1; }
	@echo "Installing into $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes \
		--target $(VENV)/oracles --upgrade -r requirements/oracles.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

# What Parley is compared with: nothing else needs it.
$(PEERS): requirements/bench.txt | $(READY)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

# What makes mutants: nothing else needs it.
$(MUTATOR): requirements/mutants.txt | $(READY)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	@touch $@
