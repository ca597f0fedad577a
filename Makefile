# Every target works on a fresh Debian 12 machine: it installs the packages it needs first (scripts/install-deps).

JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 10
PORT ?= 8000
BENCH_PORT ?= 8090

.PHONY: help deps build serve test eval sanitize tsan fuzz bench bench-serve cuda gpu-test format lint clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

deps:
	@scripts/install-deps

build: deps  ## build/release/glm5
	@[ -f build/release/build.ninja ] || cmake --preset release
	cmake --build --preset release -j $(JOBS)

serve: deps  ## serve models/glm5-nano on port $(PORT)
	@[ -f build/release/build.ninja ] || cmake --preset release
	cmake --build --preset release -j $(JOBS) --target glm5
	build/release/glm5 serve models/glm5-nano --port $(PORT)

test: build  ## unit tests, golden values, and the end-to-end suite
	ctest --test-dir build/release --output-on-failure -LE gpu -j $(JOBS)

eval: build  ## the whole task evaluation of glm5-nano over HTTP
	python3 tests/e2e/eval.py --same-as-alone --glm5 build/release/glm5

sanitize: deps  ## the unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@[ -f build/asan/build.ninja ] || cmake --preset asan
	cmake --build --preset asan -j $(JOBS) --target unit_tests
	ctest --test-dir build/asan --output-on-failure -LE 'gpu|e2e|slow' -j $(JOBS)

TSAN_TESTS = http api schedule engine
tsan: deps  ## the tests of what has threads under ThreadSanitizer
	@[ -f build/tsan/build.ninja ] || cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS) --target $(TSAN_TESTS:=_test)
	TSAN_OPTIONS=halt_on_error=1 ctest --test-dir build/tsan --output-on-failure \
		-L '^(http|api|schedule|engine)$$' -LE slow -j $(JOBS)

fuzz: deps  ## each libFuzzer target for $(FUZZ_SECONDS) s
	@[ -f build/fuzz/build.ninja ] || cmake --preset fuzz
	cmake --build --preset fuzz -j $(JOBS) --target fuzz_programs
	scripts/fuzz build/fuzz $(FUZZ_SECONDS)

bench: build  ## tokenizer, template, ops and whole-model figures of this machine
	scripts/bench build/release

bench-serve: deps  ## load on glm5-nano over HTTP at rising concurrency: build/release/sweep/*.html
	@[ -f build/release/build.ninja ] || cmake --preset release
	cmake --build --preset release -j $(JOBS) --target glm5
	scripts/bench-serve build/release $(BENCH_PORT)

cuda: deps  ## build/cuda/glm5 with the CUDA backend for every architecture; needs the CUDA toolkit, and no GPU
	@[ -f build/cuda/build.ninja ] || cmake --preset cuda
	cmake --build --preset cuda -j $(JOBS)

gpu-test: cuda  ## the tests of the CUDA backend, on a machine with a GPU
	ctest --test-dir build/cuda --output-on-failure -L gpu

format: ## clang-format in place
	git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | grep -v '_tables' | xargs clang-format -i

lint: build  ## clang-tidy on every source file
	git ls-files 'src/*.cpp' 'apps/*.cpp' | xargs clang-tidy -p build/release --quiet

clean:
	rm -rf build
