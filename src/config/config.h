// Config: what config.json and generation_config.json say about a GLM-5 checkpoint, checked and resolved.
// A Config that exists is sane: sizes are positive and bounded, so that products of a few of them fit in int64.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "json/value.h"

namespace glm5::config {

enum class MlpKind : uint8_t { dense, sparse };
enum class IndexerKind : uint8_t { full, shared };

struct LayerKind {
    MlpKind mlp = MlpKind::sparse;
    IndexerKind indexer = IndexerKind::full;
    int index_source = 0;  // the layer whose choice of positions this one uses: itself when full
};

// What quantization_config announces. Which linear layer is stored how is read from its tensors.
enum class Quantization : uint8_t { none, fp8, nvfp4 };

// Sampling defaults of the model: generation_config.json, or neutral values.
struct GenerationDefaults {
    double temperature = 1.0;
    double top_p = 1.0;
};

struct Config {
    int vocab_size = 0;  // rows of the embedding; the tokenizer may have fewer tokens
    int hidden_size = 0;
    int intermediate_size = 0;      // width of the dense MLP
    int moe_intermediate_size = 0;  // width of one expert
    int num_layers = 0;             // main layers; an MTP layer has the index num_layers
    int num_mtp_layers = 0;         // 0 or 1
    int max_position_embeddings = 0;
    float rms_norm_eps = 0;

    int num_heads = 0;
    int q_lora_rank = 0;
    int latent_dim = 0;  // kv_lora_rank
    int nope_dim = 0;    // qk_nope_head_dim
    int rope_dim = 0;    // qk_rope_head_dim, even
    int v_dim = 0;       // v_head_dim
    double rope_theta = 0;

    int num_experts = 0;  // routed
    int num_shared_experts = 0;
    int num_experts_per_token = 0;
    bool norm_topk_prob = true;  // the weights of the chosen experts are divided by their sum
    float routed_scaling_factor = 0;

    int index_heads = 0;
    int index_dim = 0;  // at least rope_dim
    int index_top_k = 0;
    bool index_share_for_mtp_iteration = false;  // MTP steps after the first reuse its choice of positions

    std::vector<LayerKind> layers;  // [num_layers]
    Quantization quantization = Quantization::none;
    std::vector<int32_t> eos_token_ids;  // not empty
    GenerationDefaults generation;

    int qk_head_dim() const { return nope_dim + rope_dim; }
    int shared_expert_width() const { return num_shared_experts * moe_intermediate_size; }
    bool has_mtp() const { return num_mtp_layers != 0; }
    // The kind of a main layer or of the MTP layer, which is sparse and full.
    LayerKind layer(int index) const;
    int num_full_layers() const;  // main layers with an indexer of their own

    // `config` is config.json, `generation_config` and `quantization` (hf_quant_config.json) are files that may be
    // absent. One warning per unknown key is appended. Errors name the key, what was found and what is supported.
    static Result<Config> parse(const json::Value& config, const json::Value* generation_config,
                                const json::Value* quantization, std::vector<std::string>& warnings);
};

}  // namespace glm5::config
