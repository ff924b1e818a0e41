PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help install test slow demo bench results

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(STAMP)  ## create .venv and install the pinned versions

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all]"
	touch $@

test: install  ## check style, types and imports, and run all tests but the slow ones
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

slow: install  ## run the tests that take minutes
	$(BIN)/pytest -m slow

demo: install  ## the main job of every domain on real or bundled data, with pictures
	$(BIN)/refine images demo
	$(BIN)/refine graphs demo
	$(BIN)/refine weather demo

bench: install  ## measure speed ratios, into results/bench/
	$(BIN)/python -m tests.bench.run

results: install  ## regenerate the report and the figures of the shipped model
	$(BIN)/refine images ablate --config configs/images/paper.yaml --out results/images/ablation
	$(BIN)/refine images evaluate --model mnist --out results/images/mnist
