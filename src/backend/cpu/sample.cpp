// sample: edits and penalties of every row, then its choice.
#include "backend/cpu/backend.h"
#include "ops/sampling_math.h"

namespace glm5::cpu {
namespace {

RowParameters row_parameters(const ops::SampleParameters& parameters, int64_t row) {
    return {.temperature = parameters.temperature.as<float>()[row],
            .top_p = parameters.top_p.as<float>()[row],
            .min_p = parameters.min_p.as<float>()[row],
            .top_k = parameters.top_k.as<int32_t>()[row],
            .seed = static_cast<uint64_t>(parameters.seed.as<int64_t>()[row]),
            .position = static_cast<uint32_t>(parameters.position.as<int32_t>()[row])};
}

// Steps 1 and 2.
void edit_logits(float* logits, const ops::SampleParameters& parameters, int64_t row) {
    const int32_t* edit_start = parameters.edit_start.as<int32_t>() + row;
    for (int32_t i = edit_start[0]; i < edit_start[1]; ++i)
        logits[parameters.edit_ids.as<int32_t>()[i]] += parameters.edit_values.as<float>()[i];

    const int32_t* history_start = parameters.history_start.as<int32_t>() + row;
    const float repetition = parameters.repetition_penalty.as<float>()[row];
    const float presence = parameters.presence_penalty.as<float>()[row];
    const float frequency = parameters.frequency_penalty.as<float>()[row];
    for (int32_t i = history_start[0]; i < history_start[1]; ++i) {
        float& logit = logits[parameters.history_ids.as<int32_t>()[i]];
        logit = ops::penalised(logit, repetition, presence, frequency, parameters.history_counts.as<int32_t>()[i]);
    }
}

}  // namespace

void CpuBackend::sample(const ops::SampleArgs& args) {
    const int64_t rows = args.tokens.rows(), vocabulary = args.logits.shape[1];
    GLM5_CHECK(args.num_vocab_tokens >= 1 && args.num_vocab_tokens <= vocabulary, "{} of {}", args.num_vocab_tokens,
               vocabulary);
    GLM5_CHECK(args.logits.rows() >= rows && args.parameters.seed.rows() == rows, "{} rows", rows);
    row_samplers_.resize(pool_.num_threads());
    for_rows(rows, vocabulary, [&](int64_t row, int thread) {
        float* logits = args.logits.as<float>() + row * vocabulary;
        edit_logits(logits, args.parameters, row);
        args.tokens.as<int32_t>()[row] = row_samplers_[thread].choose(std::span(logits, args.num_vocab_tokens),
                                                                      row_parameters(args.parameters, row));
    });
}

}  // namespace glm5::cpu
