PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help install test house slow fuzz demo bench gpu gpu-data docs tutorials dist results generic data controls

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

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

bench: install  ## measure ratios of speed and memory, into results/bench/: a quarter of an hour
	$(BIN)/python -m tests.bench.run

gpu:  ## on one accelerator, in ten minutes: its tests, throughput, larger models, into runs/gpu/
	test -e $(STAMP) || $(PYTHON) -c "import torch" || $(MAKE) install
	python=$$(test -e $(STAMP) && echo $(BIN)/python || echo $(PYTHON)); PYTHONPATH=.:runs/gpu-data $$python -m tests.gpu.run

gpu-data: install  ## pack what gpu reads, into runs/gpu-data/, for a machine without a network
	$(BIN)/python -m tests.gpu.data

docs: install  ## build the site, into build/site/index.html; fails on any warning
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

tutorials: install  ## run the tutorials anew: five minutes of two cores
	OMP_NUM_THREADS=1 $(BIN)/python -m docs.tools.tutorials

dist: install  ## build the wheel and the source archive, into dist/
	$(BIN)/python -m hatchling build -d dist

# Not among them: results/graphs/{tree,planar,sbm,dag} of models that do not ship (`make generic`), results/graphs/calls of models of
# November 2026 (EXPERIMENTS.md there), results/graphs/cost (`python -m tests.bench.cost`).
results: install  ## regenerate the reports of the shipped models (needs what data makes)
	$(BIN)/refine images ablate --config paper --out results/images/ablation
	$(BIN)/refine images evaluate --model mnist --out results/images/mnist
	$(BIN)/refine images evaluate --model mnist_fast --out results/images/mnist_fast
	$(BIN)/refine graphs evaluate --model qm9 --out results/graphs/qm9
	$(BIN)/refine graphs evaluate --model moses --held-out 10000 --out results/graphs/moses
	$(BIN)/refine graphs judge --files results/graphs/moses/samples.smi $(MOSES)/test.csv.gz $(MOSES)/test_scaffolds.csv.gz --out results/graphs/moses
	$(BIN)/refine graphs evaluate-scaffolds --model qm9 --out results/graphs/qm9
	$(BIN)/refine graphs evaluate-properties --model qm9_properties --out results/graphs/qm9_properties
	$(BIN)/refine graphs evaluate-properties --model moses --count 300 --out results/graphs/moses
	$(BIN)/refine graphs evaluate-scaffolds --model moses --count 100 --scaffolds 'c1ccc2ncccc2c1' 'c1ccc(-c2ccncc2)cc1' 'O=C(c1ccccc1)N1CCNCC1' '*c1ccc(*)cc1' '*C(=O)N1CCCCC1' --out results/graphs/moses
	$(BIN)/refine weather floor --model gcm --source unseen.zarr --out results/weather/gcm
	$(FORECAST) --model gcm --members 50 --out runs/gcm.zarr
	$(BIN)/refine weather verify runs/gcm.zarr --truth unseen.zarr --limit limit.zarr --out results/weather/gcm

MOSES = $(or $(REFINE_CACHE),$(HOME)/.cache/refine)/moses

generic: install  ## train trees, planar graphs, block models and directed graphs, and evaluate them: an hour of one core
	for kind in tree planar sbm dag; do $(BIN)/refine graphs train --config $$kind || exit; done
	for kind in tree planar sbm; do $(BIN)/refine graphs evaluate --model runs/$$kind --count 100 --out results/graphs/$$kind || exit; done
	$(BIN)/refine graphs evaluate --model runs/dag --count 200 --out results/graphs/dag

FORECAST = $(BIN)/refine weather forecast --init unseen.zarr --time 2019-01-04T00/2019-12-20T00/432h --overwrite
CONTROLS = bank gaussian crps diffusion mean

controls: install limit.zarr  ## train the controls of the forecast model and verify it against them: hours
	for kind in $(filter-out mean,$(CONTROLS)); do $(BIN)/refine weather train --config $$kind || exit; done
	for kind in $(filter-out mean diffusion,$(CONTROLS)); do \
	  $(BIN)/refine weather calibrate --model runs/$$kind --source unseen.zarr --rounds 3 --out runs/$$kind/calibrated.safetensors || exit; \
	  $(FORECAST) --model runs/$$kind/calibrated.safetensors --members 50 --out runs/$$kind.zarr || exit; done
ifneq ($(filter diffusion,$(CONTROLS)),)
	$(BIN)/refine weather calibrate --model runs/diffusion --source unseen.zarr --starts 4 --members 5 --out runs/diffusion/calibrated.safetensors
	$(FORECAST) --model runs/diffusion/calibrated.safetensors --members 5 --batch 5 --out runs/diffusion.zarr
endif
ifneq ($(filter mean,$(CONTROLS)),)
	$(BIN)/refine weather train --config gaussian --name mean --head.kind deterministic
	$(FORECAST) --model runs/mean --members 1 --out runs/mean.zarr
endif
	$(FORECAST) --model gcm --members 50 --out runs/gcm.zarr
	$(BIN)/refine weather verify runs/gcm.zarr --truth unseen.zarr --limit limit.zarr --out results/weather/controls --against $(foreach kind,$(CONTROLS),$(kind)=runs/$(kind).zarr)

data: gcm20.zarr unseen.zarr limit.zarr  ## simulate weather to train on, 20 years, and to judge by, four: three hours with -j2

.venv/simulates: | $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[simulate]"
	touch $@

SIMULATED = gcm20.zarr unseen.zarr
gcm20.zarr: SPAN = --days 7305
unseen.zarr: SPAN = --start 2016-01-01 --days 1461 --seed 1

$(SIMULATED): | .venv/simulates
	@echo "A year takes 8 min of one core, 40 MB, and 80 MB of states; stopped, it goes on by the same command."
	$(BIN)/refine weather simulate $(SPAN) --states-every 10 --out $@

limit.zarr: | unseen.zarr
	@echo "8 starts, 10 members, 10 days: 10 minutes on two cores."
	$(BIN)/refine weather simulate --truth unseen.zarr --starts 8/2019-01-01/2019-12-31 --members 10 --days 10 --perturbation .01 --out $@
