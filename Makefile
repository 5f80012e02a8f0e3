PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
PY_READY := $(VENV)/.ready
NPM_READY := contracts/node_modules/.ready

.PHONY: demo test soak lint bench setup lock abis clean

demo: setup
	$(RUN)/keeper demo $(ARGS)

test: setup lint
	$(RUN)/pytest -n 3 --dist worksteal $(ARGS)

soak: setup
	KEEPER_SOAK=1 $(RUN)/pytest -n 2 $(ARGS)

lint: setup
	$(RUN)/ruff check keeper scripts tests
	$(RUN)/ruff format --check keeper scripts tests
	$(RUN)/mypy
	$(RUN)/lint-imports

bench: setup
	$(RUN)/python -m scripts.bench $(if $(ONLY),--only $(ONLY)) $(ARGS)

setup: $(PY_READY) $(NPM_READY)

$(PY_READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("keeper needs Python 3.11 or newer; set PYTHON=/path/to/python3.11 for make")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(NPM_READY): contracts/package-lock.json
	@command -v npm >/dev/null || { echo "keeper needs Node 20 with npm (Debian: apt-get install nodejs npm) for the local chain"; exit 2; }
	cd contracts && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

# Both lock files are written without download addresses.
lock:
	$(RUN)/python -m pip install --quiet uv
	$(RUN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --generate-hashes \
	  --group dev pyproject.toml -o requirements.lock --custom-compile-command "make lock"
	cd contracts && npm install --package-lock-only --ignore-scripts
	$(PYTHON) scripts/strip_lock.py contracts/package-lock.json

# Artifacts of our own contracts; tests/integration/localchain/test_artifacts.py compares them with the sources.
abis: setup
	$(RUN)/python -m scripts.compile_contracts

clean:
	rm -rf $(VENV) build contracts/node_modules
