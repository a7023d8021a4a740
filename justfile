# Tasks of a checkout. `just` alone lists them; `.ci/run` is what CI runs.

uv := `command -v uv || echo .uv/bin/uv`

# List the tasks
default:
    @just --list

# Create or update the environment of the checkout (.venv)
setup:
    @[ -x "{{uv}}" ] || { python3 -m venv .uv && .uv/bin/pip install -q uv; }
    @{{uv}} sync --quiet --inexact --extra test

# Everything that CI checks
check:
    .ci/run

# Run the tests, or those named
test *args: setup
    .venv/bin/python -m pytest {{args}}

# Lint, format and type checks
lint: setup
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy

# Format the code and repair what the linter can
format: setup
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# Generate the pages of the docs that come from the code
docs: setup
    .venv/bin/python -m docs.make_api
    .venv/bin/python -m docs.make_commands
    .venv/bin/python -m docs.make_json

# Run a benchmark, by the name in tests/benchmarks/bench_NAME.py
bench name *args: setup
    .venv/bin/python tests/benchmarks/bench_{{name}}.py {{args}}

# Build the packages and try them in empty environments
packages: setup
    .ci/packages
