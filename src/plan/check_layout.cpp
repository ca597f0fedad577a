#include "plan/check_layout.h"

namespace glm5::plan {
namespace {

struct Cut {
    std::string_view key;  // of config.json
    int64_t size = 0;      // what is cut
    int parts = 1;
    int64_t block = 1;  // each part is a multiple of it
};

Status check_cut(const Cut& cut) {
    if (cut.size % cut.parts != 0)
        return invalid_argument("config.json: {}: {} cannot be shared evenly by {} ranks", cut.key, cut.size,
                                cut.parts);
    if (cut.parts > 1 && cut.size / cut.parts % cut.block != 0)
        return invalid_argument(
            "config.json: {}: {} shared by {} ranks are {} each, which does not end on a quantisation block of {}",
            cut.key, cut.size, cut.parts, cut.size / cut.parts, cut.block);
    return {};
}

}  // namespace

Status check_layout(const config::Config& config, const layout::ParallelLayout& layout) {
    GLM5_CHECK(layout.tensor >= 1 && layout.data >= 1 && layout.expert >= 1);
    if (layout.num_ranks() % layout.expert != 0)
        return invalid_argument("{} groups of experts cannot be shared evenly by {} ranks", layout.expert,
                                layout.num_ranks());
    const int64_t block = config.quantization == config::Quantization::fp8 ? 128 : 1;
    const int64_t expert_block = config.quantization == config::Quantization::nvfp4 ? 16 : block;
    const Cut cuts[] = {
        {"num_attention_heads", config.num_heads, layout.tensor},
        {"vocab_size", config.vocab_size, layout.tensor},
        {"v_head_dim", int64_t{config.num_heads} * config.v_dim, layout.tensor, block},
        {"qk_head_dim", int64_t{config.num_heads} * config.qk_head_dim(), layout.tensor, block},
        {"intermediate_size", config.intermediate_size, layout.tensor, block},
        {"n_shared_experts", config.shared_expert_width(), layout.tensor, block},
        {"n_routed_experts", config.num_experts, layout.expert},
        {"moe_intermediate_size", config.moe_intermediate_size, layout.expert_tensor(), expert_block},
    };
    for (const Cut& cut : cuts) GLM5_RETURN_IF_ERROR(check_cut(cut));
    return {};
}

}  // namespace glm5::plan
