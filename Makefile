# Every habit of this repository. `make help` lists them.

# The product is one static binary; only scripts/test turns cgo on, for the
# race detector.
export CGO_ENABLED = 0

TOOL     := go tool -modfile=tools/go.mod
PACKAGES ?= ./...

# Seconds each fuzz target runs, and how often each benchmark does.
FUZZTIME ?= 30s
COUNT    ?= 6

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/nlpcanary
	go build -trimpath -o bin/nlpcanary ./cmd/nlpcanary

.PHONY: run
run: ## Serve on 127.0.0.1:8080 with SQLite in nlpcanary.db
	go run ./cmd/nlpcanary serve

.PHONY: demo
demo: ## Show the main job on real texts, from 0 % to a rollback
	go run ./cmd/nlpcanary demo --once

.PHONY: test
test: ## Run all tests (PostgreSQL's too) with the race detector
	./scripts/test

.PHONY: bench
bench: ## Run all benchmarks COUNT times and summarise them
	go test -run '^$$' -bench . -benchmem -count $(COUNT) $(PACKAGES) > bench.txt || { cat bench.txt; exit 1; }
	$(TOOL) benchstat bench.txt

.PHONY: verify-bound
verify-bound: ## Prove the bound: 200 rollbacks, 50 of them while PostgreSQL is killed
	go test ./internal/bound -run TestVerify -v -count 1 -timeout 2h -bound.lease 3s -bound.rollbacks 150 -bound.kills 50

.PHONY: bench-peers
bench-peers: ## Compare with what a team would use instead; fails if a goal is missed (needs wrk)
	@bin=$$(mktemp -d) && trap 'rm -rf "$$bin"' EXIT && \
		go build -o "$$bin/nlpcanary" ./cmd/nlpcanary && \
		go -C bench build -o "$$bin/relayproxy" github.com/thomaspoignant/go-feature-flag/cmd/relayproxy && \
		BENCH_BIN="$$bin" go -C bench test -v -count=1 -timeout 15m .

.PHONY: lint
lint: ## Run go vet, gofmt and golangci-lint
	go vet ./...
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; }
	$(TOOL) golangci-lint run

.PHONY: vuln
vuln: ## Look for known vulnerabilities that our code reaches
	$(TOOL) govulncheck ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME
	@grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | xargs -r -n 1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go | cut -d ' ' -f 2); do \
			echo "== $$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
		done; \
	done

.PHONY: generate
generate: ## Write the generated code anew (sqlc, go generate)
	$(TOOL) sqlc generate
	go generate ./...

.PHONY: tidy
tidy: ## Tidy go.mod, and that of the tools
	go mod tidy
	cd tools && go mod tidy

.PHONY: cover
cover: ## Write coverage.html
	./scripts/test -coverpkg=./... -coverprofile=coverage.out
	go tool cover -html=coverage.out -o coverage.html
	@go tool cover -func=coverage.out | tail -n 1

.PHONY: ci
ci: ## Do all that continuous integration does
	./.ci/run
