// The parts of Config::parse that fill a Config from one group of keys each. An error is left in the reader.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/key_reader.h"

namespace glm5::config {

// layers: mlp_layer_types or first_k_dense_replace, and indexer_types, index_topk_pattern or index_topk_freq.
void read_layer_kinds(KeyReader& keys, Config& config);

// rope_theta: rope_parameters, or the older rope_theta and rope_scaling.
void read_rope(KeyReader& keys, Config& config);

// quantization: quantization_config, and hf_quant_config.json when `file` is not null.
void read_quantization(KeyReader& keys, const json::Value* file, Config& config, std::vector<std::string>& warnings);

}  // namespace glm5::config
