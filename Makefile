# The words of this project; `make help` lists them. Nothing is installed outside this folder.

# The newest; of two the system's own, which is built with profile-guided optimisation, as version managers' seldom are:
# it answers with a tenth less processor time.
PYTHON ?= $(shell for python in $(foreach version,3.14 3.13 3.12 3.11 3,/usr/bin/python$(version) python$(version)); do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
NO_PYTHON = Python 3.11 or newer with its venv module is needed. On Debian and Ubuntu: apt-get install python3-venv. \
	If yours has another name: make PYTHON=/path/to/python3
BIN := .venv/bin
READY := .venv/ready
BENCHES := changes mutations merges growth request execution access mail hostile floods prices tallies across lists search live desk import import_beside
# The schema that clients may be using: `make check` fails when a change breaks them.
BASE ?= HEAD^

# Whatever the shell says: processes begin in half the time with bytecode, and tests start hundreds.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup run test thorough days check schema clients soak bench endure web clean lock
.DELETE_ON_ERROR:

help: ## What each word does
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv from requirements.lock
	@echo ".venv is ready."

# In a group of its own, so that Ctrl-C ends the demo and not make, which would call that an error.
run: $(READY) ## Start the demo with a MongoDB of its own; ARGS="--customers 50"
	@if [ -t 0 ]; then set -m; fi; $(BIN)/python -m app demo $(ARGS) || test $$? = 130

PYTEST := $(BIN)/python -m pytest
IN_PARALLEL := -n 3 --dist loadgroup --ignore=tests/faults
FAULTS := -n 5 --dist loadfile tests/faults
# The faults run by themselves, because they judge how long things take, and most of it is waiting; and they run whatever
# failed before.
test: $(READY) ## Run the whole suite on a real MongoDB; ARGS="-k points"
	$(PYTEST) $(IN_PARALLEL) $(ARGS)$(if $(ARGS),,; status=$$?; $(PYTEST) $(FAULTS) && exit $$status)

thorough: $(READY) ## Run the suite with every case of what is generated; `make test` takes a part of the largest products
	THOROUGH=1 $(PYTEST) $(IN_PARALLEL) $(ARGS)

days: $(READY) ## Run the suite on three other days; ARGS="2028-02-29T12:00:00Z" for one of your own. Needs faketime
	$(BIN)/python -m tests.days $(ARGS) -- $(IN_PARALLEL)

check: $(READY) ## Format, lint, types, and whether schema.graphql is true and breaks nobody. Needs npm's registry once
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m pyright
	$(BIN)/python -m app schema --check schema.graphql
	$(BIN)/python -m tests.support.node tests/schema/lint eslint --config tests/schema/lint/eslint.config.js schema.graphql
	@if git show $(BASE):schema.graphql > .venv/base.graphql 2>/dev/null; \
	then $(BIN)/python -m app schema --against .venv/base.graphql; \
	else echo "No schema.graphql in $(BASE) to compare with."; fi

schema: $(READY) ## Write schema.graphql anew
	@$(BIN)/python -m app schema > .venv/schema.graphql && mv .venv/schema.graphql schema.graphql

clients: $(READY) ## Run examples/clients against a demo; ARGS="apollo urql" for some. Needs npm's registry and Chromium
	@$(BIN)/python -m tests.clients $(ARGS)

soak: $(READY) ## Hundreds of faults and kills, an upgrade and back, 18,000 ledgers, 50,000 queries by both executors; ARGS="--faults 20" for faults only
	@$(BIN)/python -m tests.faults.soak $(ARGS)
	$(if $(ARGS),,@$(BIN)/python -m tests.faults.external_requests)
	$(if $(ARGS),,@$(BIN)/python -m tests.faults.live)
	$(if $(ARGS),,@$(BIN)/python -m tests.faults.imports)
	$(if $(ARGS),,@$(BIN)/python -m tests.faults.upgrade)
	$(if $(ARGS),,@$(BIN)/python -m tests.domain.test_reconciliation 3000)
	$(if $(ARGS),,@$(BIN)/python -m tests.execution.soak)

bench: $(READY) ## This gateway beside five others, then all that bench/ asks; ARGS="--only w3 --rounds 1" for the first only
	@$(BIN)/python -m bench.peers $(ARGS)
	$(if $(ARGS),,@for module in $(BENCHES); do echo; echo "bench.$$module"; $(BIN)/python -m bench.$$module || exit 1; done)

endure: $(READY) ## Half an hour of everything at once on two workers, then three times the load; ARGS="--minutes 3" is shorter
	@$(BIN)/python -m bench.endure $(ARGS)

web: ## Build the pages that app/http/static holds, GraphiQL and the desk; needs Node.js
	cd web/desk && npm ci
	cd web && npm ci && npm run build
	cd web/desk && npm run build

clean: ## Remove .venv and all caches; the demo's data stay in .data/mongodb
	[ ! -d .data ] || find .data -mindepth 1 -maxdepth 1 ! -name mongodb -exec rm -rf {} +
	rm -rf .venv .hypothesis .pytest_cache .ruff_cache
	rm -rf web/node_modules web/desk/node_modules web/desk/src/generated tests/http/audit/node_modules tests/desk/provider/node_modules tests/schema/lint/node_modules bench/peers/node/node_modules
	rm -rf examples/clients/*/node_modules examples/clients/*/generated examples/clients/relay/walk.js examples/clients/python/.venv
	find app tests bench examples -name __pycache__ -prune -exec rm -rf {} +

lock: $(READY) ## Write requirements.lock anew from pyproject.toml; ARGS=--upgrade for newer versions
	$(BIN)/uv pip compile pyproject.toml --universal --all-extras --generate-hashes --no-header --no-emit-index-url \
		--no-emit-find-links --output-file requirements.lock --quiet $(ARGS)

# uv installs several times faster than pip, but knows nothing of pip's settings: we hand on its index, and leave
# whatever else is set to pip itself.
INSTALL := install --quiet --cache-dir .venv/cache --no-compile --no-deps --require-hashes --requirement

$(READY): requirements.lock
	@$(if $(PYTHON),,$(error $(NO_PYTHON)))
	@echo "Making .venv with $(PYTHON) …"
	@$(PYTHON) -m venv --clear .venv
	@sed -n '/^uv==/,/# via/p' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip --disable-pip-version-check $(INSTALL) .venv/uv.txt
	@index=$$($(BIN)/python -m pip config list | sed -n "s/.*\.index-url='\(.*\)'/\1/p" | head -n 1); \
	export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}"; \
	$(BIN)/uv pip $(INSTALL) requirements.lock --python $(BIN)/python || \
	{ echo "uv could not; pip takes over, more slowly."; \
	$(BIN)/python -m pip --disable-pip-version-check $(INSTALL) requirements.lock; }
	@rm -rf .venv/cache
	@touch $@
