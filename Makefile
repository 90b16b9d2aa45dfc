# make demo   prunes the shipped teacher on the embedded sample, trains the student, and mattes four
#             pictures with it and the shipped networks: a table and a sheet at the end
# make demo NETWORK=gca  the whole path for another network, from nothing
# make demo-scratch      the same for a small DIM
#             each goes on where it was stopped, FRESH=yes begins anew
# make test   the tests
# make lint   ruff
# make mutants  the method's code with one place changed at a time: do the tests notice
# make page   the same in a browser, at http://localhost:8000; nothing leaves the machine
# make bench  speed and memory, each beside a plain reference
# Each makes the virtual environment it needs; VENV=path chooses where.

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
NETWORK :=
NAME = $(if $(NETWORK),sample_$(NETWORK),demo)
CONFIG = configs/$(NAME).yaml
DATASET := $(if $(filter pspnet,$(NETWORK)),sample_voc,sample)
# The demo tests the shipped networks of its kind, and its own.
SHIPPED := --network large --network medium --network small
# How a training begins whose checkpoint is the file $(1): where one was stopped, or anew.
begin = $(if $(FRESH),--overwrite,$(if $(wildcard result/$(NAME)/$(1)),--resume,--overwrite))

.PHONY: demo demo-scratch test mutants lint bench page page-files clean

demo-scratch: NAME = sample
demo demo-scratch: $(VENV)/.runs
	$(if $(FRESH),rm -f result/$(NAME)/checkpoint*.tar)
	$(RUN) pre_process.py --dataset $(DATASET)
	$(if $(filter sample,$(DATASET)),$(RUN) data_gen.py --dataset sample)
	$(if $(filter-out demo,$(NAME)),$(RUN) train.py --config $(CONFIG) $(call begin,checkpoint.tar))
	$(RUN) train_prune.py --config $(CONFIG) $(call begin,checkpoint_prune.tar)
	$(RUN) train_pruned.py --config $(CONFIG) $(call begin,checkpoint_pruned.tar)
	$(RUN) test.py --config $(CONFIG) $(if $(filter demo,$(NAME)),$(SHIPPED) \
	    --network result/demo/BEST_pruned.tar --set data/photographs --out result/demo/test)

test: $(VENV)/.tests
	OMP_WAIT_POLICY=PASSIVE $(RUN) -m pytest -n auto --maxprocesses 4 --dist loadfile

mutants: $(VENV)/.tests
	$(RUN) tests/mutants.py

lint: $(VENV)/.tests
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

bench: $(VENV)/.deploy
	$(RUN) benchmarks/parts.py
	$(RUN) benchmarks/networks.py
	$(RUN) benchmarks/loader.py
	$(RUN) benchmarks/steps.py --batch 4
	$(RUN) benchmarks/tiles.py
	$(RUN) benchmarks/deployed.py
	$(RUN) benchmarks/runtimes.py

PORT ?= 8000
RUNTIME = onnxruntime-web-1.30.0
RUNTIME_FILES = ort.wasm.bundle.min.mjs ort-wasm-simd-threaded.wasm \
    ort.webgpu.bundle.min.mjs ort-wasm-simd-threaded.asyncify.wasm
RUNTIME_SHA256 = d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71

page-files: page/models/small.onnx page/models/large.onnx page/vendor/ort.webgpu.bundle.min.mjs

page: page-files
	@echo "http://localhost:$(PORT)"
	$(RUN) -m http.server --bind 127.0.0.1 --directory page $(PORT)

page/models/%.onnx: pretrained/%.safetensors | $(VENV)/.deploy
	mkdir -p $(@D)
	$(RUN) export.py --network $* --out $@ --overwrite

# onnxruntime-web from npm's registry, by version and hash.
page/vendor/ort.webgpu.bundle.min.mjs:
	mkdir -p $(@D)
	cd $(@D) && npm pack --silent $(subst web-,web@,$(RUNTIME)) > /dev/null
	cd $(@D) && echo "$(RUNTIME_SHA256)  $(RUNTIME).tgz" | sha256sum --check --quiet
	tar xzf $(@D)/$(RUNTIME).tgz -C $(@D) --strip-components=2 $(addprefix package/dist/,$(RUNTIME_FILES))
	rm $(@D)/$(RUNTIME).tgz
	touch $@

clean:
	rm -rf $(VENV) result/demo result/sample result/sample_* data/sample/train/store data/sample/test/composed

# pip, since a Python without ensurepip leaves an environment that has none.
$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip

$(VENV)/.runs: requirements.txt | $(VENV)/bin/pip
	$(RUN) -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/.deploy: requirements-deploy.txt $(VENV)/.runs
	$(RUN) -m pip install --quiet -r requirements-deploy.txt
	touch $@

$(VENV)/.tests: requirements-dev.txt $(VENV)/.runs
	$(RUN) -m pip install --quiet -r requirements-dev.txt
	touch $@
