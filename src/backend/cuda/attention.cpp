// index_select and sparse_mla.
#include "backend/cuda/attention.h"

#include <algorithm>

#include "backend/cuda/backend.h"
#include "backend/cuda/index_scores/index_scores.h"
#include "backend/cuda/shapes.h"
#include "backend/cuda/sparse_mla/sparse_mla.h"
#include "backend/cuda/top_k/top_k.h"

namespace glm5::cuda {
namespace {

constexpr int64_t kScoreBytes = int64_t{64} << 20;  // about what stays in L2 between the scores and the choice
constexpr int64_t kTokenStep = 16;                  // tokens that share loads of keys

// Scores of a token: whole pages.
int64_t score_stride(int64_t max_context_tokens) {
    return round_up(std::max<int64_t>(max_context_tokens, 1), kPage);
}

void check_integers(const ops::Tensor& tensor, int64_t count, const char* name) {
    GLM5_CHECK(tensor.dtype == DType::i32 && tensor.elements() == count, "{}: {} × {}, expected I32 × {}", name,
               dtype_name(tensor.dtype), tensor.elements(), count);
}

void check_selection(const ops::Selection& selection, int64_t tokens) {
    GLM5_CHECK(selection.positions.rank == 2 && selection.positions.shape[1] >= 1);
    check_integers(selection.positions, tokens * selection.positions.shape[1], "selection.positions");
    check_integers(selection.counts, tokens, "selection.counts");
}

void check_batch(const ops::Batch& batch) {
    check_integers(batch.positions, batch.num_tokens, "positions");
    check_integers(batch.sequence_ids, batch.num_tokens, "sequence_ids");
    GLM5_CHECK(batch.page_table.dtype == DType::i32 && batch.page_table.rank == 2 &&
                   batch.page_table.shape[0] >= batch.num_seqs &&
                   batch.page_table.shape[1] * kPage >= batch.max_context_tokens,
               "a page table of {} × {} for {} sequences of {} tokens", batch.page_table.shape[0],
               batch.page_table.shape[1], batch.num_seqs, batch.max_context_tokens);
}

}  // namespace

int64_t index_select_workspace_bytes(const ops::StepLimits& limits) {
    const int64_t row_bytes = score_stride(limits.max_context_tokens) * 4;
    const int64_t rows = std::max(kTokenStep, kScoreBytes / row_bytes / kTokenStep * kTokenStep);
    return std::min(rows, round_up(limits.max_tokens, kTokenStep)) * row_bytes;
}

int64_t sparse_mla_workspace_bytes(const ops::StepLimits&) {
    return sparse_mla_workspace_bytes();
}

// Tokens are taken in groups whose scores fit into the workspace.
void CudaBackend::index_select(const ops::IndexSelectArgs& args) {
    const ops::Batch& batch = *args.batch;
    const int64_t top_k = args.selection.positions.shape[1], stride = score_stride(batch.max_context_tokens);
    if (batch.num_tokens == 0) return;
    check_batch(batch);
    check_selection(args.selection, batch.num_tokens);
    GLM5_CHECK(args.index_query.dtype == DType::f8_e4m3 &&
                   args.index_query.elements() == int64_t{batch.num_tokens} * kIndexHeads * kIndexDim,
               "index_query {} × {}, expected F8_E4M3 × {} · 32 · 128", dtype_name(args.index_query.dtype),
               args.index_query.elements(), batch.num_tokens);
    GLM5_CHECK(args.index_weights.dtype == DType::f32 &&
                   args.index_weights.elements() == int64_t{batch.num_tokens} * kIndexHeads,
               "index_weights {} × {}, expected F32 × {} · 32", dtype_name(args.index_weights.dtype),
               args.index_weights.elements(), batch.num_tokens);
    GLM5_CHECK(
        args.cache.index_keys.page_bytes >= kPage * (kIndexDim + 4) && args.cache.index_keys.page_bytes % 16 == 0,
        "{} bytes a page", args.cache.index_keys.page_bytes);

    const bool scores_needed = batch.max_context_tokens > top_k;
    int64_t group = batch.num_tokens;
    if (scores_needed) {
        group = index_workspace_.bytes() / (stride * 4);
        if (group >= kTokenStep) group = group / kTokenStep * kTokenStep;
        GLM5_CHECK(group >= 1, "a context of {} tokens, at most {} were announced", batch.max_context_tokens,
                   limits_.max_context_tokens);
    }
    for (int64_t first = 0; first < batch.num_tokens; first += group) {
        const int tokens = static_cast<int>(std::min(group, batch.num_tokens - first));
        const int32_t* positions = batch.positions.as<int32_t>() + first;
        if (scores_needed)
            index_scores(launch_, {.scores = index_workspace_.as<float>(),
                                   .stride = stride,
                                   .query = args.index_query.as<uint8_t>() + first * kIndexHeads * kIndexDim,
                                   .weights = args.index_weights.as<float>() + first * kIndexHeads,
                                   .pages = args.cache.index_keys.data,
                                   .page_bytes = args.cache.index_keys.page_bytes,
                                   .positions = positions,
                                   .sequence_ids = batch.sequence_ids.as<int32_t>() + first,
                                   .page_table = batch.page_table.as<int32_t>(),
                                   .max_pages = batch.page_table.shape[1],
                                   .num_tokens = tokens,
                                   .tokens_per_sequence = batch.num_tokens / batch.num_seqs,
                                   .max_context_tokens = batch.max_context_tokens,
                                   .top_k = static_cast<int>(top_k)});
        cuda::top_k(launch_, {.chosen = args.selection.positions.as<int32_t>() + first * top_k,
                              .counts = args.selection.counts.as<int32_t>() + first,
                              .scores = index_workspace_.as<float>(),
                              .stride = stride,
                              .positions = positions,
                              .num_tokens = tokens,
                              .top_k = static_cast<int>(top_k),
                              .max_context_tokens = batch.max_context_tokens});
    }
}

void CudaBackend::sparse_mla(const ops::SparseMlaArgs& args) {
    const ops::Batch& batch = *args.batch;
    if (batch.num_tokens == 0) return;
    check_batch(batch);
    check_selection(args.selection, batch.num_tokens);
    const int64_t heads = args.query.shape[1];
    GLM5_CHECK(args.query.dtype == DType::bf16 && args.query.rank == 3 && args.query.shape[0] == batch.num_tokens &&
                   heads % 8 == 0 && heads <= 64 && args.query.shape[2] == kQueryDim,
               "query {} [{}, {}, {}], expected BF16 [{}, 8 … 64, 576]", dtype_name(args.query.dtype),
               args.query.shape[0], heads, args.query.shape[2], batch.num_tokens);
    GLM5_CHECK(
        args.latent_out.dtype == DType::bf16 && args.latent_out.elements() == batch.num_tokens * heads * kLatentDim,
        "latent_out {} × {}, expected BF16 × {} · {} · 512", dtype_name(args.latent_out.dtype),
        args.latent_out.elements(), batch.num_tokens, heads);
    const bool fp8 = numerics_.latent == LatentFormat::fp8_ds_mla;
    const int64_t page_bytes = args.cache.latent.page_bytes;
    GLM5_CHECK(page_bytes >= kPage * (fp8 ? kFp8EntryBytes : kBf16EntryBytes) && page_bytes % 16 == 0,
               "{} bytes a page", page_bytes);
    cuda::sparse_mla(launch_, {.out = args.latent_out.as<bf16>(),
                               .query = args.query.as<bf16>(),
                               .pages = args.cache.latent.data,
                               .page_bytes = page_bytes,
                               .fp8 = fp8,
                               .chosen = args.selection.positions.as<int32_t>(),
                               .counts = args.selection.counts.as<int32_t>(),
                               .sequence_ids = batch.sequence_ids.as<int32_t>(),
                               .page_table = batch.page_table.as<int32_t>(),
                               .max_pages = batch.page_table.shape[1],
                               .num_tokens = batch.num_tokens,
                               .num_heads = static_cast<int>(heads),
                               .top_k = static_cast<int>(args.selection.positions.shape[1]),
                               .scale = args.scale,
                               .tokens_per_sequence = batch.num_tokens / batch.num_seqs,
                               .max_context_tokens = batch.max_context_tokens,
                               .workspace = mla_workspace_.data});
}

}  // namespace glm5::cuda
