// cpu_workspaces, gpu_workspaces, communication_buffers.
#include <fmt/format.h>

#include <algorithm>

#include "base/dtype.h"
#include "plan/buffers.h"

namespace glm5::plan {
namespace {

int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

int64_t padded_context(const StepSizes& sizes) {
    return ceil_div(sizes.max_model_len, kPageTokens) * kPageTokens;
}

// Rows of width values and, in e4m3, one scale per 128 of them.
int64_t fp8_row_bytes(int64_t width) {
    return width + 4 * ceil_div(width, 128);
}

}  // namespace

// backend/cpu: gate, up and their scales, the rows of (token, expert) pairs, router logits, a group's index scores, and
// per thread the largest of what its kernels take.
std::vector<Buffer> cpu_workspaces(const config::Config& config, const BackendForm& form, const StepSizes& sizes) {
    constexpr int64_t kGroupScores = 8 << 20, kGroupTokens = 128;  // index_select.cpp
    constexpr int64_t kGemmScratch = (256 + 192) * 64 * 4;         // kernels.h
    const int64_t rows = sizes.max_num_tokens, slots = config.num_experts_per_token, hidden = config.hidden_size;
    const int64_t width = config.moe_intermediate_size, shared = config.shared_expert_width();
    const int64_t gate = std::max<int64_t>(slots * width + shared, config.intermediate_size);
    const int64_t scales =
        std::max(slots * ceil_div(width, 128) + ceil_div(shared, 128), ceil_div(config.intermediate_size, 128));
    const int64_t context = padded_context(sizes);
    const int64_t group = std::clamp<int64_t>(kGroupScores / context, 1, kGroupTokens);
    const bool selects = sizes.max_model_len > config.index_top_k;

    const int64_t quads = ceil_div(config.num_heads, 4), top_k = config.index_top_k;
    const int64_t keys = form.dequantised == DType::f32 ? 0 : top_k * (config.latent_dim + config.rope_dim);
    const int64_t attention = 8 * top_k + 4 * (quads * ((top_k + 8) / 4 * 16) + keys);
    const int64_t choice = selects ? 4 * (2 * context + 2048) : 0;
    const int64_t thread = std::max(attention, choice) + kGemmScratch;

    std::vector<Buffer> buffers = {
        {"MLP gate and up", fmt::format("2 x {} x {} F32, scales", rows, gate), rows * (2 * gate + scales) * 4},
        {"expert rows", fmt::format("{} x {} x {} F32, order", rows, slots + 1, hidden),
         rows * ((slots + 1) * hidden + 2 * slots) * 4},
        {"router logits", fmt::format("{} x {} F32", rows, config.num_experts), rows * config.num_experts * 4},
        {"thread memory", fmt::format("{} x {} bytes", sizes.num_threads, thread), sizes.num_threads * thread},
    };
    if (selects) buffers.push_back({"index scores", fmt::format("{} x {} F32", group, context), group * context * 4});
    return buffers;
}

// Of the (token, expert) pairs that backend/cuda takes through the experts at once, the shared expert's among them:
// their order, the inputs of down, and its sums, which are bf16 where a step has many tokens (mlp.cpp, form_of).
Buffer gpu_expert_rows(const config::Config& config, const layout::ParallelLayout& layout, int64_t rows) {
    constexpr int64_t kFewTokens = 1024, kManyTokens = 8192;
    const int64_t hidden = config.hidden_size, slots = config.num_experts_per_token;
    const int64_t width =
        std::max(config.shared_expert_width() / layout.tensor, config.moe_intermediate_size / layout.expert_tensor());
    const auto pair_bytes = [&](int64_t value_bytes, int64_t mlp_width, int64_t sum_bytes) {
        return value_bytes * mlp_width + 4 * ceil_div(mlp_width, 128) + sum_bytes * hidden + 24;
    };
    const int64_t few = std::min(rows, kFewTokens), many = rows >= kFewTokens ? std::min(rows, kManyTokens) : 0;
    const int64_t bytes =
        std::max({few * (slots + 1) * pair_bytes(2, width, 4), many * (slots + 1) * pair_bytes(1, width, 2),
                  few * pair_bytes(2, config.intermediate_size / layout.tensor, 4)});
    return {"expert rows", fmt::format("{} tokens x {} experts", std::max(few, many), slots + 1), bytes};
}

// backend/cuda: a group's index scores; the positions that tokens which attend together have in common; the experts'
// rows; router logits; and what the arena's blocks of 64 MiB leave unfilled.
std::vector<Buffer> gpu_workspaces(const config::Config& config, const layout::ParallelLayout& layout,
                                   const StepSizes& sizes) {
    constexpr int64_t kScoreBytes = int64_t{64} << 20, kTokenStep = 16;  // attention.cpp
    constexpr int64_t kMlaGroups = 256, kMlaPositions = 12288 + 1;       // sparse_mla.cu
    constexpr int64_t kBlockBytes = int64_t{64} << 20;                   // arena.cpp
    const int64_t rows = sizes.max_num_tokens, context = padded_context(sizes);
    const int64_t group = std::max(kTokenStep, kScoreBytes / (4 * context) / kTokenStep * kTokenStep);
    const int64_t score_rows = std::min(group, ceil_div(rows, kTokenStep) * kTokenStep);
    return {
        {"index scores", fmt::format("{} x {} F32", score_rows, context), score_rows * context * 4},
        {"positions of groups", fmt::format("{} x {} I32", kMlaGroups, kMlaPositions), kMlaGroups * kMlaPositions * 4},
        gpu_expert_rows(config, layout, rows),
        {"router logits", fmt::format("{} x {} F32", rows, config.num_experts), rows * config.num_experts * 4},
        {"unfilled blocks", "2 x 64 MiB", 2 * kBlockBytes},
    };
}

// Rows of hidden values: a sum's input and output, each twice, so that a step may begin while a peer still reads.
std::vector<Buffer> communication_buffers(const config::Config& config, const layout::ParallelLayout& layout,
                                          const StepSizes& sizes) {
    if (layout.num_ranks() == 1) return {};
    constexpr int64_t kLibraryBytes = 591'396'864;  // read on an H100 with one rank
    const int64_t rows = sizes.max_num_tokens, hidden = config.hidden_size;
    std::vector<Buffer> buffers = {
        {"sums over ranks", fmt::format("4 x {} x {} BF16", rows, hidden), 4 * rows * hidden * 2},
        {"NCCL", "read with one rank", kLibraryBytes},
    };
    if (layout.expert > 1 && layout.data > 1) {
        const int64_t sent = fp8_row_bytes(hidden) + 2 * hidden;
        buffers.push_back(
            {"experts' tokens", fmt::format("{} x {} x {} bytes", layout.data, rows, sent), layout.data * rows * sent});
    }
    return buffers;
}

}  // namespace glm5::plan
