// layout/: the parts of all ranks make up the whole, and no two overlap.
#include <set>

#include "config/inventory.h"
#include "support.h"

namespace glm5::layout {
namespace {

const ParallelLayout kLayouts[] = {{1, 1, 1}, {8, 1, 1}, {8, 1, 8}, {8, 1, 2}, {4, 2, 8}, {1, 8, 8}, {2, 2, 1}};

int64_t elements(const std::vector<int64_t>& shape) {
    int64_t count = 1;
    for (int64_t size : shape) count *= size;
    return count;
}

// Elements of a parameter that all ranks hold together, by how often each is held.
TEST(ParallelLayout, EveryParameterIsHeldAsOftenAsItsSplitSays) {
    const config::Config config = plan::glm5_fp8();
    for (const ParallelLayout& layout : kLayouts) {
        for (const config::Parameter& parameter : config::parameters(config)) {
            const Split split = split_of(parameter.name);
            const bool routed = split == Split::expert_rows || split == Split::expert_columns;
            EXPECT_EQ(routed, parameter.routed_expert) << parameter.name;
            const int64_t holders = routed ? layout.expert_tensor() : layout.num_ranks();
            const int64_t copies = holders / parts_of(split, layout);
            EXPECT_EQ(elements(rank_shape(split, parameter.shape, layout)) * holders,
                      elements(parameter.shape) * copies)
                << parameter.name;
            if (routed) {
                EXPECT_EQ(copies, 1);
            }
        }
    }
}

TEST(ParallelLayout, ExpertsOfAllRanks) {
    for (const ParallelLayout& layout : kLayouts) {
        std::set<std::pair<int64_t, int>> held;  // (expert, part of its width)
        for (int rank = 0; rank < layout.num_ranks(); ++rank) {
            const Part experts = experts_of(rank, 256, layout);
            for (int64_t id = experts.begin; id < experts.end; ++id)
                EXPECT_TRUE(held.emplace(id, layout.expert_tensor_part(rank)).second) << "rank " << rank;
        }
        EXPECT_EQ(held.size(), 256u * static_cast<size_t>(layout.expert_tensor()));
    }
}

TEST(ParallelLayout, PlacesOfRanks) {
    const ParallelLayout layout = {.tensor = 4, .data = 2, .expert = 2};
    EXPECT_EQ(layout.num_ranks(), 8);
    EXPECT_EQ(layout.expert_tensor(), 4);
    EXPECT_EQ(layout.data_group(5), 1);
    EXPECT_EQ(layout.tensor_part(5), 1);
    EXPECT_EQ(layout.expert_group(5), 1);
    EXPECT_EQ(layout.expert_tensor_part(5), 1);
    EXPECT_EQ(part_of(64, 8, 3), (Part{24, 32}));
    EXPECT_DEATH(part_of(64, 3, 0), "part 0 of 3 of 64");
}

TEST(Split, OfTheNamesOfALayer) {
    const std::string attention = "model.layers.3.self_attn.", mlp = "model.layers.3.mlp.";
    for (const char* name : {"q_a_proj", "kv_a_proj_with_mqa", "q_a_layernorm", "indexer.wq_b", "indexer.wk"})
        EXPECT_EQ(split_of(attention + name + ".weight"), Split::whole) << name;
    for (const char* name : {"q_b_proj", "kv_b_proj"}) EXPECT_EQ(split_of(attention + name), Split::rows) << name;
    EXPECT_EQ(split_of(attention + "o_proj.weight"), Split::columns);
    EXPECT_EQ(split_of(mlp + "gate.weight"), Split::whole);
    EXPECT_EQ(split_of(mlp + "gate_proj.weight"), Split::rows);
    EXPECT_EQ(split_of(mlp + "down_proj.weight"), Split::columns);
    EXPECT_EQ(split_of(mlp + "shared_experts.up_proj.weight"), Split::rows);
    EXPECT_EQ(split_of(mlp + "experts.7.up_proj.weight"), Split::expert_rows);
    EXPECT_EQ(split_of(mlp + "experts.7.down_proj.weight"), Split::expert_columns);
    EXPECT_EQ(split_of("model.layers.78.eh_proj.weight"), Split::whole);
    EXPECT_EQ(split_of("lm_head.weight"), Split::rows);
    EXPECT_EQ(rank_shape(Split::rows, {16384, 2048}, {.tensor = 8}), (std::vector<int64_t>{2048, 2048}));
    EXPECT_EQ(rank_shape(Split::columns, {6144, 16384}, {.tensor = 8}), (std::vector<int64_t>{6144, 2048}));
}

}  // namespace
}  // namespace glm5::layout
