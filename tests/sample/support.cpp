#include "support.h"

#include <algorithm>
#include <random>

namespace glm5::sample_test {
namespace {

template <typename T>
ops::Tensor tensor(std::vector<T>& values, DType dtype) {
    return {values.data(), dtype, {static_cast<int64_t>(values.size())}};
}

}  // namespace

std::unique_ptr<ops::Backend> make_backend(int threads) { return cpu::make_cpu_backend({}, threads).value(); }

std::vector<int32_t> choose(const std::vector<Row>& rows, int num_vocab_tokens, int threads) {
    static const auto one = make_backend(1), two = make_backend(2);
    std::vector<float> logits, temperature, top_p, min_p, repetition, presence, frequency, edit_values;
    std::vector<int32_t> top_k, position, edit_start{0}, edit_ids, history_start{0}, history_ids, history_counts;
    std::vector<int64_t> seed;
    for (const Row& row : rows) {
        logits.insert(logits.end(), row.logits.begin(), row.logits.end());
        temperature.push_back(row.temperature);
        top_p.push_back(row.top_p);
        min_p.push_back(row.min_p);
        top_k.push_back(row.top_k);
        repetition.push_back(row.repetition);
        presence.push_back(row.presence);
        frequency.push_back(row.frequency);
        seed.push_back(static_cast<int64_t>(row.seed));
        position.push_back(row.position);
        for (const auto& [id, value] : row.edits) edit_ids.push_back(id), edit_values.push_back(value);
        for (const auto& [id, count] : row.history) history_ids.push_back(id), history_counts.push_back(count);
        edit_start.push_back(static_cast<int32_t>(edit_ids.size()));
        history_start.push_back(static_cast<int32_t>(history_ids.size()));
    }
    const auto vocabulary = static_cast<int64_t>(rows[0].logits.size());
    std::vector<int32_t> tokens(rows.size(), -1);
    ops::SampleArgs args{.tokens = tensor(tokens, DType::i32),
                         .logits = {logits.data(), DType::f32, {static_cast<int64_t>(rows.size()), vocabulary}},
                         .parameters = {.temperature = tensor(temperature, DType::f32),
                                        .top_p = tensor(top_p, DType::f32),
                                        .min_p = tensor(min_p, DType::f32),
                                        .top_k = tensor(top_k, DType::i32),
                                        .repetition_penalty = tensor(repetition, DType::f32),
                                        .presence_penalty = tensor(presence, DType::f32),
                                        .frequency_penalty = tensor(frequency, DType::f32),
                                        .seed = tensor(seed, DType::i64),
                                        .position = tensor(position, DType::i32),
                                        .edit_start = tensor(edit_start, DType::i32),
                                        .edit_ids = tensor(edit_ids, DType::i32),
                                        .edit_values = tensor(edit_values, DType::f32),
                                        .history_start = tensor(history_start, DType::i32),
                                        .history_ids = tensor(history_ids, DType::i32),
                                        .history_counts = tensor(history_counts, DType::i32)},
                         .num_vocab_tokens = num_vocab_tokens > 0 ? num_vocab_tokens : static_cast<int>(vocabulary)};
    (threads == 1 ? one : two)->sample(args);
    return tokens;
}

std::vector<int32_t> draw(const Row& row, int count) {
    std::vector<int32_t> tokens;
    for (int first = 0; first < count; first += 1024) {
        std::vector<Row> rows(std::min(1024, count - first), row);
        for (size_t i = 0; i < rows.size(); ++i) rows[i].position = first + static_cast<int>(i);
        const auto chosen = choose(rows);
        tokens.insert(tokens.end(), chosen.begin(), chosen.end());
    }
    return tokens;
}

std::vector<float> random_logits(size_t count, uint32_t seed, float deviation) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> logits(count);
    for (float& logit : logits) logit = normal(generator);
    return logits;
}

}  // namespace glm5::sample_test
