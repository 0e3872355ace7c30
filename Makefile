# One verb for each thing a person wants of this project. `make` alone lists them.
PYTHON ?= python3
SECONDS ?= 600
VENV ?= .venv
BIN := $(VENV)/bin
# Only what the lock names is installed, hashes checked; the project itself is linked in.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEV := $(VENV)/dev.stamp
RUN := $(VENV)/run.stamp

.DEFAULT_GOAL := help
.PHONY: help run demo tour test bench soak day check lock messages clean

help: ## List the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: $(RUN) ## Run the bot on Discord, with the settings in .env
	$(BIN)/python -m bot run

demo: $(DEV) ## Try it in the browser, without Discord and without a key
	$(BIN)/python -m bot demo

tour: $(DEV) ## Photograph every card, form and page anew, one minute (docs/tour.md)
	$(BIN)/python -m tests.browser.tour

test: $(DEV) ## Run all tests; ARGS=... goes to pytest
	$(BIN)/python -m pytest $(ARGS)

bench: $(DEV) ## Measure it against a bare bot, twenty minutes (bench/RESULTS.md)
	$(BIN)/python -m bench.run

soak: $(DEV) ## Storm for SECONDS (600): everything fails, nothing may be lost
	$(BIN)/python -m tests.flow.soak $(SECONDS)

day: $(DEV) ## A busy day of REQUESTS (1000) on a fast clock: all books must agree
	$(BIN)/python -m tests.flow.day $(REQUESTS)

check: $(DEV) ## Formatting, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

lock: $(DEV) ## Renew the locked versions 
	$(BIN)/uv pip compile --universal --generate-hashes --quiet --no-header --python-version 3.11 \
		--group build --extra sentry pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile --universal --generate-hashes --quiet --no-header --python-version 3.11 \
		--group build --group dev --extra sentry -c requirements/run.lock pyproject.toml -o requirements/dev.lock

messages: $(DEV) ## Collect the texts, and bring every language's catalogue up to them
	$(BIN)/python -m tests.catalogues

clean: ## Remove what the verbs above made
	rm -rf .venv .venv-newest .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Easel needs Python 3.11 or newer; say which: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEV): requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements/dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(DEV) $(RUN)

$(RUN): requirements/run.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements/run.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(RUN)
