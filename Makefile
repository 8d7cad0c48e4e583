# `make demo` and `make test` need Python, make and nothing else: each creates the
# virtual environment .venv where it is missing and installs what it needs into it.

PYTHON ?= python3
BIN := .venv/bin
REQUIRED := import sys; sys.exit(sys.version_info < (3, 11))
# A stamp says that an installation is newer than the files that describe it.
RUN := .venv/installed-run
DEV := .venv/installed-dev
DOCS := .venv/installed-docs
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt --editable

.PHONY: demo test browser docs lint types format clean

demo: $(RUN)  ## train three recurrent networks and a feedforward one, side by side
	$(BIN)/python examples/demo.py

test: $(DEV)  ## the tests, without those marked slow or browser
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

browser: $(DEV)  ## the tests of pages, in the Chromium of this machine
	$(BIN)/python -m pytest -m browser

docs: $(DOCS)  ## the documentation, warnings as errors
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --builder html docs docs/_build/html

lint: $(DEV)  ## style, format, and which room may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache  # a stale cache has accused the innocent

types: $(DEV)  ## the type checker in its strict mode
	$(BIN)/pyrefly check

format: $(DEV)  ## put every file into its one form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## everything that make, the tests and the demo have made
	rm -rf .venv build dist docs/_build docs/generated runs
	rm -rf .hypothesis .pytest_cache .ruff_cache .import_linter_cache
	find src tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): $(BIN)/pip pyproject.toml constraints.txt
	@echo "Installing throughtime into .venv (a few minutes the first time: torch is large)"
	$(INSTALL) .
	@touch $@

$(DEV): $(BIN)/pip pyproject.toml constraints.txt
	@echo "Installing throughtime and its test tools into .venv (a few minutes the first time: torch is large)"
	$(INSTALL) ".[dev]"
	@touch $@ $(RUN)

$(DOCS): $(BIN)/pip pyproject.toml constraints.txt
	@echo "Installing throughtime and its documentation tools into .venv"
	$(INSTALL) ".[docs]"
	@touch $@ $(RUN)

# pip is the last thing that `venv` writes: a .venv without it is made again.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name yours:" >&2; \
	  echo "make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@$(PYTHON) -c "$(REQUIRED)" || { \
	  echo "throughtime needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv
