# make demo   the whole path on the embedded sample: a table and a sheet of pictures at the end;
#             goes on where it was stopped, FRESH=yes begins anew; NETWORK=gca takes another network
# make test   the tests
# make lint   ruff
# make mutants  the method's code with one place changed at a time: do the tests notice
# make bench  speed and memory, each beside a plain reference
# Each makes the virtual environment it needs; VENV=path chooses where.

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
NETWORK :=
NAME := sample$(if $(NETWORK),_$(NETWORK))
CONFIG := configs/$(NAME).yaml
DATASET := $(if $(filter pspnet,$(NETWORK)),sample_voc,sample)
# How a training begins whose checkpoint is the file $(1): where one was stopped, or anew.
begin = $(if $(FRESH),--overwrite,$(if $(wildcard result/$(NAME)/$(1)),--resume,--overwrite))

.PHONY: demo test mutants lint bench clean

demo: $(VENV)/.runs
	$(if $(FRESH),rm -f result/$(NAME)/checkpoint*.tar)
	$(RUN) pre_process.py --dataset $(DATASET)
	$(if $(filter sample,$(DATASET)),$(RUN) data_gen.py --dataset sample)
	$(RUN) train.py --config $(CONFIG) $(call begin,checkpoint.tar)
	$(RUN) train_prune.py --config $(CONFIG) $(call begin,checkpoint_prune.tar)
	$(RUN) train_pruned.py --config $(CONFIG) $(call begin,checkpoint_pruned.tar)
	$(RUN) test.py --config $(CONFIG)

test: $(VENV)/.tests
	$(RUN) -m pytest

mutants: $(VENV)/.tests
	$(RUN) tests/mutants.py

lint: $(VENV)/.tests
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

bench: $(VENV)/.runs
	$(RUN) benchmarks/spatial_similarity.py
	$(RUN) benchmarks/distillation.py
	$(RUN) benchmarks/half_width.py
	$(RUN) benchmarks/loader.py
	$(RUN) benchmarks/metrics.py
	$(RUN) benchmarks/tiles.py
	$(RUN) benchmarks/attention.py

clean:
	rm -rf $(VENV) result/$(NAME) data/sample/train/store data/sample/test/composed

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip

$(VENV)/.runs: requirements.txt | $(VENV)/bin/python
	$(RUN) -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/.tests: requirements-dev.txt $(VENV)/.runs
	$(RUN) -m pip install --quiet -r requirements-dev.txt
	touch $@
