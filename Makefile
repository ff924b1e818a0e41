PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help install test slow demo bench results data

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

results: install  ## regenerate the reports of the shipped models (needs gcm_64x32.zarr, see data)
	$(BIN)/refine images ablate --config configs/images/paper.yaml --out results/images/ablation
	$(BIN)/refine images evaluate --model mnist --out results/images/mnist
	$(BIN)/refine graphs evaluate --model qm9 --out results/graphs/qm9
	$(BIN)/refine graphs evaluate-scaffolds --model qm9 --out results/graphs/qm9
	$(BIN)/refine graphs evaluate-properties --model qm9_properties --out results/graphs/qm9_properties
	$(BIN)/refine weather floor --model gcm --source gcm_64x32.zarr --out results/weather/gcm
	$(BIN)/refine weather forecast --model gcm --init gcm_64x32.zarr --time 2003-06-16T00/2003-12-18T00/240h --out runs/gcm.zarr
	$(BIN)/refine weather verify runs/gcm.zarr --truth gcm_64x32.zarr --out results/weather/gcm

data: install  ## simulate four years of weather, gcm_64x32.zarr: about an hour
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[simulate]"
	$(BIN)/refine weather simulate --out gcm_64x32.zarr
