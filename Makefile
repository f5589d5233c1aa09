.PHONY: run test race lint ci

run: ## the whole hub on embedded engines
	go run ./cmd/hub

test:
	go test ./...

race:
	go test -race ./...

lint:
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

ci:
	bash .ci/run
