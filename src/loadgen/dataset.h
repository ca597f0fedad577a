// The prompts of a benchmark, as the datasets of `vllm bench serve` make them: the same ones for the same seed and
// tokenizer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "loadgen/benchmark.h"
#include "loadgen/random.h"
#include "text/tokenizer.h"

namespace glm5::loadgen {

struct Sample {
    std::string prompt;
    int64_t prompt_tokens = 0;
    int64_t output_tokens = 0;  // asked for
};

// The prompts in the order of sending: num_prompts, or, for prefix repetition, the largest multiple of num_prefixes
// up to it. `random` is numpy.random of the run, which only prefix repetition draws from. Errors: options that do not
// fit, a file that is not there or not of the format, no tokenizer where one is needed.
Result<std::vector<Sample>> make_dataset(const BenchmarkOptions& options, const text::Tokenizer* tokenizer,
                                         NumpyLegacyRandom& random);

// The parts that make_dataset chooses from.
Result<std::vector<Sample>> random_dataset(const BenchmarkOptions& options, const text::Tokenizer& tokenizer);
Result<std::vector<Sample>> prefix_repetition_dataset(const BenchmarkOptions& options, const text::Tokenizer& tokenizer,
                                                      NumpyLegacyRandom& random);
Result<std::vector<Sample>> sharegpt_dataset(const BenchmarkOptions& options, const text::Tokenizer& tokenizer);
Result<std::vector<Sample>> custom_dataset(const BenchmarkOptions& options, const text::Tokenizer* tokenizer);

// What the random dataset draws before it makes texts.
struct RandomLengths {
    std::vector<int64_t> input_lens, output_lens, offsets;  // [num_prompts]
};
RandomLengths draw_random_lengths(const BenchmarkOptions& options, int64_t vocabulary_size, NumpyGenerator& generator);

}  // namespace glm5::loadgen
