# All it needs is python3 (3.11 to 3.13) with venv, make, and PyPI. `make run` serves, `make demo` shows.
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null)

# How long the fault campaign lasts, and what chance its faults come from.
SECONDS ?= 600
SEED ?= 1

# What the benchmark measures (nothing named: all of it), how often, and how many jobs its large database has.
SECTIONS ?=
ROUNDS ?= 5
ROWS ?= 10000

.PHONY: run demo test lint chaos bench

run: .venv/ready
	$(BIN)/python manage.py up

demo: .venv/ready
	$(BIN)/python manage.py demo $(if $(PHOTO),--photo "$(PHOTO)")

test: .venv/ready-for-tests
	$(BIN)/python -m pytest --numprocesses 6 --dist loadfile --no-loadscope-reorder $(ARGS)

chaos: .venv/ready-for-tests
	$(BIN)/python -m tests.faults.campaign --seconds $(SECONDS) --seed $(SEED)

bench: .venv/ready-for-tests
	$(BIN)/python -m tests.bench --rounds $(ROUNDS) --rows $(ROWS) $(SECTIONS)

lint: .venv/ready-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/python manage.py makemigrations --check --dry-run
	secret=$$(head -c 48 /dev/urandom | base64 -w0); \
	PUBLIC_URL=https://gateway.example SECRET_KEY=$$secret FIELD_ENCRYPTION_KEYS=$$secret \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

# Installed again whenever what is required changes.
.venv/ready: requirements.txt
ifneq ($(UV),)
	test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) .venv
	uv pip install --quiet --python $(BIN)/python -r $<
else
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
endif
	touch $@

.venv/ready-for-tests: tests/requirements.txt .venv/ready
ifneq ($(UV),)
	uv pip install --quiet --python $(BIN)/python -r $<
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
endif
	touch $@
