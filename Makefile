# Everything here needs Python 3.11+ and make, and nothing else: the rest is installed into .venv on the first run.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done; echo python3)
RUN := $(PYTHON) deploy/bootstrap.py --
DEV := $(PYTHON) deploy/bootstrap.py --dev --
CODE := contracts services projections deploy tests
ARGS ?=

.PHONY: help run test bench lint lock chaos clean
.DEFAULT_GOAL := help

help: ## what can be done here
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: ## the whole system in the foreground; Ctrl-C stops it (ARGS="--port 8090 --demo")
	@exec $(RUN) leadline up $(ARGS)

test: lint ## all checks: lint, then every test in two processes (ARGS="-k name", ARGS="-n 0")
	@$(DEV) python -m pytest -n 2 $(ARGS)

lint: ## style, types, and who may import whom
	@$(DEV) ruff check $(CODE)
	@$(DEV) ruff format --check $(CODE)
	@$(DEV) mypy contracts services projections deploy
	@$(DEV) lint-imports

bench: ## measurements (tests/bench)
	@$(DEV) python -m tests.bench $(ARGS)

chaos: ## the whole system under kills and power cuts, 50 cycles (ARGS="--rounds 100 --seed 7 --save docs/chaos.md")
	@$(DEV) python -m pytest tests/chaos -q --rounds 50 $(ARGS)

LOCK := uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url -q

lock: ## resolve the dependencies anew (ARGS="--upgrade")
	@$(DEV) $(LOCK) --extra build -o requirements.lock $(ARGS)
	@$(DEV) $(LOCK) --extra dev --extra build -o requirements-dev.lock $(ARGS)
	@$(DEV) python -m deploy.embedded.jars --lock

clean: ## remove .venv, caches and the data folder (asks nothing; stop the system first)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
