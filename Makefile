# `make rehearse` and `make test` work from a fresh clone: each sets up what it needs first, below
# one cache folder (see scripts/setup.sh), and takes no time over it when all is there.
#
#   make rehearse ENV=dev ARGS='--fault …'    another environment, more arguments
#   make test ARGS='--test it resume'         some of the tests

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

ENV := prod
ARGS :=
KILLS := 100
RACES := 50
SEED := 1

run := scripts/with-env

.PHONY: help rehearse breach faults breach-faults kill-bench race-bench test slow build bench lint setup

help:
	@echo 'make rehearse   set up, then fail the example stack over on this machine [ENV=prod] [ARGS=]'
	@echo 'make breach     set up, then let somebody break in, and take the example stack down and rebuild it [ENV=prod] [ARGS=]'
	@echo 'make faults     set up, then disturb every step of the example in every way, and write docs/faults.md'
	@echo 'make breach-faults set up, then disturb every step of a rebuild after a breach, and write docs/faults-breach.md'
	@echo 'make kill-bench set up, then kill 100 failovers at moments drawn by a seed [KILLS=100] [SEED=1]'
	@echo 'make race-bench set up, then let two operators start the same failover 50 times [RACES=50]'
	@echo 'make test       set up, then run the tests [ARGS=]'
	@echo 'make slow       set up, then run the tests that take a minute or more of Terraform each [ARGS=]'
	@echo 'make build      set up, then build'
	@echo 'make bench      set up, then measure lifeboat itself, a large review, counts, copies and rollbacks (benches/README.md)'
	@echo 'make lint       formatting, clippy, Terraform formatting, shell scripts'
	@echo 'make setup      only set up; says where the environment file is'

# As a failover would run Terraform: cargo's own setting of GOGC is for the tests.
rehearse:
	@$(run) env GOGC=$${GOGC:-100} cargo run -- rehearse $(ENV) $(ARGS)

breach:
	@$(run) env GOGC=$${GOGC:-100} cargo run -- rehearse $(ENV) --scenario breach $(ARGS)

faults:
	@$(run) cargo run -- rehearse prod --fault matrix --write-docs docs/faults.md $(ARGS)

breach-faults:
	@$(run) cargo run -- rehearse prod --scenario breach --fault matrix --together 4 --write-docs docs/faults-breach.md $(ARGS)

kill-bench:
	@$(run) cargo run -- rehearse prod --fault kills:$(KILLS) --seed $(SEED) $(ARGS)

race-bench:
	@$(run) cargo run -- rehearse prod --fault race:$(RACES) --seed $(SEED) $(ARGS)

test:
	@$(run) cargo test $(ARGS)

slow:
	@$(run) cargo test --test it -- --ignored --skip a_process_that_is_killed $(ARGS)

build:
	@$(run) cargo build $(ARGS)

bench:
	@$(run) cargo bench --no-fail-fast --bench overhead --bench review --bench count --bench transfer $(ARGS)

lint:
	@$(run) cargo fmt --check
	@$(run) cargo clippy --all-targets -- --deny warnings
	@$(run) sh -c 'tf=$$(command -v terraform || command -v tofu) && "$$tf" fmt -check -diff -recursive examples && "$$tf" fmt -check -diff -recursive environments'
	@if command -v shellcheck >/dev/null; then shellcheck -x scripts/setup.sh scripts/with-env examples/*/*.sh; \
	  else echo 'lint: the shell scripts were not checked: there is no shellcheck on the PATH' >&2; fi

setup:
	@scripts/setup.sh
