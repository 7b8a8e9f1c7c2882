# What a developer types. Everything runs in .venv, which the first target that needs it makes.
#
#   make demo            the sample forest, from authoring to a corpus
#   make mask            the demo, and on its corpus a small model, a mask, and whether it jumps (brings torch)
#   make test            lint, types, import contracts, then the tests (ARGS='-k walk' goes to pytest)
#   make lint            the same without the tests
#   make format          rewrite the code in the project's format
#   make setup           only make .venv
#   make lock            resolve requirements/*.txt again (UPGRADE=1: take newer versions)
#   make docs            rewrite the generated pages of docs/
#   make bench           run the benchmarks
#   make clean           remove what the targets above made
#
# PYTHON=python3.12 picks the interpreter; without it the first one that runs and is new enough wins.

SHELL := /bin/sh
.DEFAULT_GOAL := help
# One .venv, so one thing at a time.
.NOTPARALLEL:
.DELETE_ON_ERROR:
# Where this is set, every process would compile every module it imports again.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
STAMPS := .venv/.setup
SETUP := sh scripts/setup.sh

# Every extra but `gemma-270m`, which has terms of its own: what is shipped is tested.
# With torch these are gigabytes, which `make demo` does not need.
DEV_EXTRAS := datasets embed embed-table gguf local-neo4j parquet plot quantize ray rdf tensorboard \
  tokens train zstd

.PHONY: help
help:
	@sed -n 's/^#   \(make .*\)/\1/p' Makefile

# A stamp is written last, so a set-up that was cut short leaves none and is done again. A .venv that
# no longer runs, or was made by another Python than the one asked for, is out of date too.
ifneq ($(shell $(SETUP) current '$(PYTHON)'),yes)
.PHONY: $(STAMPS)/uv $(STAMPS)/run $(STAMPS)/dev
endif

$(STAMPS)/uv: requirements/uv.txt scripts/setup.sh
	@$(SETUP) uv '$(PYTHON)'

$(STAMPS)/run: requirements/uv.txt requirements/run.txt requirements/build.txt pyproject.toml scripts/setup.sh
	@$(SETUP) run '$(PYTHON)'

$(STAMPS)/dev: requirements/uv.txt requirements/dev.txt pyproject.toml scripts/setup.sh
	@$(SETUP) dev '$(PYTHON)'

.PHONY: setup
setup: $(STAMPS)/dev

# What the demo needs is a part of what the tests need.
.PHONY: demo
demo: $(if $(wildcard $(STAMPS)/dev),$(STAMPS)/dev,$(STAMPS)/run)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo.sh

.PHONY: mask
mask: $(STAMPS)/dev
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo.sh
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/mask.sh

.PHONY: lint
lint: $(STAMPS)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: test
test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup $(ARGS)

.PHONY: format
format: $(STAMPS)/dev
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

.PHONY: docs
docs: $(STAMPS)/dev
	$(BIN)/python scripts/generate_docs.py

.PHONY: bench
bench: $(STAMPS)/dev
	@$(BIN)/uv --quiet pip install --require-hashes --no-deps --requirement requirements/bench.txt
	@set -e; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

# What the container that trains holds beside the core.
TRAIN_EXTRAS := gguf parquet plot quantize tensorboard train zstd

# dev.txt first: it holds all of the others but what only benchmarks need, and they take its versions,
# so that all agree.
# Only names, versions and hashes are written; where to fetch them from is the user's own setting.
COMPILE = UV_CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/uv pip compile --quiet --universal \
  --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  $(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: $(STAMPS)/uv
	$(COMPILE) $(foreach extra,$(DEV_EXTRAS),--extra $(extra)) \
	  --group test --group lint --group build pyproject.toml -o requirements/dev.txt
	$(COMPILE) --constraint requirements/dev.txt pyproject.toml -o requirements/run.txt
	$(COMPILE) --constraint requirements/dev.txt --group build -o requirements/build.txt
	$(COMPILE) --constraint requirements/dev.txt $(foreach extra,$(TRAIN_EXTRAS),--extra $(extra)) \
	  pyproject.toml -o requirements/train.txt
	$(COMPILE) --constraint requirements/dev.txt --group bench -o requirements/bench.txt
	$(COMPILE) --group bootstrap -o requirements/uv.txt

.PHONY: clean
clean:
	rm -rf .venv build demo dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
