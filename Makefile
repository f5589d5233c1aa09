.PHONY: run test race lint bench ci

run: ## the whole hub on embedded engines
	go run ./cmd/hub

test:
	go test ./...

race:
	go test -race ./...

lint:
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

bench: ## beside its peers, on engines that it starts; writes deploy/bench/RESULTS.md
	go run ./cmd/proof bench

ci:
	bash .ci/run
