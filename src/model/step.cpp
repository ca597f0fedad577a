#include "model/step.h"

#include <fmt/format.h>

namespace glm5::model {

StepBuffers StepBuffers::allocate(const config::Config& config, ops::Backend& backend, const ops::StepLimits& limits) {
    const int64_t rows = limits.max_tokens;
    const int64_t heads = config.num_heads;
    const DType activation = backend.activation_dtype();
    const auto tensor = [&](std::initializer_list<int64_t> shape) { return backend.allocate(activation, shape); };

    StepBuffers buffers;
    buffers.residual = tensor({rows, config.hidden_size});
    buffers.hidden = backend.allocate_activation(rows, config.hidden_size);
    buffers.delta = tensor({rows, config.hidden_size});
    buffers.cos_sin = backend.allocate(DType::f32, {rows, config.rope_dim / 2, 2});

    buffers.q_a = tensor({rows, config.q_lora_rank});
    buffers.kv_a = tensor({rows, config.latent_dim + config.rope_dim});
    buffers.q_norm = backend.allocate_activation(rows, config.q_lora_rank);
    buffers.q = tensor({rows, heads, config.qk_head_dim()});
    buffers.query = tensor({rows, heads, config.latent_dim + config.rope_dim});
    buffers.index.key = tensor({rows, config.index_dim});
    buffers.index.q = tensor({rows, config.index_heads, config.index_dim});
    buffers.index.query = backend.index_query_dtype() == activation
                              ? buffers.index.q
                              : backend.allocate(backend.index_query_dtype(), {rows, config.index_heads, config.index_dim});
    buffers.index.weights = backend.allocate(DType::f32, {rows, config.index_heads});
    buffers.selection.positions = backend.allocate(DType::i32, {rows, config.index_top_k});
    buffers.selection.counts = backend.allocate(DType::i32, {rows});
    buffers.latent_out = tensor({rows, heads, config.latent_dim});
    buffers.attention_heads = backend.allocate_activation(rows, heads * config.v_dim);

    buffers.expert_ids = backend.allocate(DType::i32, {rows, config.num_experts_per_token});
    buffers.expert_weights = backend.allocate(DType::f32, {rows, config.num_experts_per_token});

    buffers.logits = backend.allocate(DType::f32, {limits.max_logit_rows, config.vocab_size});
    return buffers;
}

StepBuffers StepBuffers::of_step(const ops::Batch& batch) const {
    StepBuffers step = *this;
    for (ops::Tensor* tensor : {&step.residual, &step.delta, &step.cos_sin, &step.q_a, &step.kv_a, &step.q, &step.query,
                                &step.index.key, &step.index.q, &step.index.query, &step.index.weights, &step.selection.positions,
                                &step.selection.counts, &step.latent_out, &step.expert_ids, &step.expert_weights})
        *tensor = tensor->first_rows(batch.num_tokens);
    for (ops::Activation* activation : {&step.hidden, &step.q_norm, &step.attention_heads})
        *activation = activation->first_rows(batch.num_tokens);
    step.logits = logits.first_rows(batch.num_logit_rows);
    return step;
}

void Step::observe(std::string_view name, const ops::Tensor& tensor) const {
    if (observer && tensor) observer(fmt::format("layers.{}.{}", layer, name), tensor);
}

}  // namespace glm5::model
