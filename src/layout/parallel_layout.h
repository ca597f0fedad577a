// ParallelLayout: which rank holds what. Three numbers and a rule per tensor; no memory, no communication.
//
// Ranks 0 … num_ranks − 1 form `data` groups of `tensor` ranks. A group has sequences and caches of its own; within it
// every rank holds the whole cache (MLA has one key/value head) and its part of the heads, of the dense and shared MLPs
// and of the vocabulary. Routed experts are spread over all ranks: `expert` groups hold different experts, and the
// ranks of such a group share the width of each.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace glm5::layout {

struct ParallelLayout {
    int tensor = 1;  // --tensor-parallel-size
    int data = 1;    // --data-parallel-size
    int expert = 1;  // num_ranks() with --enable-expert-parallel; divides num_ranks()

    int num_ranks() const { return tensor * data; }
    int expert_tensor() const { return num_ranks() / expert; }  // ranks that share an expert's width

    // Where a rank stands.
    int data_group(int rank) const { return rank / tensor; }
    int tensor_part(int rank) const { return rank % tensor; }
    int expert_group(int rank) const { return rank / expert_tensor(); }
    int expert_tensor_part(int rank) const { return rank % expert_tensor(); }

    bool operator==(const ParallelLayout&) const = default;
};

// How one parameter is cut. Rows are outputs, columns inputs.
enum class Split : uint8_t {
    whole,           // the same on every rank: norms, q_a, kv_a, indexer, router, eh_proj
    rows,            // over the tensor ranks: q_b, kv_b (by heads), gate, up, embedding and head (by vocabulary)
    columns,         // over the tensor ranks: o, down
    expert_rows,     // one expert's gate and up, over the ranks of its group
    expert_columns,  // one expert's down
};

// By the name of the parameter in the checkpoint, with or without ".weight".
constexpr Split split_of(std::string_view name) {
    const auto contains = [&](std::string_view text) { return name.find(text) != std::string_view::npos; };
    const bool routed = contains(".mlp.experts.");
    if (contains(".gate_proj") || contains(".up_proj")) return routed ? Split::expert_rows : Split::rows;
    if (contains(".down_proj")) return routed ? Split::expert_columns : Split::columns;
    if (contains(".o_proj")) return Split::columns;
    for (const std::string_view cut : {".q_b_proj", ".kv_b_proj", "embed_tokens", "lm_head"})
        if (contains(cut)) return Split::rows;
    return Split::whole;
}

struct Part {
    int64_t begin = 0, end = 0;

    int64_t size() const { return end - begin; }
    bool operator==(const Part&) const = default;
};

// The index-th of `parts` equal parts. Requires that `parts` divides `size`.
inline Part part_of(int64_t size, int parts, int index) {
    GLM5_CHECK(parts >= 1 && size % parts == 0 && index >= 0 && index < parts, "part {} of {} of {}", index, parts,
               size);
    return {size / parts * index, size / parts * (index + 1)};
}

// Into how many parts the split dimension is cut.
inline int parts_of(Split split, const ParallelLayout& layout) {
    switch (split) {
        case Split::whole: return 1;
        case Split::rows:
        case Split::columns: return layout.tensor;
        case Split::expert_rows:
        case Split::expert_columns: return layout.expert_tensor();
    }
    return 1;
}

// The shape of a rank's part of a parameter [out, in] or [n]. Which experts a rank holds is experts_of.
inline std::vector<int64_t> rank_shape(Split split, std::vector<int64_t> shape, const ParallelLayout& layout) {
    const bool columns = split == Split::columns || split == Split::expert_columns;
    int64_t& cut = columns ? shape.back() : shape.front();
    cut = part_of(cut, parts_of(split, layout), 0).size();
    return shape;
}

// The ids of the routed experts of which a rank holds a part.
inline Part experts_of(int rank, int64_t num_experts, const ParallelLayout& layout) {
    return part_of(num_experts, layout.expert, layout.expert_group(rank));
}

}  // namespace glm5::layout
