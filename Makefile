# The same commands for people, CI and workflows. `make` alone explains them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

# Threads that wait for work sleep: spinning ones are up to 15 times slower on a busy machine.
export OMP_WAIT_POLICY ?= PASSIVE

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PROFILE ?= demo
LOCAL_AWS := $(PY) -m local_aws
AIRFLOW_VENV := .venv-airflow
AWS_FLAGS := $(if $(API_PORT),--api-port $(API_PORT))

# What may be given to `make pipeline`; an empty value leaves the profile's.
FLAGS := --profile $(PROFILE) $(if $(DATA),--data $(DATA)) $(if $(BACKBONE),--backbone $(BACKBONE)) $(ARGS)

.PHONY: help setup node-modules emulator demo pipeline evaluate compare train tune score summary report serve stop airflow test test-airflow lint lint-workflows format bench bootstrap lock clean

help: ## Show this help
	@echo 'T5 Sentiment: train, judge, ship and watch a T5 sentiment model'
	@echo
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Install everything into .venv (the other targets do it when needed)

$(VENV)/.ready: requirements.txt requirements-aws.txt requirements-sagemaker.txt requirements-dev.txt requirements-experiments.txt serving/requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4))' || { echo 'Python 3.11.4 or newer is needed; name one with PYTHON=...'; exit 2; }
	@echo 'Setting up .venv (once; a few minutes) ...'
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The tests execute the workflows on GitHub's own parser, which npm packages hold; nothing else does.
WORKFLOWS := tests/workflows
NODE_MODULES := $(WORKFLOWS)/node_modules

node-modules: $(NODE_MODULES)/.ready ## Install what executes and lints the workflows (`make test` does it)

$(NODE_MODULES)/.ready: $(WORKFLOWS)/package.json $(WORKFLOWS)/package-lock.json
	@{ command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; } || { echo 'Node.js 20 or newer and npm are needed: with them the tests execute the workflows. Your package manager has them (apt-get install nodejs npm), or https://nodejs.org.'; exit 2; }
	@npm ci --prefix $(WORKFLOWS) --silent --no-audit --no-fund
	@touch $@

# AWS's own emulator of what is around a function, for Linux on x86_64; the tests skip it elsewhere.
EMULATOR := build/emulator/aws-lambda-rie

emulator: $(EMULATOR) ## Get the emulator that the tests run the function under

$(EMULATOR): tests/api/emulator.txt $(VENV)/.ready
	@$(PY) -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r $< --dest $(@D)
	@$(PY) -c 'import pathlib, sys, zipfile; package = next(pathlib.Path(sys.argv[1]).parent.glob("*.whl")); pathlib.Path(sys.argv[1]).write_bytes(zipfile.ZipFile(package).read("samcli/local/rapid/aws-lambda-rie-x86_64"))' $@
	@chmod +x $@

demo: $(VENV)/.ready ## The whole pipeline on this machine; API_PORT=8000 is where it will answer
	@$(LOCAL_AWS) run $(AWS_FLAGS) -- $(PY) -m pipeline_steps --profile demo $(ARGS)
	@echo
	@echo 'The API stays up for a quarter of an hour after its last request.'
	@echo '`make serve` keeps it up until Ctrl-C; `make stop` ends it now.'

pipeline: $(VENV)/.ready ## The same for PROFILE=, DATA=, BACKBONE= and any flags in ARGS=
	@$(LOCAL_AWS) run $(AWS_FLAGS) -- $(PY) -m pipeline_steps $(FLAGS)

train: $(VENV)/.ready ## Train PROFILE= and no more; PROCESSES=2 share each batch (torchrun)
	@$(PY) -m pipeline_steps.check_data $(FLAGS)
	@$(if $(PROCESSES),$(PY) -m torch.distributed.run --standalone --nproc-per-node $(PROCESSES),$(PY)) -m pipeline_steps.train $(FLAGS)

evaluate: $(VENV)/.ready ## Judge the model of PROFILE= on any labelled file, DATA=
	@$(PY) -m pipeline_steps.evaluate_file --input "$(DATA)" --profile $(PROFILE) $(ARGS)

compare: $(VENV)/.ready ## Two models side by side, A= and B=: profiles, candidate folders or tarballs
	@$(PY) -m pipeline_steps.compare --a "$(A)" --b "$(B)" --profile $(PROFILE) $(if $(DATA),--data $(DATA)) $(ARGS)

tune: $(VENV)/.ready ## Search PROFILE='s training settings; TRIALS=12 of STEPS=200 each
	@$(PY) -m pipeline_steps.check_data $(FLAGS)
	@$(PY) -m pipeline_steps.tune $(if $(TRIALS),--trials $(TRIALS)) $(if $(STEPS),--trial-steps $(STEPS)) $(FLAGS)

