# Every target calls one program; `make` alone shows what there is.
#
#   CLUSTER=local    (default) the cluster that tests/cluster builds and runs on this machine
#   CLUSTER=current  the present kubeconfig context; images go to REGISTRY=host/path
#                    (STORE_ENDPOINT=https://… uses your own S3 instead of bringing MinIO)
#   CLUSTER=kind     a kind cluster with a registry beside it, where docker and kind are installed

CLUSTER ?= local
PYTHON  ?= python3
export CLUSTER REGISTRY

VENV := .venv/bin/python
HERE := $(PYTHON) images/with_cluster.py

.DEFAULT_GOAL := help
.PHONY: help demo test deps venv lint format unit contract apiserver e2e faults bench crds lock images \
        install uninstall cluster-up cluster-down cluster-status clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## from nothing to a prediction: cluster, images, operator, data, model, request
	@$(PYTHON) demo/run.py

test: ## everything in tests/, from a bare machine on; ends in one line of totals
	@$(PYTHON) tests/run.py

deps: ## install the Debian packages that are missing
	@$(PYTHON) tests/cluster/deps.py

venv: deps ## make .venv with everything that development needs
	@$(PYTHON) tests/environment.py

lint: venv ## style, types, layers, the house's rules, generated files
	@$(VENV) tests/lint.py

format: venv ## put all Python files into the one form
	@.venv/bin/ruff format .

unit: venv ## tests without a cluster
	@$(VENV) -m pytest -q -n auto tests/unit tests/house

contract: venv ## tests of store, runner and server against real S3 servers
	@$(PYTHON) tests/cluster/build.py
	@$(VENV) -m pytest -q tests/contract

apiserver: venv ## tests against a real API server, without nodes
	@$(PYTHON) tests/cluster/build.py
	@$(VENV) -m pytest -q tests/apiserver

e2e: install ## tests on the whole cluster
	@$(HERE) $(VENV) -m pytest -q -n 4 tests/e2e --dist loadscope -m "not lifecycle and not disruptive"

faults: install ## tests that stop parts of the cluster
	@$(HERE) $(VENV) -m pytest -q tests/e2e -m disruptive

bench: install ## how fast and how small, as tables and JSON in build/
	@$(HERE) $(VENV) tests/measure.py

crds: venv ## write crds/ and docs/reasons.md from the API models
	@$(VENV) -m tidemill.api.crdgen
	@$(VENV) -m tidemill.api.crdgen --reasons

lock: deps ## lock the images' Python dependencies; UPGRADE=1 takes the newest
	@$(PYTHON) images/lock.py $(if $(UPGRADE),--upgrade)

images: cluster-up ## build the images and push what changed
	@$(PYTHON) images/build.py

install: images venv ## install CRDs, MinIO and operator
	@$(HERE) $(PYTHON) manifests/install.py \
	    $(if $(STORE_ENDPOINT),--store-endpoint $(STORE_ENDPOINT),--minio)

uninstall: ## remove the operator; objects and data stay (PURGE=1: they go)
	@$(HERE) $(PYTHON) manifests/install.py --uninstall $(if $(PURGE),--purge)

ifeq ($(CLUSTER),local)
cluster-up: deps ## bring the local cluster up; builds its programs the first time
	@$(PYTHON) tests/cluster/up.py

cluster-down: ## take the local cluster down; nothing of it stays but the cache
	@$(PYTHON) tests/cluster/down.py

cluster-status: ## show how the local cluster is
	@$(PYTHON) tests/cluster/status.py
else
cluster-up cluster-down cluster-status:
	@echo "CLUSTER=$(CLUSTER): the cluster is yours; nothing to do"
endif

clean: ## remove what was built in this tree; the cache of the machine stays
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
