#include "model/decoder.h"

#include <algorithm>

#include "model/attention.h"
#include "model/mlp.h"

namespace glm5::model {
namespace {

// The widest row that an op reads or writes.
int64_t max_width(const config::Config& config) {
    const int64_t heads = config.num_heads;
    return std::max<int64_t>({config.hidden_size, config.intermediate_size, config.q_lora_rank,
                              heads * config.qk_head_dim(), heads * (config.latent_dim + config.rope_dim),
                              heads * config.v_dim, int64_t{config.index_heads} * config.index_dim});
}

}  // namespace

Result<std::unique_ptr<Decoder>> Decoder::load(const config::Config& config, const load::TensorSource& source,
                                               ops::Backend& backend, const ops::StepLimits& limits,
                                               const LoadProgress& progress) {
    GLM5_CHECK(limits.max_tokens >= 1 && limits.max_logit_rows >= 1 && limits.max_context_tokens >= 1);
    GLM5_ASSIGN_OR_RETURN(Weights weights, load_weights(config, source, backend, progress));
    ops::StepLimits all_limits = limits;
    all_limits.max_width = max_width(config);
    all_limits.top_k = config.index_top_k;
    all_limits.num_experts = config.num_experts;
    all_limits.experts_per_token = config.num_experts_per_token;
    all_limits.hidden_size = config.hidden_size;
    all_limits.mlp_width =
        std::max({config.intermediate_size, config.moe_intermediate_size, config.shared_expert_width()});
    all_limits.expert_width = std::max(config.moe_intermediate_size, config.shared_expert_width());
    all_limits.vocab_size = config.vocab_size;
    backend.prepare(all_limits);
    return std::unique_ptr<Decoder>(new Decoder(config, backend, limits, std::move(weights)));
}

Decoder::Decoder(const config::Config& config, ops::Backend& backend, const ops::StepLimits& limits, Weights weights)
    : config_(config),
      backend_(backend),
      weights_(std::move(weights)),
      buffers_(StepBuffers::allocate(config, backend, limits)) {}

ops::Tensor Decoder::forward(const ops::Batch& batch, std::span<const ops::LayerCache> caches) {
    GLM5_CHECK(caches.size() == weights_.layers.size(), "{} caches, {} layers", caches.size(), weights_.layers.size());
    GLM5_CHECK(batch.num_tokens >= 1 && batch.num_tokens <= buffers_.residual.rows(), "{} tokens", batch.num_tokens);
    const StepBuffers buffers = buffers_.of_step(batch);
    observe("token_ids", batch.token_ids);
    observe("positions", batch.positions);
    observe("sequence_ids", batch.sequence_ids);
    observe("logit_rows", batch.logit_rows);

    backend_.embed({.hidden = buffers.residual, .table = weights_.embed_tokens, .batch = &batch});
    backend_.rope_table({.cos_sin = buffers.cos_sin, .inverse_frequency = weights_.inverse_frequency, .batch = &batch});
    observe("embed", buffers.residual);

    ops::Tensor delta;  // of the half layer before; nothing yet
    for (size_t i = 0; i < weights_.layers.size(); ++i) {
        const LayerWeights& layer = weights_.layers[i];
        const Step step{config_, backend_, batch, buffers, observer_, static_cast<int>(i)};

        add_norm(buffers, delta, layer.input_norm);
        step.observe("input_norm", buffers.hidden.values);
        attention(step, layer.attention, caches[i]);

        delta = buffers.delta;
        add_norm(buffers, delta, layer.post_attention_norm);
        step.observe("residual", buffers.residual);
        step.observe("post_attention_norm", buffers.hidden.values);
        if (layer.moe)
            mixture_of_experts(step, layer.moe);
        else
            dense_mlp(step, layer.dense_mlp);
    }
    add_norm(buffers, delta, weights_.norm);
    observe("residual", buffers.residual);
    observe("norm", buffers.hidden.values);

    if (batch.num_logit_rows > 0) {
        backend_.lm_head(
            {.logits = buffers.logits, .hidden = buffers.hidden, .head = weights_.lm_head, .batch = &batch});
        observe("logits", buffers.logits);
    }
    return buffers.logits;
}

// residual += delta; hidden = norm(residual).
void Decoder::add_norm(const StepBuffers& buffers, const ops::Tensor& delta, const ops::Tensor& weight) {
    backend_.add_norm({.out = buffers.hidden,
                       .residual = buffers.residual,
                       .delta = delta,
                       .weight = weight,
                       .eps = config_.rms_norm_eps});
}

void Decoder::observe(std::string_view name, const ops::Tensor& tensor) const {
    if (observer_ && tensor.elements() > 0) observer_(name, tensor);
}

}  // namespace glm5::model
