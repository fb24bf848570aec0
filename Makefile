# Two commands: `make eval` drives the built-in expert over the smoke routes, `make test` runs the whole test suite.
# Both make the environment first and do nothing twice. PYTHON chooses the interpreter, 3.10 to 3.12; after a change of
# it, `make clean` first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: eval test lint bench clean

eval: $(VENV)/.core
	$(BIN)/python run_eval.py --routes smoke --agent expert

test: lint
	$(BIN)/python -m pytest -n auto --dist loadscope

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.core
	$(BIN)/python benchmarks/step.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# A stamp stands for an installed set of packages; it is older than pyproject.toml when they have changed.
$(VENV)/.core: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,view,train]'
	touch $@ $(VENV)/.core

$(BIN)/python:
	@$(PYTHON) -c 'import sys; (3, 10) <= sys.version_info[:2] <= (3, 12) or sys.exit( \
	  f"{sys.executable} is Python {sys.version.split()[0]}; CARLA has wheels for 3.10 to 3.12. Choose: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo 'No virtual environment could be made. On Debian and Ubuntu: sudo apt install python3-venv' >&2; exit 1; }
