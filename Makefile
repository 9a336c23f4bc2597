# Python >= 3.11, make and git are all that must be there. `make help` lists what can be done.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROOM ?= lobby
WHO = $(or $(USER),$(error say who you are: make $@ USER=ada))
PROTOS := $(wildcard protos/*/v1/*.proto localmesh/control/*.proto)

export PYTHONDONTWRITEBYTECODE :=
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## This list
	@echo "A gRPC user and chat service under Istio policy, on this machine. Begin with: make up"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  The mesh itself: $(BIN)/localmesh --help     The services' clients: $(BIN)/python -m clients --help"

# What is told on the way goes to stderr: `make token USER=ada` prints a token and nothing else, the first time too.
# --- getting ready ---------------------------------------------------------------------------------------------------

install: $(VENV)/.installed $(VENV)/.stubs ## The virtual environment with the locked dependencies, and the stubs

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed, and $(PYTHON) is $$($(PYTHON) -V): try make PYTHON=python3.12 …"; exit 1; }
	@echo "$(PYTHON) -m venv $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no virtual environment: is $(PYTHON)'s venv module installed?" >&2; exit 1; }

$(VENV)/.installed: requirements.lock pyproject.toml $(VENV)/bin/python
	@echo "pip install -r requirements.lock" >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock >&2
	@$(LAST) requirements.lock | $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --force-reinstall \
	  --require-hashes -r /dev/stdin >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e . >&2
	@touch $@

$(VENV)/.stubs: $(PROTOS) protos/generate.py $(VENV)/.installed
	@$(BIN)/python -m protos.generate
	@$(BIN)/python -m compileall -q buf clients localmesh protos services  # so that the first start need not
	@touch $@

# xds-protos carries older modules under opentelemetry-proto's names, without what the exporter imports: of the two, the
# one that is installed last counts, and both work with the newer.
LAST := awk '/^opentelemetry-proto==/,/[^\\]$$/'

protos: install ## Stubs from the .proto files

keys: install ## Keys and passwords, made on first use and never committed
	@$(BIN)/python -m clients keys

lock: install ## The locks anew from pyproject.toml
	$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet pip-tools
	$(COMPILE) --all-extras -o requirements.lock pyproject.toml
	$(COMPILE) -c requirements.lock -o requirements-services.lock pyproject.toml
	$(COMPILE) -c requirements.lock --extra stubs -o requirements-stubs.lock pyproject.toml

COMPILE := build/lock/bin/pip-compile --quiet --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
  --no-emit-trusted-host --strip-extras --allow-unsafe

# --- the mesh on this machine ----------------------------------------------------------------------------------------

up: keys ## Start the mesh and wait until every pod is ready
	@localmesh up deploy

down: install ## Stop the mesh; its data stays
	@localmesh down

clean: install ## Stop the mesh and forget its data
	@localmesh clean

status: install ## The pods
	@localmesh status

dashboard: install ## The mesh in a browser, at 127.0.0.1:8088 until Ctrl-C
	@localmesh dashboard

demo: install ## A guided tour on the running mesh
	@$(BIN)/python -m clients demo

chat: install ## Chat in a terminal: make chat USER=ada [ROOM=lobby]
	@$(BIN)/python -m clients chat --user "$(WHO)" --room "$(ROOM)"

token: install ## A token for a user, who is made if missing: make token USER=ada
	@$(BIN)/python -m clients token "$(WHO)"

# --- the same YAML on a kind cluster ---------------------------------------------------------------------------------
# Variables of a site: CLUSTER, KIND_NODE_IMAGE, KIND_CONFIG, ISTIO_ARGS, IMAGE_TAG, DOCKER_BUILD_ARGS, SKIP_PULL,
# COMPONENTS, GATEWAY_API, PORT (docs/from-laptop-to-cluster.md).

export CLUSTER KIND_NODE_IMAGE KIND_CONFIG ISTIO_ARGS IMAGE_TAG DOCKER_BUILD_ARGS SKIP_PULL COMPONENTS GATEWAY_API PORT

doctor: install ## What a kind cluster needs and this machine has not
	@$(BIN)/python -m deploy.kind doctor

images: install ## Build the services' images and print their sizes; DOCKER_BUILD_ARGS=--platform=linux/arm64 for arm64
	@$(BIN)/python -m deploy.kind images

kind-up: keys ## The bundle on a kind cluster under Istio, from whatever is there already
	@$(BIN)/python -m deploy.kind up

kind-forward: install ## The cluster's gateway at 127.0.0.1:8080, until Ctrl-C
	@$(BIN)/python -m deploy.kind forward

kind-jaeger: install ## Traces: the page of Jaeger, until Ctrl-C
kind-prometheus: install ## Metrics and alerts: the page of Prometheus
kind-grafana: install ## Dashboards, where COMPONENTS had grafana
kind-kiali: install ## The mesh as a graph, where COMPONENTS had kiali
kind-jaeger kind-prometheus kind-grafana kind-kiali:
	@$(BIN)/python -m deploy.kind $(@:kind-%=%)

kind-test: keys ## tests/mesh against the cluster
	@$(BIN)/python -m deploy.kind echo
	@$(BIN)/python -m pytest tests/mesh --mesh=kind

kind-down: install ## Remove the cluster
	@$(BIN)/python -m deploy.kind down

# --- proof -----------------------------------------------------------------------------------------------------------

CHECKS := format lint types imports buf-lint buf-breaking yaml bundle

check: keys ## Formatter, linter, types, import contracts, buf, YAML: names everything that failed
	@failed=""; for check in $(CHECKS); do \
	  echo "— $$check"; $(MAKE) --no-print-directory check-$$check || failed="$$failed $$check"; \
	done; \
	if [ -n "$$failed" ]; then echo; echo "failed:$$failed   (one alone: make check-<name>)"; exit 1; fi; \
	echo; echo "all checks passed: $(CHECKS)"

check-format:
	@ruff format --check --quiet . || { echo "  try: make format"; exit 1; }
check-lint:
	@ruff check --quiet .
check-types:
	@mypy
check-imports:
	@lint-imports
check-buf-lint:
	@$(BIN)/python -m protos.generate --image build/protos.binpb
	@buf lint build/protos.binpb --config protos/buf.yaml --path user/v1 --path chat/v1
	@buf format --diff --exit-code protos
check-buf-breaking:
	@$(BIN)/python -m protos.breaking
check-yaml:
	@localmesh check deploy
check-bundle:
	@$(BIN)/python -m pytest -q tests/deploy/test_bundle.py tests/deploy/test_images.py tests/deploy/test_metrics.py tests/deploy/test_shell.py

format: install ## Format the code
	@ruff format . && ruff check --fix . && buf format --write protos

test: keys ## All tests that need no cluster
	@$(BIN)/python -m pytest

conformance: install ## Our compiler against istiod's output: the table, kept in docs/conformance.md
	@$(BIN)/python -m tests.conformance

docs: install ## The pages that are made of the code: docs/supported.md, docs/warnings.md
	@$(BIN)/python -m docs

# --- what it costs ---------------------------------------------------------------------------------------------------

# Each prints two figures and their ratio from one run; with `--json` behind the python line, as JSON.

bench: keys ## All benches; writes docs/performance.md (about ten minutes, on a machine that does nothing else)
	@$(BIN)/python -m bench

bench-startup: keys ## From nothing to the first chat message delivered, cold and warm, with a breakdown
	@$(BIN)/python -m bench.startup

bench-policy-edit: keys ## From a saved file to the last Envoy's acknowledgement, and to what a caller sees
	@$(BIN)/python -m bench.policy_edit

bench-compile: install ## The compiler at 10 to 5,000 services, and after an edit of one line
	@$(BIN)/python -m bench.compile

bench-get: install ## A user by id: asyncpg's pool as it comes beside the store of our user service
	@$(BIN)/python -m bench.get

bench-send: install ## Durable messages: group commit, a commit each, and NATS with sync always
	@$(BIN)/python -m bench.send

bench-mesh-cost: keys ## GetUser: bare grpc.aio, our service, through both sidecars, through the gateway
	@$(BIN)/python -m bench.mesh_cost

bench-list: keys ## 1,000,000 users as a stream, beside a COPY: rows per second, peak memory
	@$(BIN)/python -m bench.list

bench-upload: keys ## A file of 256 MiB up and down, beside a bare stream
	@$(BIN)/python -m bench.upload

bench-fanout: keys ## One room, 100 and 1,000 readers through the mesh: one write per event, and ours
	@$(BIN)/python -m bench.fanout

bench-observe: keys ## GetUser through the gateway with tracing off, at 1 % and at 100 %
	@$(BIN)/python -m bench.observe

bench-memory: keys ## What every process of the bundle keeps in memory, idle and after load
	@$(BIN)/python -m bench.footprint

bench-profile: keys ## Where the CPU of one GetUser goes, stage by stage
	@$(BIN)/python -m bench.profile

.PHONY: help install protos keys lock up down clean status dashboard demo chat token check format test conformance docs \
  bench bench-startup bench-policy-edit bench-compile bench-get bench-send bench-mesh-cost bench-list bench-upload bench-profile \
  bench-fanout bench-observe bench-memory \
  doctor images kind-up kind-forward kind-jaeger kind-prometheus kind-grafana kind-kiali kind-test kind-down $(addprefix check-,$(CHECKS))
