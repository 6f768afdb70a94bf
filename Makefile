# Weft. `make` lists what there is to do.

GO ?= go

.DEFAULT_GOAL := help
.PHONY: bench build clean cluster-demo help peers run soak test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build weft and take the tour
	@bin/weft tour

build: ## build bin/weft
	@$(GO) build -o bin/ ./cmd/weft

test: ## all checks and tests; prints what failed and how to run it again
	@GO='$(GO)' scripts/test

soak: ## faults, fuzzing and new tests repeated, for longer: TIME=5s COUNT=3 SINCE=HEAD~10
	@GO='$(GO)' scripts/soak

bench: ## all benchmarks, printed as Markdown: BENCH="names" FLAGS="-quick"
	@$(GO) build -o bin/ ./bench
	@for name in $(or $(BENCH),$$(bin/bench | awk '/^  / { print $$1 }')); do bin/bench $$name $(FLAGS) || exit; done

cluster-demo: ## a cluster of three workers on this machine, one of them killed
	@GO='$(GO)' scripts/cluster-demo

peers: ## the Python libraries that benchmarks compare with (Python 3.11 or later)
	@bench/peers/setup

clean: ## delete what these targets made
	rm -rf bin bench/peers/venv
