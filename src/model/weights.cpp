#include "model/weights.h"

#include <cmath>
#include <string>

#include "config/inventory.h"
#include "model/weight_loader.h"

namespace glm5::model {
namespace {

// kv_b_proj holds per head nope_dim rows UK_h, then v_dim rows UV_h, each [·, latent_dim]. The heads do not end at
// borders of FP8 blocks, so it is dequantised and cut by heads: UK_h transposed, to multiply queries, and UV_h.
Status load_kv_b(WeightLoader& loader, const config::Config& config, const std::string& name,
                 AttentionWeights& weights) {
    const int64_t heads = config.num_heads, nope = config.nope_dim, v = config.v_dim, latent = config.latent_dim;
    GLM5_ASSIGN_OR_RETURN(const std::vector<float> kv_b, loader.dequantised(name, heads * (nope + v), latent));
    std::vector<float> absorb_k(heads * latent * nope);
    std::vector<float> v_up(heads * v * latent);
    for (int64_t head = 0; head < heads; ++head) {
        const float* source = kv_b.data() + head * (nope + v) * latent;
        float* transposed = absorb_k.data() + head * latent * nope;
        for (int64_t row = 0; row < nope; ++row)
            for (int64_t column = 0; column < latent; ++column)
                transposed[column * nope + row] = source[row * latent + column];
        std::copy_n(source + nope * latent, v * latent, v_up.data() + head * v * latent);
    }
    weights.absorb_k = loader.make_unquantised(absorb_k, heads, latent, nope);
    weights.v_up = loader.make_unquantised(v_up, heads, v, latent);
    return {};
}

// wk is used unquantised in every Numerics, whatever its stored form: FP8 and BF16 files share one path.
Status load_indexer(WeightLoader& loader, const config::Config& config, const std::string& prefix,
                    IndexerWeights& weights) {
    const int64_t hidden = config.hidden_size, dim = config.index_dim;
    GLM5_ASSIGN_OR_RETURN(weights.wq_b, loader.linear(prefix + "wq_b", config.index_heads * dim, config.q_lora_rank));
    GLM5_ASSIGN_OR_RETURN(const std::vector<float> wk, loader.dequantised(prefix + "wk", dim, hidden));
    weights.wk = loader.make_unquantised(wk, 1, dim, hidden);
    GLM5_ASSIGN_OR_RETURN(weights.weights_proj, loader.linear(prefix + "weights_proj", config.index_heads, hidden));
    GLM5_ASSIGN_OR_RETURN(weights.k_norm_weight, loader.vector(prefix + "k_norm.weight", dim));
    GLM5_ASSIGN_OR_RETURN(weights.k_norm_bias, loader.vector(prefix + "k_norm.bias", dim));
    return {};
}

Status load_attention(WeightLoader& loader, const config::Config& config, config::IndexerKind indexer,
                      const std::string& prefix, AttentionWeights& weights) {
    const int64_t hidden = config.hidden_size, heads = config.num_heads, q_lora = config.q_lora_rank;
    GLM5_ASSIGN_OR_RETURN(weights.q_a_proj, loader.linear(prefix + "q_a_proj", q_lora, hidden));
    GLM5_ASSIGN_OR_RETURN(weights.kv_a_proj,
                          loader.linear(prefix + "kv_a_proj_with_mqa", config.latent_dim + config.rope_dim, hidden));
    GLM5_ASSIGN_OR_RETURN(weights.q_a_norm, loader.vector(prefix + "q_a_layernorm.weight", q_lora));
    GLM5_ASSIGN_OR_RETURN(weights.kv_a_norm, loader.vector(prefix + "kv_a_layernorm.weight", config.latent_dim));
    GLM5_ASSIGN_OR_RETURN(weights.q_b_proj, loader.linear(prefix + "q_b_proj", heads * config.qk_head_dim(), q_lora));
    GLM5_RETURN_IF_ERROR(load_kv_b(loader, config, prefix + "kv_b_proj", weights));
    GLM5_ASSIGN_OR_RETURN(weights.o_proj, loader.linear(prefix + "o_proj", hidden, heads * config.v_dim));
    if (indexer == config::IndexerKind::full)
        GLM5_RETURN_IF_ERROR(load_indexer(loader, config, prefix + "indexer.", weights.indexer));
    return {};
}

Result<ops::GatedMlp> load_gated_mlp(WeightLoader& loader, const std::string& prefix, int64_t width, int64_t hidden) {
    ops::GatedMlp weights;
    GLM5_ASSIGN_OR_RETURN(weights.gate, loader.linear(prefix + "gate_proj", width, hidden));
    GLM5_ASSIGN_OR_RETURN(weights.up, loader.linear(prefix + "up_proj", width, hidden));
    GLM5_ASSIGN_OR_RETURN(weights.down, loader.linear(prefix + "down_proj", hidden, width));
    return weights;
}

Status load_moe(WeightLoader& loader, const config::Config& config, const std::string& prefix, MoeWeights& weights) {
    const int64_t hidden = config.hidden_size, width = config.moe_intermediate_size, count = config.num_experts;
    const std::string experts = prefix + "experts";
    GLM5_ASSIGN_OR_RETURN(weights.gate, loader.linear(prefix + "gate", count, hidden));
    GLM5_ASSIGN_OR_RETURN(weights.bias, loader.vector(prefix + "gate.e_score_correction_bias", count));
    GLM5_ASSIGN_OR_RETURN(weights.experts.gate, loader.experts(experts, "gate_proj", count, width, hidden));
    GLM5_ASSIGN_OR_RETURN(weights.experts.up, loader.experts(experts, "up_proj", count, width, hidden));
    GLM5_ASSIGN_OR_RETURN(weights.experts.down, loader.experts(experts, "down_proj", count, hidden, width));
    GLM5_ASSIGN_OR_RETURN(weights.shared,
                          load_gated_mlp(loader, prefix + "shared_experts.", config.shared_expert_width(), hidden));
    return {};
}

Status load_layer(WeightLoader& loader, const config::Config& config, int index, LayerWeights& weights) {
    const config::LayerKind kind = config.layer(index);
    const std::string prefix = fmt::format("model.layers.{}.", index);
    const int64_t hidden = config.hidden_size;
    GLM5_ASSIGN_OR_RETURN(weights.input_norm, loader.vector(prefix + "input_layernorm.weight", hidden));
    GLM5_RETURN_IF_ERROR(load_attention(loader, config, kind.indexer, prefix + "self_attn.", weights.attention));
    GLM5_ASSIGN_OR_RETURN(weights.post_attention_norm,
                          loader.vector(prefix + "post_attention_layernorm.weight", hidden));
    if (kind.mlp == config::MlpKind::sparse) return load_moe(loader, config, prefix + "mlp.", weights.moe);
    GLM5_ASSIGN_OR_RETURN(weights.dense_mlp, load_gated_mlp(loader, prefix + "mlp.", config.intermediate_size, hidden));
    return {};
}

// 1 / theta^(2i / rope_dim), in float32 as the published implementation computes it.
std::vector<float> inverse_frequencies(const config::Config& config) {
    std::vector<float> frequencies;
    const auto theta = static_cast<float>(config.rope_theta);
    for (int i = 0; i < config.rope_dim; i += 2)
        frequencies.push_back(1.0f / std::pow(theta, static_cast<float>(i) / static_cast<float>(config.rope_dim)));
    return frequencies;
}

int64_t total_bytes(const config::Config& config, const load::TensorSource& source) {
    int64_t bytes = 0;
    for (const config::Parameter& parameter : config::parameters(config))
        if (!parameter.mtp) bytes += stored_bytes(source, parameter.name);
    return bytes;
}

}  // namespace

Result<Weights> load_weights(const config::Config& config, const load::TensorSource& source, ops::Backend& backend,
                             const LoadProgress& progress) {
    WeightLoader loader(source, backend, progress, total_bytes(config, source));
    const int64_t bytes_before = backend.memory_use().tensor_bytes;
    Weights weights;
    GLM5_ASSIGN_OR_RETURN(weights.embed_tokens,
                          loader.table("model.embed_tokens", config.vocab_size, config.hidden_size));
    weights.inverse_frequency = backend.make_vector(inverse_frequencies(config));
    weights.layers.resize(config.num_layers);
    for (int i = 0; i < config.num_layers; ++i) GLM5_RETURN_IF_ERROR(load_layer(loader, config, i, weights.layers[i]));
    GLM5_ASSIGN_OR_RETURN(weights.norm, loader.vector("model.norm.weight", config.hidden_size));
    GLM5_ASSIGN_OR_RETURN(weights.lm_head, loader.linear("lm_head", config.vocab_size, config.hidden_size));
    weights.bytes = backend.memory_use().tensor_bytes - bytes_before;
    return weights;
}

}  // namespace glm5::model
