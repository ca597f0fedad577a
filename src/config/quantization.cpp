// quantization_config of config.json and hf_quant_config.json: FP8 with 128 × 128 blocks, and NVFP4 by ModelOpt.
// The lists of excluded modules are not used: which layer is stored how is read from its tensors.
#include "config/sections.h"

namespace glm5::config {
namespace {

void read_fp8(KeyReader& keys) {
    keys.must_be("fmt", {"e4m3"});
    keys.must_be("activation_scheme", {"dynamic"});
    keys.ignore({"modules_to_not_convert", "ignored_layers"});
    if (const json::Value* format = keys.find("scale_fmt"))
        keys.fail_unsupported("scale_fmt", *format, "no such key (F32 scales)");
    if (!keys.find("weight_block_size")) keys.fail_missing("weight_block_size", "[128, 128]");
    keys.must_be("weight_block_size", {json::Value::array({128, 128})});
}

// config_groups: each group quantises weights to 4-bit floats in groups of 16.
void check_nvfp4_groups(KeyReader& keys, const json::Value& groups) {
    if (!groups.is_object()) return keys.fail_invalid("config_groups", groups, "an object");
    for (const auto& [name, group] : groups.as_object()) {
        const json::Value* weights = group.find("weights");
        if (!weights) continue;
        KeyReader reader(fmt::format("{}: config_groups.{}.weights", keys.place(), name), *weights);
        reader.must_be("num_bits", {4});
        reader.must_be("type", {"float"});
        reader.must_be("group_size", {16});
        keys.fail(reader.status());
    }
}

void read_nvfp4(KeyReader& keys, std::vector<std::string>& warnings) {
    if (!keys.find("quant_algo")) keys.fail_missing("quant_algo", "\"NVFP4\"");
    keys.must_be("quant_algo", {"NVFP4"});
    keys.must_be("group_size", {16});
    if (const json::Value* groups = keys.find("config_groups")) check_nvfp4_groups(keys, *groups);
    keys.ignore({"ignore", "exclude_modules", "producer", "kv_cache_scheme", "kv_cache_quant_algo"});
    if (keys.ok()) keys.warn_of_unknown_keys(warnings);
}

}  // namespace

void read_quantization(KeyReader& keys, const json::Value* file, Config& config, std::vector<std::string>& warnings) {
    if (const json::Value* section = keys.find("quantization_config")) {
        KeyReader reader(keys.place() + ": quantization_config", *section);
        if (!reader.find("quant_method")) reader.fail_missing("quant_method", R"("fp8" or "modelopt")");
        reader.must_be("quant_method", {"fp8", "modelopt"});
        if (reader.ok() && section->find("quant_method")->as_string() == "fp8") {
            config.quantization = Quantization::fp8;
            read_fp8(reader);
            reader.warn_of_unknown_keys(warnings);
        } else {
            config.quantization = Quantization::nvfp4;
            read_nvfp4(reader, warnings);
        }
        keys.fail(reader.status());
    }
    if (!file) return;
    KeyReader outer("hf_quant_config.json", *file);
    outer.ignore({"producer"});
    const json::Value* section = outer.find("quantization");
    if (!section) outer.fail_missing("quantization", "an object");
    if (outer.ok()) {
        KeyReader reader("hf_quant_config.json: quantization", *section);
        read_nvfp4(reader, warnings);
        outer.fail(reader.status());
        if (config.quantization == Quantization::fp8)
            outer.fail(invalid_argument("hf_quant_config.json says NVFP4, quantization_config of config.json fp8"));
        config.quantization = Quantization::nvfp4;
    }
    keys.fail(outer.status());
}

}  // namespace glm5::config
