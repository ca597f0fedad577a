// Which form of sparse MLA a step takes.
#include "backend/cuda/sparse_mla/sparse_mla.h"

#include "backend/cuda/shapes.h"
#include "backend/cuda/sparse_mla/groups.h"

namespace glm5::cuda {
namespace {

constexpr int kRows = 64;             // (token, head) of a group
constexpr int kGroupsPerPass = 256;
// Positions in a union up to which a group costs less than its tokens one by one. FP8 keys cost those less.
constexpr int kMaxBf16Union = 12288, kMaxFp8Union = 6144;

SparseMlaParams part_of(const SparseMlaParams& params, int first, int num_tokens) {
    SparseMlaParams part = params;
    part.out += int64_t{first} * params.num_heads * kLatentDim;
    part.query += int64_t{first} * params.num_heads * kQueryDim;
    part.chosen += int64_t{first} * params.top_k;
    part.counts += first;
    part.sequence_ids += first;
    part.num_tokens = num_tokens;
    return part;
}

}  // namespace

int64_t sparse_mla_workspace_bytes() {
    return int64_t{kGroupsPerPass} * (1 + kMaxBf16Union) * 4;
}

void sparse_mla(const Launch& launch, const SparseMlaParams& params) {
    if (params.num_tokens == 0) return;
    const int per_group = kRows / params.num_heads;
    const bool fills_device = ceil_div(params.num_tokens, per_group) * 2 >= launch.num_sms;
    const bool has_neighbours =
        per_group == 1 || (params.tokens_per_sequence > 1 && params.max_context_tokens <= kMaxUnionContext);
    if (launch.architecture != 90 || !fills_device || !has_neighbours) return sparse_mla_tokens(launch, params, {});
    if (per_group == 1)  // a list is what the token chose
        return sparse_mla_groups_sm90(launch, {.tokens = params,
                                               .tokens_per_group = 1,
                                               .lists = reinterpret_cast<const uint32_t*>(params.chosen),
                                               .list_stride = params.top_k,
                                               .sizes = params.counts});
    auto* sizes = static_cast<int32_t*>(params.workspace);
    auto* lists = reinterpret_cast<uint32_t*>(sizes + kGroupsPerPass);
    const int64_t list_stride = params.fp8 ? kMaxFp8Union : kMaxBf16Union;
    const int tokens_per_pass = kGroupsPerPass * per_group;
    for (int first = 0; first < params.num_tokens; first += tokens_per_pass) {
        const int rest = params.num_tokens - first;
        const SparseMlaParams part = part_of(params, first, rest < tokens_per_pass ? rest : tokens_per_pass);
        unite(launch, {.lists = lists,
                       .sizes = sizes,
                       .list_stride = list_stride,
                       .chosen = part.chosen,
                       .counts = part.counts,
                       .sequence_ids = part.sequence_ids,
                       .num_tokens = part.num_tokens,
                       .tokens_per_group = per_group,
                       .top_k = part.top_k,
                       .max_context_tokens = part.max_context_tokens});
        sparse_mla_groups_sm90(launch, {.tokens = part,
                                        .tokens_per_group = per_group,
                                        .lists = lists,
                                        .list_stride = list_stride,
                                        .sizes = sizes});
        sparse_mla_tokens(launch, part, {.sizes = sizes, .tokens_per_group = per_group});
    }
}

}  // namespace glm5::cuda
