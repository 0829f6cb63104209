# `make demo` and `make test` set up everything they need in .venv. PYTHON: an interpreter of version 3.10 .. 3.13.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.tools
# The lowest versions that setup.cfg allows, on the lowest Python: PYTHON310, else the python3.10 of the path or of pyenv.
LOWEST := .venv-lowest
# PyTorch, JAX and Optax beside the package.
ELSEWHERE := .venv-elsewhere
PYTHON310 ?= $(shell .ci/python310)

.PHONY: demo demo-learned check lint types test browser smoke test-slow smoke-lowest docs dist bench clean

$(INSTALLED): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.10 .. 3.13 is needed: make PYTHON=/path/to/python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip  # the one that comes with Python 3.10 can't resolve these requirements
	$(RUN) -m pip install --quiet --editable '.[test]'
	@touch $@

# Linters, type checker, builders of packages and documentation.
$(TOOLS): $(INSTALLED)
	$(RUN) -m pip install --quiet --editable '.[test,dev,docs,tutorials]'
	@touch $@

DEMO_TASKS := mlp_family_seed30 conv_pooling_family_seed10 mlp_ae_family_seed26 quadratic_family_seed18 losg_tasks_family_seed17
DEMO_OUT ?= demo

demo: $(INSTALLED)
	$(RUN) -m taskset baseline $(DEMO_TASKS) --source synthetic --steps 300 --seeds 2 --batches 2 --out $(DEMO_OUT)
	$(RUN) -m taskset plot $(DEMO_OUT) $(addprefix --task ,$(DEMO_TASKS)) --out $(DEMO_OUT)/curves.png
	@echo
	@echo "Try next:"
	@echo "  $(RUN) -m taskset show mlp_family_seed30           what a task is"
	@echo "  $(RUN) -m taskset train mlp_family_seed30 --source synthetic --optimizer nadamw_grid_seed251"
	@echo "  $(RUN) -c 'import taskset; print(taskset.load_curves(root=\"$(DEMO_OUT)\").head())'"
	@echo "  $(RUN) -m taskset list 'conv*_seed1?'              more names"

# An optimizer trained from nothing, against 17 Adam rates; fails where it doesn't beat them. examples/demo_learned.py says more.
DEMO_LEARNED_OUT ?= demo-learned

demo-learned: $(INSTALLED)
	$(RUN) -m examples.demo_learned --out $(DEMO_LEARNED_OUT)

# What to run before each commit: less than three minutes.
check: lint types smoke

lint: $(TOOLS)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/hadolint Dockerfile

types: $(TOOLS)
	$(RUN) -m mypy

# One walk through each part of the package.
smoke: $(INSTALLED)
	$(RUN) -m pytest -n 2 --dist worksteal -m smoke

# The same with the lowest versions that setup.cfg allows.
smoke-lowest:
ifeq ($(PYTHON310),)
	@echo "smoke-lowest: left out, as there is no python3.10 on the path or in pyenv; PYTHON310=/path/to/python3.10 names one"
else
	$(PYTHON310) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --upgrade pip
	$(LOWEST)/bin/python -m pip install --quiet --constraint requirements/lowest.txt --editable '.[test]'
	$(LOWEST)/bin/python -m pytest -n 2 --dist worksteal -m smoke
endif

# Real-data tests read TFDS_DATA_DIR and are skipped where it is not set.
test: $(INSTALLED)
	$(RUN) -m pytest -n 2 --dist worksteal --durations 15

# The tutorials whole: with PyTorch, JAX and the other packages that some blocks need, and with those that take minutes.
.PHONY: test-tutorials
test-tutorials: $(INSTALLED)
	$(RUN) -m pip install --quiet --editable '.[test,tutorials,elsewhere]'
	$(RUN) -m pytest -m "slow or not slow" tests/test_tutorials.py --durations 0

# What works with PyTorch, JAX and Optax, in an environment of its own: exports, tasks and scores of their optimizers.
.PHONY: test-elsewhere
test-elsewhere:
	$(PYTHON) -m venv $(ELSEWHERE)
	$(ELSEWHERE)/bin/python -m pip install --quiet --upgrade pip
	$(ELSEWHERE)/bin/python -m pip install --quiet --editable '.[test,elsewhere]'
	$(ELSEWHERE)/bin/python -m pytest -n 2 --dist worksteal -m "elsewhere and not slow" --durations 5

# Every curve that the repository has: whole, and what the tables say of them.
.PHONY: check-data
check-data: $(INSTALLED)
	$(RUN) -m pytest -n 2 --dist worksteal -m baselines tests/normalization/release

# What takes tens of seconds a test: killed workers, whole small trainings, every layout of an unrolled training.
.PHONY: test-long
test-long: $(INSTALLED)
	$(RUN) -m pytest -n 2 --dist worksteal -m "long and not slow" --durations 5

test-slow: $(INSTALLED)
	$(RUN) -m pytest -n 2 -m slow --durations 15

# Sweeps and trainings on a Ray cluster of two raylets on this machine: four minutes.
.PHONY: test-ray
test-ray: $(INSTALLED)
	$(RUN) -m pip install --quiet --editable '.[test,ray]'
	$(RUN) -m pytest tests/test_ray.py

# The page of results in headless Chromium, which .ci/chromium finds or installs.
browser: $(INSTALLED)
	@if found=$$(.ci/chromium); then \
	  $(RUN) -m pip install --quiet --editable '.[test,browser]' && CHROMIUM=$$found $(RUN) -m pytest -m browser; \
	else echo "browser: left out, as there is no chromium here and apt-get can't install it; CHROMIUM=/path/to/it names one"; fi

# The site, in site/. --strict: a warning is an error.
docs: $(TOOLS)
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(RUN) -m mkdocs build --strict --quiet

# Wheel and source distribution in dist/, checked, installed each into an environment of its own, and used there.
dist: $(TOOLS)
	rm -rf dist build
	$(RUN) -m build --outdir dist .
	$(RUN) -m twine check --strict dist/*
	$(RUN) .ci/try_packages.py dist

# The tables of docs/benchmarks.md and docs/families.md: an hour of an otherwise idle machine. Real data where TFDS_DATA_DIR says.
bench: $(INSTALLED)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(RUN) -m benchmarks.inner --publish
	$(RUN) -m benchmarks.modes --publish
	$(RUN) -m benchmarks.compile --publish
	$(RUN) -m benchmarks.sweep $(if $(TFDS_DATA_DIR),--source tfds --data-dir $(TFDS_DATA_DIR)) --publish
	$(RUN) -m benchmarks.cheap_sweeps --publish
	$(RUN) -m benchmarks.startup --publish
	$(RUN) -m benchmarks.outer --publish
	$(RUN) -m benchmarks.outer_speed --publish
	$(RUN) -m benchmarks.outer_workers --publish
	$(RUN) -m benchmarks.memory --publish
	$(RUN) -m benchmarks.export --out bench-programs --publish
	$(RUN) -m benchmarks.demo --publish
	$(RUN) -m tools.costs --publish

clean:
	rm -rf $(VENV) $(LOWEST) $(ELSEWHERE) demo demo-learned bench-programs build dist site *.egg-info
