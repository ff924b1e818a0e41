PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help install test house slow fuzz demo bench gpu docs tutorials dist results data controls

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
	$(BIN)/pytest -n auto

house: install  ## print circles of imports, sizes of folders and functions, and what misses a bar
	$(BIN)/python -m tests.house

slow: install  ## run the tests that take minutes
	$(BIN)/pytest -m slow

fuzz: install  ## give 2,000 damaged inputs to the commands; keeps what breaks one in runs/fuzz/
	$(BIN)/python -m tests.fuzz.run

demo: install  ## the main job of every domain on real or bundled data, with pictures
	$(BIN)/refine images demo
	$(BIN)/refine graphs demo
	$(BIN)/refine weather demo

bench: install  ## measure speed ratios, into results/bench/
	$(BIN)/python -m tests.bench.run

gpu: install  ## on one accelerator, in ten minutes: its tests, throughput, larger models, into runs/gpu/
	$(BIN)/python -m tests.gpu.run

docs: install  ## build the site, into build/site/index.html; fails on any warning
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

tutorials: install  ## run the tutorials anew: five minutes of two cores
	OMP_NUM_THREADS=1 $(BIN)/python -m docs.tools.tutorials

dist: install  ## build the wheel and the source archive, into dist/
	$(BIN)/python -m hatchling build -d dist

results: install  ## regenerate the reports of the shipped models (needs what data makes)
	$(BIN)/refine images ablate --config paper --out results/images/ablation
	$(BIN)/refine images evaluate --model mnist --out results/images/mnist
	$(BIN)/refine graphs evaluate --model qm9 --out results/graphs/qm9
	$(BIN)/refine graphs evaluate --model moses --held-out 10000 --out results/graphs/moses
	$(BIN)/refine graphs evaluate-scaffolds --model qm9 --out results/graphs/qm9
	$(BIN)/refine graphs evaluate-properties --model qm9_properties --out results/graphs/qm9_properties
	$(BIN)/refine weather floor --model gcm --source gcm20.zarr --out results/weather/gcm
	$(FORECAST) --model gcm --members 50 --out runs/gcm.zarr
	$(BIN)/refine weather verify runs/gcm.zarr --truth gcm20.zarr --limit limit.zarr --out results/weather/gcm

FORECAST = $(BIN)/refine weather forecast --init gcm20.zarr --time 2019-01-04T00/2019-12-20T00/240h --overwrite
CONTROLS = bank crps gaussian diffusion deterministic

controls: install  ## train the controls of the forecast model and verify it against them: hours
	$(BIN)/refine weather train --config deterministic
	for kind in bank crps gaussian diffusion; do $(BIN)/refine weather train --config $$kind || exit; done
	for kind in bank crps gaussian; do $(BIN)/refine weather calibrate --model runs/$$kind --out runs/$$kind/calibrated.safetensors || exit; done
	$(BIN)/refine weather calibrate --model runs/diffusion --starts 4 --members 5 --out runs/diffusion/calibrated.safetensors
	$(FORECAST) --model gcm --members 50 --out runs/gcm.zarr
	for kind in bank crps gaussian; do $(FORECAST) --model runs/$$kind/calibrated.safetensors --members 50 --out runs/$$kind.zarr || exit; done
	$(FORECAST) --model runs/diffusion/calibrated.safetensors --members 5 --batch 5 --out runs/diffusion.zarr
	$(FORECAST) --model runs/deterministic --members 1 --out runs/deterministic.zarr
	$(BIN)/refine weather verify runs/gcm.zarr --truth gcm20.zarr --limit limit.zarr --out results/weather/controls --against $(foreach kind,$(CONTROLS),$(kind)=runs/$(kind).zarr)

data: gcm20.zarr limit.zarr  ## simulate 20 years of weather and the limit of predictability: three hours

gcm20.zarr: | $(STAMP)
	@echo "20 years at 1.3 s a day on one core: 2 h 45 min; .8 GB, and 1.6 GB of states. Stopped, it goes on by the same command."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[simulate]"
	$(BIN)/refine weather simulate --days 7305 --states-every 10 --out $@

limit.zarr: | gcm20.zarr
	@echo "8 starts, 10 members, 10 days: 10 minutes on two cores."
	$(BIN)/refine weather simulate --truth gcm20.zarr --starts 8/2019-01-01/2019-12-31 --members 10 --days 10 --perturbation .01 --out $@
