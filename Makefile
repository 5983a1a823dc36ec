# Every target works on a fresh machine with Python 3.11 or newer: it makes .venv and installs what it needs.
# `make help` lists the targets.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STUDY ?= examples/digits-mlp.yaml
SECONDS ?= 300

# Each of these processes starts a control plane of its own, of some 700 MB.
TEST_WORKERS ?= 3

# torch comes as its CPU build where there is no GPU: plain `torch` would bring gigabytes of CUDA libraries.
TORCH_VERSION ?= 2.13.0

.PHONY: help demo test suite check format generate images e2e benchmark chaos clean

help: ## List the targets
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# .for-demo: what a study needs; .for-dev: that and all that the tests need.
$(BIN)/.for-%: pyproject.toml tools/install.sh
	PYTHON=$(PYTHON) TORCH_VERSION=$(TORCH_VERSION) tools/install.sh $*
	@touch $@

demo: $(BIN)/.for-demo ## Tune a real PyTorch model on this machine, and show the result
	$(BIN)/tuning run $(STUDY)

# Side by side: the checks take a minute of one core, and tests often wait.
test: $(BIN)/.for-dev ## Run all checks and tests; with KUBEBUILDER_ASSETS also those on a real API server
	$(MAKE) --no-print-directory --jobs=2 check suite

suite: $(BIN)/.for-dev ## Run all tests, without the checks
	@# Tests start hundreds of processes, which would each compile the code where nothing may be written beside it.
	@$(BIN)/python -m compileall -q operator trainer_image
	$(BIN)/python -m pytest --numprocesses=$(TEST_WORKERS) --dist=loadfile --no-loadscope-reorder

check: $(BIN)/.for-dev ## Lint, types, layers, and that generated files are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 -p tuning_contract -p tuning_trainer
	$(BIN)/lint-imports
	$(BIN)/python tools/generate.py --check

format: $(BIN)/.for-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: $(BIN)/.for-dev ## Write what is made from the models: CRD, chart's copy, references, OpenAPI
	$(BIN)/python tools/generate.py

images: $(BIN)/.for-dev ## Build the images of operator and trainer
	$(BIN)/python -m tests.e2e images

e2e: $(BIN)/.for-dev ## Walk the user's path on a real cluster: images, chart, study, result, uninstall
	$(BIN)/python -m tests.e2e

benchmark: $(BIN)/.for-dev ## Measure the budgets of docs/performance.md and print the table
	$(BIN)/python -m benchmarks

chaos: $(BIN)/.for-dev ## Break everything in random order for SECONDS (300); SEED repeats a run, BREAK=ack-before-commit must be found
	$(BIN)/python -m tests.chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(BREAK),--defect $(BREAK))

clean: ## Remove what the targets above made
	rm -rf .venv .tuning .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
