// sparse_mla: attention of each token over its chosen positions.
#include "backend/cpu/backend.h"

namespace glm5::cpu {

void CpuBackend::sparse_mla(const ops::SparseMlaArgs& args) {
    const int64_t tokens = args.query.rows(), heads = args.query.shape[1];
    // With few tokens, the heads of each are shared out, by fours as the kernel takes them.
    const int64_t wanted_parts =
        tokens >= 4 * pool_.num_threads() ? 1 : (2 * pool_.num_threads() + tokens - 1) / tokens;
    const int64_t quads = (heads + 3) / 4;
    const int64_t quads_per_part = std::max<int64_t>(1, quads / wanted_parts);
    const int64_t parts = (quads + quads_per_part - 1) / quads_per_part;
    pool_.run(tokens * parts, [&](int64_t task, int thread) {
        const int64_t first_head = task % parts * quads_per_part * 4;
        attend(args, task / parts, first_head, std::min(heads - first_head, quads_per_part * 4), thread);
    });
}

void CpuBackend::attend(const ops::SparseMlaArgs& args, int64_t token, int64_t first_head, int64_t heads, int thread) {
    const ops::Batch& batch = *args.batch;
    const int64_t top_k = args.selection.positions.shape[1], all_heads = args.query.shape[1];
    const int64_t dim = args.query.shape[2], latent_dim = args.latent_out.shape[2];
    const int64_t num_keys = args.selection.counts.as<int32_t>()[token];
    const int32_t* chosen = args.selection.positions.as<int32_t>() + token * top_k;
    const int32_t* page_table =
        batch.page_table.as<int32_t>() + batch.sequence_ids.as<int32_t>()[token] * batch.page_table.shape[1];
    GLM5_CHECK(num_keys >= 1 && num_keys <= top_k, "{} of {} positions", num_keys, top_k);

    // Pointers to the keys, scores, and the keys themselves unless they are read in place.
    const int64_t score_floats = (heads + 3) / 4 * attention_scratch_floats(top_k);
    const int64_t key_floats = numerics_.latent == LatentFormat::f32 ? 0 : top_k * dim;
    auto* keys = thread_memory_[thread].get<const float*>(top_k + (score_floats + key_floats + 1) / 2);
    auto* scratch = reinterpret_cast<float*>(keys + top_k);
    float* rows = scratch + score_floats;
    for (int64_t i = 0; i < num_keys; ++i) {
        const int64_t slot = int64_t{page_table[chosen[i] / kPageTokens]} * kPageTokens + chosen[i] % kPageTokens;
        keys[i] = latent_row(args.cache.latent, slot, latent_dim, dim - latent_dim, rows + i * dim);
    }
    kernels_.attention({.query = args.query.as<float>() + (token * all_heads + first_head) * dim,
                        .heads = static_cast<int>(heads),
                        .keys = keys,
                        .num_keys = static_cast<int>(num_keys),
                        .latent_dim = latent_dim,
                        .rope_dim = dim - latent_dim,
                        .scale = args.scale,
                        .round = rounds(),
                        .out = args.latent_out.as<float>() + (token * all_heads + first_head) * latent_dim,
                        .scratch = scratch});
}

}  // namespace glm5::cpu
