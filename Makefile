# Two commands matter: `make demo` runs the main job, `make test` passes the tests. Both set up what they need.
# Only git, make and Python 3.11 or later are assumed; all else is pinned and comes from package registries.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
STAMP := $(VENV)/.stamp
export PYTHONPATH := operator:tests
export PYTHONUNBUFFERED := 1

.PHONY: help setup demo test test-fast test-real scorecard matrix fuzz soak lint format bench crds manifests docs lock clean

help:  ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -ts "$$(printf '\t')"

setup: $(STAMP)  ## Fill .venv with everything pinned in requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"Pointsman needs Python 3.11 or later, this is {v[0]}.{v[1]}: make PYTHON=python3.12 ..." if v < (3, 11) else 0)'
	@echo "setup: filling $(VENV) from requirements.lock"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## Watch two real backends, one killed in the middle of it: no request fails
	@$(BIN)/python demo/demo.py

# What waits for a cluster runs beside what computes. The last one skips, and says so, where vLLM is not in the cache: `make test-real` puts it there.
test: lint  ## Everything: linters, unit tests, real servers, the real control plane, the real node, real agents
	@$(BIN)/python -m testbed prepare
	@log=$$(mktemp); $(BIN)/python -m pytest -m "(cluster or node) and not real and not agents" >$$log 2>&1 & \
	  $(BIN)/python -m pytest -m "not cluster and not node and not real and not agents"; here=$$?; \
	  wait $$!; there=$$?; cat $$log; rm -f $$log; exit $$((here | there))
	@$(BIN)/python -m pytest tests/clients
	@$(BIN)/python -m pytest -m real tests/real/test_prefetch.py tests/real/test_rendered.py tests/real/test_translation.py

test-fast: $(STAMP)  ## The tests that need neither control plane nor node
	@$(BIN)/python -m pytest -m "not cluster and not node and not wall and not real and not agents"

test-real: $(STAMP)  ## Real vLLM (on the processor), Ollama and LiteLLM: 7 GB, some twenty minutes the first time
	@$(BIN)/python -m testbed.vllm
	@$(BIN)/python -m testbed.ollama
	@$(BIN)/python -m testbed.litellm
	@$(BIN)/python -m pytest -m real tests/real
	@$(BIN)/python -m pytest tests/servers/test_ollama.py tests/servers/test_litellm.py

scorecard: $(STAMP)  ## What clients see when models fail, in every dialect; writes docs/scorecard.md
	@$(BIN)/python -m wall --write docs/scorecard.md

matrix: $(STAMP)  ## Every client at every kind of target, in every dialect; writes docs/matrix.md
	@$(BIN)/python -m matrix --write docs/matrix.md

fuzz: $(STAMP)  ## A million mutated inputs for the readers of HTTP, events and dialects
	@$(BIN)/python -m fuzz

# -P, because bench/gateway.py would hide the tests' package of that name.
soak: $(STAMP)  ## An hour of mixed faults: no failed request, flat memory
	@$(BIN)/python -P bench/soak.py

lint: $(STAMP)  ## ruff, mypy strict, import-linter
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 3

format: $(STAMP)
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

bench: $(STAMP)  ## The figures: gateway beside nginx and haproxy, failing over, operator with 500 providers
	@$(BIN)/python bench/gateway.py
	@$(BIN)/python bench/failover.py
	@$(BIN)/python bench/translation.py
	@$(BIN)/python bench/controller.py

crds: $(STAMP)  ## Write crds/ and the chart's copy from the models
	@$(BIN)/python -m pointsman.api.crd crds charts/pointsman/files/crds

manifests: $(STAMP)  ## Render manifests/install.yaml from the chart
	@$$($(BIN)/python -c 'from testbed import tools; print(tools.helm())') template pointsman charts/pointsman \
	  --namespace pointsman-system --set createNamespace=true --skip-tests > manifests/install.yaml

docs: $(STAMP)  ## Write the tables of docs/status-reasons.md and docs/posture.md
	@$(BIN)/python -c "import pathlib; from pointsman.fleet import reasons; \
	  p = pathlib.Path('docs/status-reasons.md'); \
	  p.write_text(p.read_text().split('| Reason |')[0] + reasons.document())"
	@$(BIN)/python -c "import pathlib; from pointsman.fleet import posture; \
	  p = pathlib.Path('docs/posture.md'); \
	  p.write_text(p.read_text().split('| Warning |')[0] + posture.document())"

lock: $(STAMP)  ## Pin anew what pyproject.toml asks for
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --all-extras --group dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
