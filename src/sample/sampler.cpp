#include "sample/sampler.h"

namespace glm5::sample {

Sampler::Sampler(ops::Backend& backend, int max_num_rows, int num_vocab_tokens)
    : backend_(backend), tokens_(backend.allocate(DType::i32, {max_num_rows})), num_vocab_tokens_(num_vocab_tokens) {}

schedule::StepResult Sampler::sample(const schedule::StepPlan& plan, const ops::Tensor& logits) {
    schedule::StepResult result;
    for (const auto& sequence : plan.sequences)
        if (sequence.wants_token) result.accepted.push_back({.id = sequence.id()});
    if (result.accepted.empty()) return result;

    const ops::Tensor tokens = tokens_.first_rows(static_cast<int64_t>(result.accepted.size()));
    backend_.sample({.tokens = tokens, .logits = logits, .num_vocab_tokens = num_vocab_tokens_});
    std::vector<int32_t> chosen(result.accepted.size());
    backend_.copy_to_host(chosen.data(), tokens, tokens.bytes());
    for (size_t i = 0; i < chosen.size(); ++i) result.accepted[i].token = chosen[i];
    return result;
}

}  // namespace glm5::sample
