// What the tests of sampling share: rows of logits with their parameters, run through the CPU backend.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "backend/cpu/cpu_backend.h"

namespace glm5::sample_test {

// Defaults: sample the plain softmax.
struct Row {
    std::vector<float> logits;  // [vocab_size]
    float temperature = 1, top_p = 1, min_p = 0;
    int32_t top_k = 0;
    float repetition = 1, presence = 0, frequency = 0;
    uint64_t seed = 0;
    int32_t position = 0;
    std::vector<std::pair<int32_t, float>> edits;
    std::vector<std::pair<int32_t, int32_t>> history;  // id, times in the completion
};

std::unique_ptr<ops::Backend> make_backend(int threads);

// The token of each row; all of one vocab_size. num_vocab_tokens 0: all of it.
std::vector<int32_t> choose(const std::vector<Row>& rows, int num_vocab_tokens = 0, int threads = 2);

// Tokens of `row` at positions 0 … count - 1.
std::vector<int32_t> draw(const Row& row, int count);

std::vector<float> random_logits(size_t count, uint32_t seed, float deviation = 2);

}  // namespace glm5::sample_test
