# make run   build, then see it work: starter rules, simulated servers, sample pushes
# make test  everything: vet, lint, unit, race and end-to-end tests
# make help  the rest

.DEFAULT_GOAL := help
.PHONY: help run build test vet lint unit race e2e bench soak fuzz fuzz-pairs clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

run: build ## build and run the demo
	@./pushgate demo

build: ## build ./pushgate
	@go build -trimpath -o pushgate .

test: vet lint race e2e ## everything: vet, lint, unit and race tests, end to end

vet:
	go vet ./...

lint: ## gofmt, staticcheck, and the module files
	@test -z "$$(gofmt -l .)" || { echo "not formatted, run gofmt -w:"; gofmt -l .; exit 1; }
	go tool staticcheck ./...
	go mod tidy -diff
	go mod verify

unit: ## tests without the race detector, quick
	go test ./...

# Many tests wait for a clock rather than work.
race:
	go test -race -parallel 8 -timeout 10m ./...

e2e: build ## the program itself, once from the outside
	./pushgate check --strict
	./pushgate test --cover
	./pushgate demo --once --listen 127.0.0.1:0 > /dev/null

bench: ## benchmarks; ratios within one run
	go test -run '^$$' -bench . -benchtime 6x ./gateway
	go test -run '^$$' -bench . -benchmem ./gateway/ledger
	go test -run '^$$' -bench . -timeout 20m ./rules
	go test -run '^$$' -bench . -benchtime 100x ./rules/pattern

ROUNDS ?= 200
soak: ## kill the program ROUNDS times under load
	PUSHGATE_SOAK_ROUNDS=$(ROUNDS) go test -count=1 -timeout 2h -run TestKillLoop -v .

FUZZTIME ?= 1m
fuzz: ## each fuzz target for FUZZTIME
	go test -run '^$$' -fuzz FuzzParse -fuzztime $(FUZZTIME) -fuzzminimizetime 20x ./gateway/host
	go test -run '^$$' -fuzz FuzzHosts -fuzztime $(FUZZTIME) -fuzzminimizetime 20x ./gateway/host
	go test -run '^$$' -fuzz FuzzAddress -fuzztime $(FUZZTIME) -fuzzminimizetime 20x ./gateway/host/api
	go test -run '^$$' -fuzz FuzzAnswers -fuzztime $(FUZZTIME) -fuzzminimizetime 20x ./gateway/host/api
	go test -run '^$$' -fuzz FuzzJobPath -fuzztime $(FUZZTIME) ./triggers/jenkins
	go test -run '^$$' -fuzz FuzzPattern -fuzztime $(FUZZTIME) ./rules/pattern

PAIRS ?= 10000000
fuzz-pairs: ## compare PAIRS random patterns and values with doublestar and the reference
	PUSHGATE_PAIRS=$(PAIRS) go test -count=1 -timeout 2h -run TestAgainst -v ./rules/pattern

clean: ## remove what was built
	rm -f pushgate
