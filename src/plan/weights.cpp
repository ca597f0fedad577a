// weight_bytes, checkpoint_bytes: sums over the inventory of config/.
#include "plan/weights.h"

#include <numeric>

namespace glm5::plan {
namespace {

using config::Parameter;
using config::StoredForm;
using layout::Split;

constexpr int64_t kFp8Block = 128;
constexpr int64_t kNvfp4Group = 16;

int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

int64_t round_up(int64_t a, int64_t b) {
    return ceil_div(a, b) * b;
}

// One matrix [out, in] as the backend holds it.
int64_t matrix_bytes(int64_t out, int64_t in, StoredForm stored, DType dtype, const BackendForm& form) {
    const int64_t rows = round_up(out, form.row_multiple);
    switch (stored) {
        case StoredForm::plain: return rows * round_up(in * dtype_bytes(dtype), form.row_bytes_multiple);
        case StoredForm::fp8:
            return rows * round_up(in, form.row_bytes_multiple) +
                   ceil_div(rows, form.scale_rows) * ceil_div(in, kFp8Block) * 4;
        // Two scalars beside the weights and the scales of their groups.
        case StoredForm::nvfp4: return rows * ceil_div(in, 2) + rows * ceil_div(in, kNvfp4Group) + 8;
    }
    return 0;
}

// kv_b_proj is cut by heads into UK_hᵀ [latent, nope] and UV_h [v, latent] when it is dequantised.
int64_t absorbed_bytes(const config::Config& config, int tensor, DType dtype, const BackendForm& form) {
    const int64_t heads = config.num_heads / tensor;
    return heads * (matrix_bytes(config.latent_dim, config.nope_dim, StoredForm::plain, dtype, form) +
                    matrix_bytes(config.v_dim, config.latent_dim, StoredForm::plain, dtype, form));
}

int64_t rank_bytes(const Parameter& parameter, const config::Config& config, const layout::ParallelLayout& layout,
                   const BackendForm& form, StoredForm stored) {
    const std::string& name = parameter.name;
    if (form.dequantised && name.ends_with(".kv_b_proj.weight"))
        return absorbed_bytes(config, layout.tensor, *form.dequantised, form);
    const auto shape = layout::rank_shape(layout::split_of(name), parameter.shape, layout);
    if (shape.size() == 1) return shape[0] * dtype_bytes(form.vectors.value_or(parameter.dtype));
    if (name.ends_with("embed_tokens.weight")) return shape[0] * shape[1] * dtype_bytes(parameter.dtype);
    if (form.dequantised && name.ends_with(".indexer.wk.weight"))
        return matrix_bytes(shape[0], shape[1], StoredForm::plain, *form.dequantised, form);
    return matrix_bytes(shape[0], shape[1], stored, parameter.dtype, form);
}

// The id in "….experts.ID.…".
int64_t expert_of(std::string_view name) {
    constexpr std::string_view kExperts = ".experts.";
    int64_t id = 0;
    for (size_t at = name.find(kExperts) + kExperts.size(); name[at] != '.'; ++at) id = 10 * id + (name[at] - '0');
    return id;
}

StoredForm form_of(const Parameter& parameter, const config::Config& config, const StoredFormOf& stored_form) {
    return stored_form ? stored_form(parameter) : published_form(parameter, config.quantization);
}

}  // namespace

std::string_view weight_part_name(WeightPart part) {
    switch (part) {
        case WeightPart::embedding: return "embedding";
        case WeightPart::attention: return "attention";
        case WeightPart::indexer: return "indexer";
        case WeightPart::dense_mlp: return "dense MLP";
        case WeightPart::router: return "router";
        case WeightPart::routed_experts: return "routed experts";
        case WeightPart::shared_experts: return "shared experts";
        case WeightPart::norms: return "norms";
        case WeightPart::head: return "head";
        case WeightPart::mtp_layer: return "MTP layer";
    }
    return "?";
}

WeightPart weight_part_of(std::string_view name, const config::Config& config) {
    const auto contains = [&](std::string_view text) { return name.find(text) != std::string_view::npos; };
    constexpr std::string_view kLayers = "model.layers.";
    if (config.has_mtp() && name.starts_with(fmt::format("{}{}.", kLayers, config.num_layers)))
        return WeightPart::mtp_layer;
    if (contains("embed_tokens")) return WeightPart::embedding;
    if (name.starts_with("lm_head")) return WeightPart::head;
    if (contains(".indexer.")) return WeightPart::indexer;
    if (contains(".self_attn.")) return WeightPart::attention;
    if (contains(".shared_experts.")) return WeightPart::shared_experts;
    if (contains(".experts.")) return WeightPart::routed_experts;
    if (contains(".mlp.gate.")) return WeightPart::router;
    if (contains(".mlp.")) return WeightPart::dense_mlp;
    return WeightPart::norms;
}

int64_t WeightBytes::total() const {
    return std::accumulate(parts.begin(), parts.end(), int64_t{0});
}

WeightBytes weight_bytes(const config::Config& config, const layout::ParallelLayout& layout, const BackendForm& form,
                         bool with_mtp, const StoredFormOf& stored_form) {
    WeightBytes bytes;
    const layout::Part experts = layout::experts_of(0, config.num_experts, layout);
    for (const Parameter& parameter : config::parameters(config)) {
        if (parameter.mtp && !with_mtp) continue;
        if (parameter.routed_expert && expert_of(parameter.name) >= experts.end) continue;
        const int64_t held = rank_bytes(parameter, config, layout, form, form_of(parameter, config, stored_form));
        bytes[weight_part_of(parameter.name, config)] += held;
    }
    return bytes;
}

int64_t checkpoint_bytes(const config::Config& config, const StoredFormOf& stored_form) {
    int64_t bytes = 0;
    for (const Parameter& parameter : config::parameters(config))
        for (const auto& tensor : expected_tensors(parameter, form_of(parameter, config, stored_form)))
            bytes += tensor.bytes();
    return bytes;
}

}  // namespace glm5::plan
