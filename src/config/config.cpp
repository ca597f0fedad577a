// Config::parse: the keys of config.json in groups, then generation_config.json.
#include "config/config.h"

#include <algorithm>

#include "config/key_reader.h"
#include "config/sections.h"

namespace glm5::config {
namespace {

// Bounds far above the family's sizes. A product of any four of them and an element size fits in int64, and the tensor
// inventory stays small enough to list.
constexpr int kMaxVocabulary = 1 << 24;
constexpr int kMaxPositions = 1 << 24;
constexpr int kMaxWidth = 1 << 20;
constexpr int kMaxHidden = 1 << 16;
constexpr int kMaxHeadDim = 4096;
constexpr int kMaxHeads = 1024;
constexpr int kMaxLayers = 1024;
constexpr int kMaxExperts = 4096;
constexpr int kMaxSharedExperts = 64;
constexpr int kMaxExpertsInAllLayers = 1 << 16;

constexpr std::string_view kServed = "this server runs glm_moe_dsa: GLM-5, 5.1, 5.2, 5.3";

void check_architecture(KeyReader& keys) {
    const json::Value* type = keys.find("model_type");
    if (!type) return keys.fail_missing("model_type", "\"glm_moe_dsa\"");
    if (*type == json::Value("glm5_next"))
        return keys.fail(
            unsupported("{}: model_type \"glm5_next\" (GLM-5.3-Flash) is a different architecture (hybrid linear "
                        "attention, multimodal); {}",
                        keys.place(), kServed));
    if (*type != json::Value("glm_moe_dsa"))
        return keys.fail(unsupported("{}: model_type {} is not supported; {}", keys.place(), shown(*type), kServed));
    if (!keys.find("architectures")) keys.fail_missing("architectures", "[\"GlmMoeDsaForCausalLM\"]");
    keys.must_be("architectures", {json::Value::array({"GlmMoeDsaForCausalLM"})});
}

void read_sizes(KeyReader& keys, Config& config) {
    keys.read_integer("vocab_size", config.vocab_size, 1, kMaxVocabulary);
    keys.read_integer("hidden_size", config.hidden_size, 1, kMaxHidden);
    keys.read_integer("intermediate_size", config.intermediate_size, 1, kMaxWidth);
    keys.read_integer("moe_intermediate_size", config.moe_intermediate_size, 1, kMaxWidth);
    keys.read_integer("num_hidden_layers", config.num_layers, 1, kMaxLayers);
    if (keys.find("num_nextn_predict_layers"))
        keys.read_integer("num_nextn_predict_layers", config.num_mtp_layers, 0, 1);
    keys.read_integer("max_position_embeddings", config.max_position_embeddings, 1, kMaxPositions);
    double eps = 0;
    keys.read_positive("rms_norm_eps", eps, 1);
    config.rms_norm_eps = static_cast<float>(eps);
}

void read_attention(KeyReader& keys, Config& config) {
    keys.read_integer("num_attention_heads", config.num_heads, 1, kMaxHeads);
    if (const json::Value* heads = keys.find("num_key_value_heads"); heads && heads->to_int64() != config.num_heads)
        keys.fail_unsupported("num_key_value_heads", *heads, fmt::format("{} (num_attention_heads)", config.num_heads));
    if (keys.contains("q_lora_rank") && !keys.find("q_lora_rank"))
        keys.fail_unsupported("q_lora_rank", json::Value(), "a rank (this model has no plain q_proj)");
    keys.read_integer("q_lora_rank", config.q_lora_rank, 1, kMaxHidden);
    keys.read_integer("kv_lora_rank", config.latent_dim, 1, kMaxHidden);
    keys.read_integer("qk_nope_head_dim", config.nope_dim, 1, kMaxHeadDim);
    keys.read_integer("qk_rope_head_dim", config.rope_dim, 2, kMaxHeadDim);
    keys.read_integer("v_head_dim", config.v_dim, 1, kMaxHeadDim);
    if (keys.ok() && config.rope_dim % 2 != 0)
        keys.fail(
            invalid_argument("{}: qk_rope_head_dim: expected an even number, found {}", keys.place(), config.rope_dim));
    if (const json::Value* dim = keys.find("qk_head_dim"); dim && dim->to_int64() != config.qk_head_dim())
        keys.fail_invalid("qk_head_dim", *dim,
                          fmt::format("{} (qk_nope_head_dim + qk_rope_head_dim)", config.qk_head_dim()));
    keys.must_be("attention_bias", {false});
    keys.must_be("rope_interleave", {true});
    // The rotary dimension is qk_rope_head_dim, whatever head_dim says.
    keys.ignore({"head_dim"});
    read_rope(keys, config);
}

void read_experts(KeyReader& keys, Config& config) {
    // One number under any of three names; all that are there agree.
    const char* name = "n_routed_experts";
    for (const char* alias : {"num_local_experts", "num_experts", "n_routed_experts"})
        if (keys.find(alias)) name = alias;
    keys.read_integer(name, config.num_experts, 1, kMaxExperts);
    for (const char* alias : {"num_local_experts", "num_experts"})
        if (const json::Value* value = keys.find(alias); value && value->to_int64() != config.num_experts)
            keys.fail_invalid(alias, *value, fmt::format("{} ({})", config.num_experts, name));
    keys.read_integer("n_shared_experts", config.num_shared_experts, 1, kMaxSharedExperts);
    keys.read_integer("num_experts_per_tok", config.num_experts_per_token, 1, config.num_experts);
    if (keys.ok() && int64_t{config.num_layers} * config.num_experts > kMaxExpertsInAllLayers)
        keys.fail(unsupported("{}: num_hidden_layers × {} is {}; supported: at most {}", keys.place(), name,
                              int64_t{config.num_layers} * config.num_experts, kMaxExpertsInAllLayers));
    keys.must_be("n_group", {1});
    keys.must_be("topk_group", {1});
    keys.must_be("scoring_func", {"sigmoid"});
    keys.must_be("topk_method", {"noaux_tc"});
    keys.must_be("moe_router_dtype", {"float32"});
    keys.read_flag("norm_topk_prob", config.norm_topk_prob);
    double scaling = 2.5;
    if (keys.find("routed_scaling_factor")) keys.read_positive("routed_scaling_factor", scaling, 1e6);
    config.routed_scaling_factor = static_cast<float>(scaling);
}

void read_indexer(KeyReader& keys, Config& config) {
    keys.read_integer("index_n_heads", config.index_heads, 1, kMaxHeads);
    keys.read_integer("index_head_dim", config.index_dim, 1, kMaxHeadDim);
    keys.read_integer("index_topk", config.index_top_k, 1, kMaxHidden);
    if (keys.ok() && config.index_dim < config.rope_dim)
        keys.fail(invalid_argument("{}: index_head_dim: expected at least {} (qk_rope_head_dim), found {}",
                                   keys.place(), config.rope_dim, config.index_dim));
    keys.must_be("indexer_rope_interleave", {true});
    keys.read_flag("index_share_for_mtp_iteration", config.index_share_for_mtp_iteration);
}

void check_fixed_keys(KeyReader& keys, const Config& config) {
    keys.must_be("hidden_act", {"silu"});
    keys.must_be("mlp_bias", {false});
    keys.must_be("tie_word_embeddings", {false});
    keys.must_be("dtype", {"bfloat16"});
    keys.must_be("torch_dtype", {"bfloat16"});
    if (const json::Value* types = keys.find("layer_types"); types && keys.ok()) {
        const json::Array expected(config.num_layers, json::Value("deepseek_sparse_attention"));
        if (*types != json::Value(expected))
            keys.fail_unsupported("layer_types", *types,
                                  fmt::format("{} times \"deepseek_sparse_attention\"", config.num_layers));
    }
    keys.ignore({"attention_dropout", "initializer_range", "ep_size", "pretraining_tp", "use_cache",
                 "transformers_version", "bos_token_id", "pad_token_id"});
}

void read_eos(KeyReader& keys, Config& config) {
    const json::Value* value = keys.find("eos_token_id");
    if (!value || !keys.ok()) return;
    const std::string expected = fmt::format("a token id below {} (vocab_size), or a list of them", config.vocab_size);
    const json::Array ids = value->is_array() ? value->as_array() : json::Array{*value};
    config.eos_token_ids.clear();
    for (const json::Value& id : ids) {
        const auto token = id.to_int64();
        if (!token || *token < 0 || *token >= config.vocab_size) return keys.fail_invalid("eos_token_id", id, expected);
        config.eos_token_ids.push_back(static_cast<int32_t>(*token));
    }
    if (ids.empty()) keys.fail_invalid("eos_token_id", *value, expected);
}

void read_generation_defaults(KeyReader& keys, Config& config) {
    read_eos(keys, config);
    if (const json::Value* value = keys.find("temperature")) {
        const auto temperature = value->to_double();
        if (!temperature || *temperature < 0 || *temperature > 100)
            keys.fail_invalid("temperature", *value, "a number from 0 to 100");
        else
            config.generation.temperature = *temperature;
    }
    if (keys.find("top_p")) keys.read_positive("top_p", config.generation.top_p, 1);
    keys.ignore(
        {"pad_token_id", "bos_token_id", "do_sample", "transformers_version", "_from_model_config", "use_cache"});
}

}  // namespace

LayerKind Config::layer(int index) const {
    GLM5_CHECK(index >= 0 && index < num_layers + num_mtp_layers, "layer {}", index);
    return index < num_layers ? layers[index] : LayerKind{MlpKind::sparse, IndexerKind::full, index};
}

int Config::num_full_layers() const {
    return static_cast<int>(std::ranges::count(layers, IndexerKind::full, &LayerKind::indexer));
}

Result<Config> Config::parse(const json::Value& config_file, const json::Value* generation_config,
                             const json::Value* quantization, std::vector<std::string>& warnings) {
    Config config;
    KeyReader keys("config.json", config_file);
    if (keys.ok()) check_architecture(keys);
    read_sizes(keys, config);
    read_attention(keys, config);
    read_experts(keys, config);
    read_indexer(keys, config);
    read_layer_kinds(keys, config);
    check_fixed_keys(keys, config);
    read_quantization(keys, quantization, config, warnings);
    read_eos(keys, config);
    GLM5_RETURN_IF_ERROR(keys.status());
    keys.warn_of_unknown_keys(warnings);

    if (generation_config) {
        KeyReader generation("generation_config.json", *generation_config);
        read_generation_defaults(generation, config);
        GLM5_RETURN_IF_ERROR(generation.status());
        generation.warn_of_unknown_keys(warnings);
    }
    if (config.eos_token_ids.empty())
        return invalid_argument("config.json: eos_token_id: missing; expected a token id or a list of them");
    return config;
}

}  // namespace glm5::config