score: $(VENV)/.ready ## Score INPUT= (.csv .tsv .jsonl .txt .parquet) into OUTPUT= with the packaged model
	@$(PY) -m pipeline_steps.score --input "$(INPUT)" --output "$(OUTPUT)" $(FLAGS)

summary: $(VENV)/.ready ## Tell the last run of PROFILE= as Markdown; on GitHub, on the run's page
	@$(PY) -m pipeline_steps.summary $(FLAGS)

report: $(VENV)/.ready ## Write the report of PROFILE= again, and say where it is
	@$(PY) -m pipeline_steps.report $(FLAGS)

serve: $(VENV)/.ready ## Keep the local AWS and its APIs up until Ctrl-C; ARGS=--no-browser
	@$(LOCAL_AWS) serve $(AWS_FLAGS) $(ARGS)

stop: $(VENV)/.ready ## End the local AWS that runs in the background
	@$(LOCAL_AWS) stop

airflow: $(VENV)/.ready $(AIRFLOW_VENV)/.ready ## The same steps in Airflow, on this machine; AIRFLOW_PORT=8080
	@PIPELINE_PROFILE=$(PROFILE) PIPELINE_DEPLOY=production $(LOCAL_AWS) run $(AWS_FLAGS) -- $(AIRFLOW_VENV)/bin/python airflow/standalone.py $(if $(AIRFLOW_PORT),--port $(AIRFLOW_PORT))

$(AIRFLOW_VENV)/.ready: airflow/requirements.txt airflow/constraints.txt
	@echo 'Setting up $(AIRFLOW_VENV) (once; a minute) ...'
	@$(PYTHON) -m venv $(AIRFLOW_VENV)
	@$(AIRFLOW_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r airflow/requirements.txt
	@touch $@

# AWS's serving stack beside our packages: the tests and `bench-serving` run it. The released toolkit
# asks for a module that transformers 5 no longer has; aws_stack.pth stands in for it.
AWS_STACK := build/aws-stack
SITE := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'

$(AWS_STACK)/.ready: bench/aws_stack.txt bench/aws_stack.pth $(VENV)/.ready
	@$(PYTHON) -m venv --clear --without-pip $(AWS_STACK)
	@$(PY) -m pip --python $(AWS_STACK)/bin/python install --quiet --disable-pip-version-check --no-deps -r bench/aws_stack.txt
	@{ $(PY) $(SITE); cat bench/aws_stack.pth; } > "$$($(AWS_STACK)/bin/python $(SITE))/aws_stack.pth"
	@touch $@

test: $(VENV)/.ready $(NODE_MODULES)/.ready $(AWS_STACK)/.ready ## Run all tests but those of Airflow
	@$(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

test-airflow: $(VENV)/.ready $(AIRFLOW_VENV)/.ready ## Run the DAG in a real Airflow; some minutes
	@$(PY) -m pytest tests/airflow -m airflow $(ARGS)

lint: $(VENV)/.ready lint-workflows ## Check style, types and workflows
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

lint-workflows: $(VENV)/.ready $(NODE_MODULES)/.ready ## Check the workflows as GitHub and an attacker would
	@$(PY) -m tests.workflows.lint

format: $(VENV)/.ready ## Format the code
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .

bench: bench-demo ## Measure what this machine can measure alone; see also bench-<name>

bench-serving: $(AWS_STACK)/.ready

bench-function: $(VENV)/.ready # on the local AWS that `make demo` released to
	@$(LOCAL_AWS) run $(AWS_FLAGS) -- $(PY) -m bench.function $(ARGS)

bench-%: $(VENV)/.ready ## Measure one thing: api, demo, function, serving, training, rationales, reliability
	@$(PY) -m bench.$* $(ARGS)

bootstrap: $(VENV)/.ready ## Prepare an AWS account: trust, roles, bucket, alarms; ARGS=--help
	@$(PY) -m pipeline_steps.bootstrap $(ARGS)

lock: $(VENV)/.ready $(AIRFLOW_VENV)/.ready ## Write both constraints.txt from what is installed
	@{ echo '# The versions that were tested together, written by `make lock`.'; $(PY) -m pip freeze | sed 's/+cpu$$//'; } > constraints.txt
	@{ echo '# The versions that were tested together, written by `make lock`.'; $(AIRFLOW_VENV)/bin/python -m pip freeze; } > airflow/constraints.txt

clean: ## Delete what the pipeline made; keeps .venv
	@if [ -f $(VENV)/.ready ]; then $(LOCAL_AWS) stop; fi
	@rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis
