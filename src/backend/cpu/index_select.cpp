// index_select: scores of query tokens against pages of index keys, and the choice of the top-k positions.
//
// Tokens are taken in groups, whose scores fill a bounded workspace. A group's tokens form tiles of one sequence; a
// tile and a few pages are a task. A token alone in the step thus still has as many tasks as its context has pages.
#include "backend/cpu/backend.h"
#include "backend/cpu/top_k.h"

namespace glm5::cpu {
namespace {

constexpr int kTileTokens = 16;
constexpr int kGroupTokens = 128;
constexpr int64_t kGroupScores = 8 << 20;  // at most so many floats, if that is a token's context
constexpr int64_t kPagesPerTask = 4;

int64_t pages_of(int64_t positions) {
    return (positions + kPageTokens - 1) / kPageTokens;
}

}  // namespace

void CpuBackend::index_select(const ops::IndexSelectArgs& args) {
    const ops::Batch& batch = *args.batch;
    const int64_t top_k = args.selection.positions.shape[1];
    const int32_t* positions = batch.positions.as<int32_t>();
    const int64_t context = std::max<int64_t>(limits_.max_context_tokens, batch.max_context_tokens);
    const int64_t stride = pages_of(context) * kPageTokens;
    const int64_t group_tokens = std::clamp<int64_t>(kGroupScores / stride, 1, kGroupTokens);

    tiles_.clear();
    int64_t in_group = 0;
    for (int token = 0; token < batch.num_tokens; ++token) {
        const int64_t position = positions[token];
        int32_t* chosen = args.selection.positions.as<int32_t>() + token * top_k;
        const int64_t count = std::min(top_k, position + 1);
        args.selection.counts.as<int32_t>()[token] = static_cast<int32_t>(count);
        if (position < top_k) {
            for (int64_t i = 0; i < top_k; ++i) chosen[i] = i < count ? static_cast<int32_t>(i) : -1;
            continue;
        }
        GLM5_CHECK(position < stride, "position {}, context {}", position, stride);
        const int32_t* sequence_ids = batch.sequence_ids.as<int32_t>();
        const bool extends = !tiles_.empty() && tiles_.back().num_tokens < kTileTokens &&
                             tiles_.back().first_token + tiles_.back().num_tokens == token &&
                             sequence_ids[token] == sequence_ids[token - 1];
        if (!extends) tiles_.push_back({.first_token = token});
        tiles_.back().num_tokens += 1;
        if (++in_group < group_tokens) continue;
        select_group(args, group_tokens, stride);
        tiles_.clear();
        in_group = 0;
    }
    if (in_group > 0) select_group(args, group_tokens, stride);
}

// The choice of all tokens of tiles_.
void CpuBackend::select_group(const ops::IndexSelectArgs& args, int64_t group_tokens, int64_t stride) {
    const int32_t* positions = args.batch->positions.as<int32_t>();
    const int64_t top_k = args.selection.positions.shape[1];
    auto* scores = scores_.get<float>(group_tokens * stride);
    int64_t tasks = 0;
    int num_tokens = 0;
    for (IndexTile& tile : tiles_) {
        tile.first_task = tasks;
        tile.first_score = num_tokens * stride;
        tile.num_pages = pages_of(positions[tile.first_token + tile.num_tokens - 1] + int64_t{1});
        tasks += (tile.num_pages + kPagesPerTask - 1) / kPagesPerTask;
        num_tokens += tile.num_tokens;
    }
    pool_.run(tasks, [&](int64_t task, int thread) {
        const auto after =
            std::upper_bound(tiles_.begin(), tiles_.end(), task,
                             [](int64_t wanted, const IndexTile& tile) { return wanted < tile.first_task; });
        const IndexTile& tile = *(after - 1);
        score_pages(args, tile, (task - tile.first_task) * kPagesPerTask, scores + tile.first_score, stride, thread);
    });
    pool_.run(static_cast<int64_t>(tiles_.size()), [&](int64_t index, int thread) {
        const IndexTile& tile = tiles_[index];
        for (int i = 0; i < tile.num_tokens; ++i) {
            const int64_t token = tile.first_token + i;
            select_top_k(scores + tile.first_score + i * stride, positions[token] + int64_t{1}, top_k,
                         args.selection.positions.as<int32_t>() + token * top_k, thread_memory_[thread]);
        }
    });
}

// scores[token of the tile, stride] for a few pages, of the tokens that may attend to them.
void CpuBackend::score_pages(const ops::IndexSelectArgs& args, const IndexTile& tile, int64_t first_page, float* scores,
                             int64_t stride, int thread) {
    const ops::Batch& batch = *args.batch;
    const int64_t heads = args.index_query.shape[1], dim = args.index_query.shape[2];
    const int32_t* positions = batch.positions.as<int32_t>() + tile.first_token;
    const int32_t* page_table =
        batch.page_table.as<int32_t>() + batch.sequence_ids.as<int32_t>()[tile.first_token] * batch.page_table.shape[1];
    auto* panel = thread_memory_[thread].get<float>(kPageTokens * (dim + 1) + dim);
    const int64_t end_page = std::min(tile.num_pages, first_page + kPagesPerTask);
    for (int64_t page = first_page; page < end_page; ++page) {
        int first = 0;  // token that sees the page
        while (positions[first] < page * kPageTokens) ++first;
        const IndexKeys keys = index_keys(args.cache.index_keys, page_table[page], dim, panel);
        const int64_t row = (tile.first_token + first) * heads;
        kernels_.index_page({.queries = args.index_query.as<float>() + row * dim,
                             .weights = args.index_weights.as<float>() + row,
                             .tokens = tile.num_tokens - first,
                             .heads = static_cast<int>(heads),
                             .dim = dim,
                             .page = keys.panel,
                             .key_scales = keys.scales,
                             .scores = scores + first * stride + page * kPageTokens,
                             .scores_stride = stride});
    }
}

}  // namespace glm5::cpu
