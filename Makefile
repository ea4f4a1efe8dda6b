# Two commands are enough: `make demo` shows what fxd does, `make test` proves it.
# Needs make and Python 3.11 or 3.12; everything else goes into .venv and .cache.

.DEFAULT_GOAL := help
.PHONY: help all demo test lint typecheck bench clean systemd-analyze chromium npm

VENV := .venv
BIN := $(VENV)/bin
# Stamps: one environment, first with what fxd runs on, then with the tools on top.
RUN := $(VENV)/.run
DEV := $(VENV)/.dev

MEDIA := $(CURDIR)/.cache/media
export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore

# A name alone proves nothing (version managers install stand-ins): each is asked.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3,\
	$(shell $(name) -c '$(SUPPORTED)' >/dev/null 2>&1 && echo $(name))))

help:
	@echo "make demo       run fxd on two clips and show what it makes of them"
	@echo "make test       run all tests, with coverage"
	@echo "make lint       check style and format"
	@echo "make typecheck  check types"
	@echo "make all        lint, typecheck, test"
	@echo "make bench      measure against peers and limits"
	@echo "make clean      remove what was built; downloads in .cache stay"

all: lint typecheck test

demo: $(RUN)
	FXD_MEDIA=$(MEDIA) $(BIN)/python -m tests.demo

# Left out unless asked for: make test SLOW= runs them, too.
SLOW ?= -m "not slow"
# Many tests wait for a daemon most of the time, so several run side by side.
WORKERS ?= --numprocesses 3 --dist loadscope --no-loadscope-reorder

# Parts of the data come from children that were killed: coverage combines what there is.
test: $(DEV) systemd-analyze chromium npm
	@mkdir -p .cache
	$(BIN)/python -m tests.prepare
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(WORKERS) $(SLOW) --durations=40 --durations-min=5 $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet -o .cache/coverage.json
	$(BIN)/coverage report --fail-under=90
	$(BIN)/python -m tests.coverage_gate .cache/coverage.json

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(DEV)
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	rm -f .coverage .coverage.*
	find . -name __pycache__ -type d -not -path './.cache/*' -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "fxd needs Python 3.11 or 3.12: none was found." \
		"Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make virtual" \
		"environments. On Debian and Ubuntu: apt-get install $(notdir $(PYTHON))-venv" >&2; exit 1; }

# setuptools is in the lock, so the last step builds without a download.
$(RUN): $(VENV)/pyvenv.cfg requirements.lock pyproject.toml
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index \
		--config-settings editable_mode=compat -e .
	$(BIN)/python -m compileall -q daemon handlers models
	touch $@

$(DEV): $(VENV)/pyvenv.cfg requirements-dev.lock pyproject.toml
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index \
		--config-settings editable_mode=compat -e .
	touch $(RUN) $@

# $(call require,WHAT,PROGRAM,PACKAGE): what tests need beside Python is installed where that may be.
define require
	@command -v $(2) >/dev/null || { \
		command -v apt-get >/dev/null || { \
			echo "The tests need $(1): install it." >&2; exit 1; }; \
		test "$$(id -u)" = 0 && as_root= || as_root="sudo -n"; \
		{ $$as_root apt-get -qq update && $$as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get -qq install --no-install-recommends $(3) </dev/null; } || { \
			echo "The tests need $(1), and it could not be installed." \
				"As root: apt-get install $(3)" >&2; exit 1; }; }
endef

# The tests let systemd itself judge the units; it does not need to run for that.
systemd-analyze:
	$(call require,systemd-analyze,systemd-analyze,systemd)

# The tests open the pages in a real browser.
chromium:
ifndef FXD_CHROMIUM
	$(call require,Chromium,chromium,chromium)
endif

# Some published models are packages of npm; nothing but this download needs it.
npm:
	$(call require,npm,npm,npm)
