#include "model/attention.h"

#include <cmath>

namespace glm5::model {
namespace {

// What reads the normed hidden state; then norms and rotation, and the cache entries of the step's tokens.
void project_into_cache(const Step& step, const AttentionWeights& weights, const IndexBuffers& index,
                        const ops::LayerCache& cache) {
    const config::Config& config = step.config;
    const StepBuffers& buffers = step.buffers;
    const IndexerWeights& indexer = weights.indexer;
    step.backend.fused_a({.q_a = buffers.q_a,
                          .kv_a = buffers.kv_a,
                          .index_k = index.key,
                          .index_weights = index.weights,
                          .hidden = buffers.hidden,
                          .q_a_proj = weights.q_a_proj,
                          .kv_a_proj = weights.kv_a_proj,
                          .index_wk = indexer.wk,
                          .index_weights_proj = indexer.weights_proj,
                          .index_weight_scale = 1.0f / std::sqrt(float(config.index_heads * config.index_dim))});
    step.observe("q_a", buffers.q_a);
    step.observe("kv_a", buffers.kv_a);
    step.observe("index_k", index.key);
    step.observe("index_weights", index.weights);

    step.backend.mla_prologue({.q_norm = buffers.q_norm,
                               .cache = cache,
                               .q_a = buffers.q_a,
                               .kv_a = buffers.kv_a,
                               .index_k = index.key,
                               .cos_sin = buffers.cos_sin,
                               .q_a_norm_weight = weights.q_a_norm,
                               .kv_a_norm_weight = weights.kv_a_norm,
                               .index_k_norm_weight = indexer.k_norm_weight,
                               .index_k_norm_bias = indexer.k_norm_bias,
                               .eps = config.rms_norm_eps,
                               .batch = &step.batch});
    step.observe("q_norm", buffers.q_norm.values);
}

// The queries: of attention against latents, of the indexer against index keys.
void make_queries(const Step& step, const AttentionWeights& weights, const IndexBuffers& index) {
    const StepBuffers& buffers = step.buffers;
    step.backend.query_b({.q = buffers.q,
                          .index_q = index.q,
                          .q_norm = buffers.q_norm,
                          .q_b_proj = weights.q_b_proj,
                          .index_wq_b = weights.indexer.wq_b});
    step.observe("q", buffers.q);

    step.backend.query_finish({.query = buffers.query,
                               .index_query = index.query,
                               .index_weights = index.weights,
                               .q = buffers.q,
                               .index_q = index.q,
                               .cos_sin = buffers.cos_sin,
                               .absorb_k = weights.absorb_k});
    step.observe("query", buffers.query);
    step.observe("index_q", index.query);
}

}  // namespace

void attention(const Step& step, const AttentionWeights& weights, const ops::LayerCache& cache) {
    const StepBuffers& buffers = step.buffers;
    const bool chooses =
        static_cast<bool>(weights.indexer);  // else the choice of a layer below is still in `selection`
    const IndexBuffers index = chooses ? buffers.index : IndexBuffers{};

    project_into_cache(step, weights, index, cache);
    make_queries(step, weights, index);
    if (chooses) {
        step.backend.index_select({.selection = buffers.selection,
                                   .index_query = index.query,
                                   .index_weights = index.weights,
                                   .cache = cache,
                                   .batch = &step.batch});
        step.observe("selection", buffers.selection.positions);
    }

    step.backend.sparse_mla({.latent_out = buffers.latent_out,
                             .query = buffers.query,
                             .cache = cache,
                             .selection = buffers.selection,
                             .scale = 1.0f / std::sqrt(float(step.config.qk_head_dim())),
                             .batch = &step.batch});
    step.observe("attention_latent", buffers.latent_out);
    step.backend.value_up({.out = buffers.attention_heads, .latent = buffers.latent_out, .v_up = weights.v_up});
    step.observe("attention_heads", buffers.attention_heads.values);
    step.backend.linear({.out = buffers.delta, .in = buffers.attention_heads, .weight = weights.o_proj});
    step.observe("attention_out", buffers.delta);
}

}  // namespace glm5::model
