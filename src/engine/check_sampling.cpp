#include "engine/check_sampling.h"

#include <cmath>

#include "sample/sampler.h"

namespace glm5::engine {

Status check_sampling(const Sampling& sampling, const ModelInfo& info) {
    // Written so that NaN is refused.
    if (!(sampling.temperature >= 0) || !std::isfinite(sampling.temperature))
        return invalid_argument("temperature must be finite and at least 0, found {}", sampling.temperature);
    if (!(sampling.top_p > 0 && sampling.top_p <= 1))
        return invalid_argument("top_p must be above 0 and at most 1, found {}", sampling.top_p);
    if (sampling.top_k < 0) return invalid_argument("top_k must be at least 0, found {}", sampling.top_k);
    if (!(sampling.min_p >= 0 && sampling.min_p <= 1))
        return invalid_argument("min_p must be from 0 to 1, found {}", sampling.min_p);
    if (!(sampling.repetition_penalty > 0) || !std::isfinite(sampling.repetition_penalty))
        return invalid_argument("repetition_penalty must be finite and above 0, found {}", sampling.repetition_penalty);
    if (!std::isfinite(sampling.presence_penalty))
        return invalid_argument("presence_penalty must be finite, found {}", sampling.presence_penalty);
    if (!std::isfinite(sampling.frequency_penalty))
        return invalid_argument("frequency_penalty must be finite, found {}", sampling.frequency_penalty);
    for (const auto& [id, bias] : sampling.logit_bias) {
        if (id < 0 || id >= info.num_vocab_tokens)
            return invalid_argument("logit_bias: token id {} is out of vocabulary (0 to {})", id,
                                    info.num_vocab_tokens - 1);
        if (!std::isfinite(bias)) return invalid_argument("logit_bias: the bias of token id {} is {}", id, bias);
    }
    const size_t edits = sampling.logit_bias.size() + sampling.stop_token_ids.size() + info.eos_token_ids.size();
    if (edits > sample::kMaxEdits)
        return invalid_argument(
            "logit_bias and stop_token_ids, with the model's {} eos ids, may have {} entries in all, found {}",
            info.eos_token_ids.size(), sample::kMaxEdits, edits);
    if (sampling.max_tokens < 1) return invalid_argument("max_tokens must be at least 1, found {}", sampling.max_tokens);
    if (sampling.min_tokens < 0 || sampling.min_tokens > sampling.max_tokens)
        return invalid_argument("min_tokens must be from 0 to max_tokens ({}), found {}", sampling.max_tokens,
                                sampling.min_tokens);
    return {};
}

}  // namespace glm5::engine
