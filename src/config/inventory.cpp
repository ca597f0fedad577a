// The tensor inventory: docs/model.md, Tensors.
#include "config/inventory.h"

#include <array>

namespace glm5::config {
namespace {

constexpr std::array kFloats = {DType::bf16, DType::f32, DType::f16};
constexpr std::array kE4m3 = {DType::f8_e4m3};
constexpr std::array kF32 = {DType::f32};
constexpr std::array kBytes = {DType::u8};

constexpr int64_t kFp8Block = 128;
constexpr int64_t kNvfp4Group = 16;

int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

// Appends the parameters of a Config in the order of the layers.
class Lister {
public:
    explicit Lister(const Config& config) : config_(config) {}

    std::vector<Parameter> list() {
        const int64_t hidden = config_.hidden_size;
        plain("model.embed_tokens.weight", {config_.vocab_size, hidden});
        for (int i = 0; i < config_.num_layers; ++i) layer(i);
        plain("model.norm.weight", {hidden});
        plain("lm_head.weight", {config_.vocab_size, hidden});
        if (config_.has_mtp()) mtp_layer(config_.num_layers);
        return std::move(parameters_);
    }

private:
    void plain(std::string name, std::vector<int64_t> shape, DType dtype = DType::bf16) {
        parameters_.push_back({.name = std::move(name), .shape = std::move(shape), .dtype = dtype, .mtp = mtp_});
    }

    void linear(const std::string& name, int64_t out, int64_t in, bool routed_expert = false) {
        parameters_.push_back({.name = name + ".weight",
                               .shape = {out, in},
                               .quantisable = true,
                               .routed_expert = routed_expert,
                               .mtp = mtp_});
    }

    void mlp(const std::string& prefix, int64_t width, bool routed_expert = false) {
        linear(prefix + "gate_proj", width, config_.hidden_size, routed_expert);
        linear(prefix + "up_proj", width, config_.hidden_size, routed_expert);
        linear(prefix + "down_proj", config_.hidden_size, width, routed_expert);
    }

    void attention(const std::string& prefix) {
        const int64_t hidden = config_.hidden_size, heads = config_.num_heads;
        linear(prefix + "q_a_proj", config_.q_lora_rank, hidden);
        plain(prefix + "q_a_layernorm.weight", {config_.q_lora_rank});
        linear(prefix + "q_b_proj", heads * config_.qk_head_dim(), config_.q_lora_rank);
        linear(prefix + "kv_a_proj_with_mqa", config_.latent_dim + config_.rope_dim, hidden);
        plain(prefix + "kv_a_layernorm.weight", {config_.latent_dim});
        linear(prefix + "kv_b_proj", heads * (config_.nope_dim + config_.v_dim), config_.latent_dim);
        linear(prefix + "o_proj", hidden, heads * config_.v_dim);
    }

    void indexer(const std::string& prefix) {
        linear(prefix + "wq_b", int64_t{config_.index_heads} * config_.index_dim, config_.q_lora_rank);
        linear(prefix + "wk", config_.index_dim, config_.hidden_size);
        plain(prefix + "k_norm.weight", {config_.index_dim});
        plain(prefix + "k_norm.bias", {config_.index_dim});
        plain(prefix + "weights_proj.weight", {config_.index_heads, config_.hidden_size});
    }

    void experts(const std::string& prefix) {
        plain(prefix + "gate.weight", {config_.num_experts, config_.hidden_size});
        plain(prefix + "gate.e_score_correction_bias", {config_.num_experts}, DType::f32);
        for (int expert = 0; expert < config_.num_experts; ++expert)
            mlp(fmt::format("{}experts.{}.", prefix, expert), config_.moe_intermediate_size, true);
        mlp(prefix + "shared_experts.", config_.shared_expert_width());
    }

    void layer(int index) {
        const std::string prefix = fmt::format("model.layers.{}.", index);
        const LayerKind kind = config_.layer(index);
        plain(prefix + "input_layernorm.weight", {config_.hidden_size});
        plain(prefix + "post_attention_layernorm.weight", {config_.hidden_size});
        attention(prefix + "self_attn.");
        if (kind.indexer == IndexerKind::full) indexer(prefix + "self_attn.indexer.");
        if (kind.mlp == MlpKind::dense)
            mlp(prefix + "mlp.", config_.intermediate_size);
        else
            experts(prefix + "mlp.");
    }

    void mtp_layer(int index) {
        mtp_ = true;
        const std::string prefix = fmt::format("model.layers.{}.", index);
        const int64_t hidden = config_.hidden_size;
        plain(prefix + "enorm.weight", {hidden});
        plain(prefix + "hnorm.weight", {hidden});
        plain(prefix + "eh_proj.weight", {hidden, 2 * hidden});
        plain(prefix + "shared_head.norm.weight", {hidden});
        layer(index);
    }

    const Config& config_;
    std::vector<Parameter> parameters_;
    bool mtp_ = false;  // listing the MTP layer
};

}  // namespace

int64_t ExpectedTensor::bytes() const {
    int64_t bytes = dtype_bytes(published);
    for (int64_t size : shape) bytes *= size;
    return bytes;
}

std::vector<Parameter> parameters(const Config& config) {
    return Lister(config).list();
}

std::vector<ExpectedTensor> expected_tensors(const Parameter& parameter, StoredForm form) {
    if (form == StoredForm::plain) return {{parameter.name, parameter.shape, parameter.dtype, kFloats}};
    GLM5_CHECK(parameter.shape.size() == 2, "{}", parameter.name);
    const int64_t out = parameter.shape[0], in = parameter.shape[1];
    if (form == StoredForm::fp8)
        return {{parameter.name, {out, in}, DType::f8_e4m3, kE4m3},
                {parameter.name + "_scale_inv", {ceil_div(out, kFp8Block), ceil_div(in, kFp8Block)}, DType::f32, kF32}};
    std::string base = parameter.name.substr(0, parameter.name.size() - std::string_view("weight").size());
    return {{parameter.name, {out, ceil_div(in, 2)}, DType::u8, kBytes},
            {parameter.name + "_scale", {out, ceil_div(in, kNvfp4Group)}, DType::f8_e4m3, kE4m3},
            {parameter.name + "_scale_2", {}, DType::f32, kF32},
            {base + "input_scale", {}, DType::f32, kF32}};
}

StoredForm published_form(const Parameter& parameter, Quantization quantization) {
    if (quantization == Quantization::fp8 && parameter.quantisable) return StoredForm::fp8;
    if (quantization == Quantization::nvfp4 && parameter.routed_expert && !parameter.mtp) return StoredForm::nvfp4;
    return StoredForm::plain;
}

}  // namespace glm5::config
