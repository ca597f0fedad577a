// Config::parse on the published files, and on files with one key changed: each error names key, found and supported.
#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "config_files.h"

namespace glm5::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// GLM-5.2's config with one key set (`value` is JSON text) or, with "", removed.
json::Value changed(const std::string& key, const std::string& value, const std::string& file = "glm-5.2_config") {
    json::Value config = read_config_file(file);
    json::Object* object = &config.as_object();
    const size_t dot = key.find('.');
    if (dot != std::string::npos) object = &object->find(key.substr(0, dot))->as_object();
    const std::string last = dot == std::string::npos ? key : key.substr(dot + 1);
    if (value.empty())
        object->erase(last);
    else
        object->set(last, *json::parse(value));
    return config;
}

std::string error_of(const json::Value& config) {
    const auto parsed = parse_config(config);
    return parsed.ok() ? "no error" : parsed.status().message();
}

std::string error_with(const std::string& key, const std::string& value) {
    return error_of(changed(key, value));
}

std::vector<int> full_layers(const Config& config) {
    std::vector<int> layers;
    for (int i = 0; i < config.num_layers; ++i)
        if (config.layers[i].indexer == IndexerKind::full) layers.push_back(i);
    return layers;
}

TEST(Config, ReadsThePublishedFiles) {
    const struct {
        const char* file;
        Quantization quantization;
        int num_full, positions;
        double theta;
        bool share;
    } files[] = {
        {"glm-5_config", Quantization::none, 78, 202752, 1e6, false},
        {"glm-5.1_config", Quantization::none, 78, 202752, 1e6, false},
        {"glm-5-fp8_config", Quantization::fp8, 78, 202752, 1e6, false},
        {"glm-5.2_config", Quantization::none, 21, 1048576, 8e6, true},
        {"glm-5.2-fp8_config", Quantization::fp8, 21, 1048576, 8e6, true},
        {"glm-5.2-nvfp4_config", Quantization::nvfp4, 21, 1048576, 8e6, true},
    };
    for (const auto& expected : files) {
        std::vector<std::string> warnings;
        const json::Value generation = read_config_file("generation_config");
        const auto config = Config::parse(read_config_file(expected.file), &generation, nullptr, warnings);
        ASSERT_TRUE(config.ok()) << expected.file << ": " << config.status().message();
        EXPECT_THAT(warnings, IsEmpty()) << expected.file;
        EXPECT_EQ(config->quantization, expected.quantization) << expected.file;
        EXPECT_EQ(config->num_full_layers(), expected.num_full) << expected.file;
        EXPECT_EQ(config->max_position_embeddings, expected.positions) << expected.file;
        EXPECT_EQ(config->rope_theta, expected.theta) << expected.file;
        EXPECT_EQ(config->index_share_for_mtp_iteration, expected.share) << expected.file;
        EXPECT_EQ(config->vocab_size, 154880);
        EXPECT_EQ(config->hidden_size, 6144);
        EXPECT_EQ(config->intermediate_size, 12288);
        EXPECT_EQ(config->moe_intermediate_size, 2048);
        EXPECT_EQ(config->num_layers, 78);
        EXPECT_EQ(config->num_mtp_layers, 1);
        EXPECT_EQ(config->rms_norm_eps, 1e-5f);
        EXPECT_EQ(config->num_heads, 64);
        EXPECT_EQ(config->q_lora_rank, 2048);
        EXPECT_EQ(config->latent_dim, 512);
        EXPECT_EQ(config->nope_dim, 192);
        EXPECT_EQ(config->rope_dim, 64);
        EXPECT_EQ(config->v_dim, 256);
        EXPECT_EQ(config->num_experts, 256);
        EXPECT_EQ(config->num_shared_experts, 1);
        EXPECT_EQ(config->num_experts_per_token, 8);
        EXPECT_TRUE(config->norm_topk_prob);
        EXPECT_EQ(config->routed_scaling_factor, 2.5f);
        EXPECT_EQ(config->index_heads, 32);
        EXPECT_EQ(config->index_dim, 128);
        EXPECT_EQ(config->index_top_k, 2048);
        EXPECT_THAT(config->eos_token_ids, ElementsAre(154820, 154827, 154829));
        EXPECT_EQ(config->generation.temperature, 1.0);
        EXPECT_EQ(config->generation.top_p, 0.95);
        for (int i = 0; i < 78; ++i) EXPECT_EQ(config->layers[i].mlp, i < 3 ? MlpKind::dense : MlpKind::sparse);
        EXPECT_EQ(config->layer(78).mlp, MlpKind::sparse);
        EXPECT_EQ(config->layer(78).index_source, 78);
    }
}

TEST(Config, ReadsTheSmallCheckpoints) {
    const auto nano = parse_config(read_json("models/glm5-nano/config.json"));
    ASSERT_TRUE(nano.ok()) << nano.status().message();
    EXPECT_EQ(nano->num_full_layers(), 4);
    EXPECT_EQ(nano->quantization, Quantization::fp8);
    const auto shared = parse_config(read_json("tests/fixtures/tiny-indexshare/config.json"));
    ASSERT_TRUE(shared.ok()) << shared.status().message();
    EXPECT_FALSE(shared->has_mtp());
    EXPECT_THAT(full_layers(*shared), ElementsAre(0, 1, 2, 5));
    std::vector<int> sources;
    for (const LayerKind& layer : shared->layers) sources.push_back(layer.index_source);
    EXPECT_THAT(sources, ElementsAre(0, 1, 2, 2, 2, 5, 5));
    EXPECT_EQ(parse_config(read_json("tests/fixtures/tiny-random/config.json"))->layers[0].mlp, MlpKind::dense);
}

TEST(Config, RefusesOtherArchitectures) {
    EXPECT_EQ(
        error_of(read_config_file("glm-5.3-flash_config")),
        "config.json: model_type \"glm5_next\" (GLM-5.3-Flash) is a different architecture (hybrid linear attention, "
        "multimodal); this server runs glm_moe_dsa: GLM-5, 5.1, 5.2, 5.3");
    EXPECT_EQ(error_with("model_type", "\"llama\""),
              "config.json: model_type \"llama\" is not supported; this server runs glm_moe_dsa: GLM-5, 5.1, 5.2, 5.3");
    EXPECT_EQ(error_with("model_type", ""), "config.json: model_type: missing; expected \"glm_moe_dsa\"");
    EXPECT_EQ(error_with("architectures", "[\"Other\"]"),
              "config.json: architectures: [\"Other\"] is not supported; supported: [\"GlmMoeDsaForCausalLM\"]");
    EXPECT_EQ(error_of(json::Value::array({})), "config.json: expected an object, found []");
}

TEST(Config, RefusesWhatIsNotSupported) {
    const struct {
        const char *key, *value, *error;
    } cases[] = {
        {"hidden_act", "\"gelu\"", "config.json: hidden_act: \"gelu\" is not supported; supported: \"silu\""},
        {"attention_bias", "true", "config.json: attention_bias: true is not supported; supported: false"},
        {"mlp_bias", "true", "config.json: mlp_bias: true is not supported; supported: false"},
        {"tie_word_embeddings", "true", "config.json: tie_word_embeddings: true is not supported; supported: false"},
        {"dtype", "\"float16\"", "config.json: dtype: \"float16\" is not supported; supported: \"bfloat16\""},
        {"torch_dtype", "\"float32\"",
         "config.json: torch_dtype: \"float32\" is not supported; supported: \"bfloat16\""},
        {"q_lora_rank", "null",
         "config.json: q_lora_rank: null is not supported; supported: a rank (this model has no plain q_proj)"},
        {"num_key_value_heads", "8",
         "config.json: num_key_value_heads: 8 is not supported; supported: 64 (num_attention_heads)"},
        {"qk_head_dim", "192",
         "config.json: qk_head_dim: expected 256 (qk_nope_head_dim + qk_rope_head_dim), found 192"},
        {"n_group", "8", "config.json: n_group: 8 is not supported; supported: 1"},
        {"topk_group", "4", "config.json: topk_group: 4 is not supported; supported: 1"},
        {"scoring_func", "\"softmax\"",
         "config.json: scoring_func: \"softmax\" is not supported; supported: \"sigmoid\""},
        {"topk_method", "\"greedy\"", "config.json: topk_method: \"greedy\" is not supported; supported: \"noaux_tc\""},
        {"moe_router_dtype", "\"bfloat16\"",
         "config.json: moe_router_dtype: \"bfloat16\" is not supported; supported: \"float32\""},
        {"moe_layer_freq", "2", "config.json: moe_layer_freq: 2 is not supported; supported: 1"},
        {"rope_interleave", "false", "config.json: rope_interleave: false is not supported; supported: true"},
        {"indexer_rope_interleave", "false",
         "config.json: indexer_rope_interleave: false is not supported; supported: true"},
        {"num_nextn_predict_layers", "2",
         "config.json: num_nextn_predict_layers: expected an integer from 0 to 1, found 2"},
        {"layer_types", "[\"full_attention\"]",
         "config.json: layer_types: [\"full_attention\"] is not supported; supported: 78 times "
         "\"deepseek_sparse_attention\""},
        {"num_experts", "128", "config.json: num_experts: expected 256 (n_routed_experts), found 128"},
    };
    for (const auto& each : cases) EXPECT_EQ(error_with(each.key, each.value), each.error);
}

TEST(Config, RefusesInsaneSizes) {
    const auto expect_integer = [](const char* key, const char* most) {
        for (const char* value : {"0", "-1", "1.5", "1e+99", "99999999999999999999", "\"64\"", "[]", "true"})
            EXPECT_EQ(error_with(key, value),
                      fmt::format("config.json: {}: expected an integer from 1 to {}, found {}", key, most, value));
        EXPECT_EQ(error_with(key, ""),
                  fmt::format("config.json: {}: missing; expected an integer from 1 to {}", key, most));
    };
    expect_integer("vocab_size", "16777216");
    expect_integer("hidden_size", "65536");
    expect_integer("num_hidden_layers", "1024");
    expect_integer("num_attention_heads", "1024");
    expect_integer("kv_lora_rank", "65536");
    expect_integer("v_head_dim", "4096");
    expect_integer("n_routed_experts", "4096");
    expect_integer("num_experts_per_tok", "256");
    expect_integer("index_topk", "65536");
    expect_integer("max_position_embeddings", "16777216");
    EXPECT_EQ(error_with("hidden_size", "9223372036854775807"),
              "config.json: hidden_size: expected an integer from 1 to 65536, found 9223372036854775807");
    EXPECT_EQ(error_of(changed("qk_rope_head_dim", "63")),
              "config.json: qk_rope_head_dim: expected an even number, found 63");
    EXPECT_EQ(error_with("index_head_dim", "32"),
              "config.json: index_head_dim: expected at least 64 (qk_rope_head_dim), found 32");
    EXPECT_EQ(error_with("n_routed_experts", "4096"),
              "config.json: num_hidden_layers × n_routed_experts is 319488; supported: at most 65536");
    EXPECT_EQ(error_with("rms_norm_eps", "0"),
              "config.json: rms_norm_eps: expected a number above 0, at most 1, found 0");
    EXPECT_EQ(error_with("rms_norm_eps", "1e400"),
              "config.json: rms_norm_eps: expected a number above 0, at most 1, found 1e400");
    EXPECT_EQ(error_with("norm_topk_prob", "1"), "config.json: norm_topk_prob: expected true or false, found 1");
}

TEST(Config, RopeNeedsATheta) {
    EXPECT_EQ(error_with("rope_parameters", ""),
              "config.json: rope_parameters.rope_theta: missing; expected the base of the rotary embedding");
    EXPECT_EQ(error_with("rope_parameters.rope_theta", ""),
              "config.json: rope_parameters.rope_theta: missing; expected the base of the rotary embedding");
    EXPECT_EQ(error_with("rope_parameters.rope_type", "\"yarn\""),
              "config.json: rope_parameters: rope_type: \"yarn\" is not supported; supported: \"default\"");
    EXPECT_EQ(error_with("rope_parameters.factor", "4.0"),
              "config.json: rope_parameters: factor: 4.0 is not supported; supported: no such key (rope_type "
              "\"default\" without factors)");
    EXPECT_EQ(error_with("rope_scaling", R"({"type": "linear", "factor": 2})"),
              "config.json: rope_scaling: type: \"linear\" is not supported; supported: \"default\"");
    EXPECT_EQ(error_with("rope_theta", "10000"),
              "config.json: rope_theta: 10000 differs from rope_parameters.rope_theta 8000000");

    json::Value older = changed("rope_parameters", "");
    older.as_object().set("rope_theta", 500000.0);
    older.as_object().set("rope_scaling", nullptr);
    const auto config = parse_config(older);
    ASSERT_TRUE(config.ok()) << config.status().message();
    EXPECT_EQ(config->rope_theta, 500000);
}

TEST(Config, IndexerLayersByEachRule) {
    std::vector<int> expected = {0, 1};
    for (int i = 2; i < 78; i += 4) expected.push_back(i);
    EXPECT_EQ(expected.size(), 21u);
    const auto layers_of = [](const json::Value& config) {
        const auto parsed = parse_config(config);
        EXPECT_TRUE(parsed.ok()) << parsed.status().message();
        return parsed.ok() ? full_layers(*parsed) : std::vector<int>();
    };
    // The list, then the frequency (4, offset 3), then a pattern, name the same layers.
    EXPECT_EQ(layers_of(read_config_file("glm-5.2_config")), expected);
    EXPECT_EQ(layers_of(changed("indexer_types", "null")), expected);
    std::string pattern(78, 'S');
    for (int layer : expected) pattern[layer] = 'F';
    json::Value by_pattern = changed("indexer_types", "");
    by_pattern.as_object().set("index_topk_pattern", pattern);
    by_pattern.as_object().set("index_topk_freq", 1);
    EXPECT_EQ(layers_of(by_pattern), expected);
    json::Array letters;
    for (char letter : pattern) letters.emplace_back(std::string(1, letter));
    by_pattern.as_object().set("index_topk_pattern", letters);
    EXPECT_EQ(layers_of(by_pattern), expected);
    // Without any key each layer is full.
    EXPECT_EQ(layers_of(read_config_file("glm-5_config")).size(), 78u);
}

TEST(Config, RefusesBadLayerLists) {
    EXPECT_EQ(error_with("indexer_types", "[\"full\"]"),
              "config.json: indexer_types: expected 78 entries (num_hidden_layers), found 1");
    EXPECT_EQ(error_with("indexer_types", "\"full\""),
              "config.json: indexer_types: expected a list of strings, found \"full\"");
    EXPECT_EQ(error_with("mlp_layer_types", "[]"),
              "config.json: mlp_layer_types: expected 78 entries (num_hidden_layers), found 0");
    json::Value config = read_config_file("glm-5.2_config");
    config.as_object().find("indexer_types")->as_array()[0] = "shared";
    EXPECT_EQ(error_of(config), "config.json: layer 0 shares an indexer, but there is no layer below it");
    config.as_object().find("indexer_types")->as_array()[5] = "half";
    EXPECT_EQ(error_of(config),
              "config.json: indexer_types[5]: \"half\" is not supported; supported: \"full\", \"shared\"");
    config.as_object().find("indexer_types")->as_array()[5] = 7;
    EXPECT_EQ(error_of(config), "config.json: indexer_types: expected a list of strings, found 7");
    EXPECT_EQ(error_of(changed("first_k_dense_replace", "79", "glm-5_config")),
              "config.json: first_k_dense_replace: expected an integer from 0 to 78, found 79");
}

TEST(Config, ChecksQuantization) {
    const auto fp8_error = [](const char* key, const char* value) {
        return error_of(changed(std::string("quantization_config.") + key, value, "glm-5.2-fp8_config"));
    };
    const std::string place = "config.json: quantization_config: ";
    EXPECT_EQ(fp8_error("quant_method", "\"awq\""),
              place + "quant_method: \"awq\" is not supported; supported: \"fp8\", \"modelopt\"");
    EXPECT_EQ(fp8_error("quant_method", ""), place + "quant_method: missing; expected \"fp8\" or \"modelopt\"");
    EXPECT_EQ(fp8_error("fmt", "\"e5m2\""), place + "fmt: \"e5m2\" is not supported; supported: \"e4m3\"");
    EXPECT_EQ(fp8_error("activation_scheme", "\"static\""),
              place + "activation_scheme: \"static\" is not supported; supported: \"dynamic\"");
    EXPECT_EQ(fp8_error("weight_block_size", "[64, 64]"),
              place + "weight_block_size: [64, 64] is not supported; supported: [128, 128]");
    EXPECT_EQ(fp8_error("weight_block_size", ""), place + "weight_block_size: missing; expected [128, 128]");
    EXPECT_EQ(fp8_error("scale_fmt", "\"ue8m0\""),
              place + "scale_fmt: \"ue8m0\" is not supported; supported: no such key (F32 scales)");
    const auto fp4_error = [](const char* key, const char* value) {
        return error_of(changed(std::string("quantization_config.") + key, value, "glm-5.2-nvfp4_config"));
    };
    EXPECT_EQ(fp4_error("quant_algo", "\"FP8\""), place + "quant_algo: \"FP8\" is not supported; supported: \"NVFP4\"");
    EXPECT_EQ(
        fp4_error("config_groups", R"({"group_0": {"weights": {"num_bits": 4, "type": "float", "group_size": 32}}})"),
        place + "config_groups.group_0.weights: group_size: 32 is not supported; supported: 16");
}

TEST(Config, ReadsTheModelOptFile) {
    std::vector<std::string> warnings;
    const json::Value file = read_config_file("glm-5.2-nvfp4_hf_quant_config");
    auto config = Config::parse(read_config_file("glm-5.2_config"), nullptr, &file, warnings);
    ASSERT_TRUE(config.ok()) << config.status().message();
    EXPECT_EQ(config->quantization, Quantization::nvfp4);
    EXPECT_THAT(warnings, IsEmpty());
    config = Config::parse(read_config_file("glm-5.2-fp8_config"), nullptr, &file, warnings);
    EXPECT_EQ(config.status().message(), "hf_quant_config.json says NVFP4, quantization_config of config.json fp8");
    const json::Value wrong = *json::parse(R"({"quantization": {"quant_algo": "W4A8"}})");
    config = Config::parse(read_config_file("glm-5.2_config"), nullptr, &wrong, warnings);
    EXPECT_EQ(config.status().message(),
              "hf_quant_config.json: quantization: quant_algo: \"W4A8\" is not supported; supported: \"NVFP4\"");
}

TEST(Config, EosAndGenerationDefaults) {
    std::vector<std::string> warnings;
    json::Value generation = *json::parse(R"({"eos_token_id": 7, "temperature": 0.6, "top_p": 0.9, "top_k": 5})");
    auto config = Config::parse(read_config_file("glm-5.2_config"), &generation, nullptr, warnings);
    ASSERT_TRUE(config.ok());
    EXPECT_THAT(config->eos_token_ids, ElementsAre(7));
    EXPECT_EQ(config->generation.temperature, 0.6);
    EXPECT_EQ(config->generation.top_p, 0.9);
    EXPECT_THAT(warnings, ElementsAre("generation_config.json: unknown key \"top_k\" is ignored"));

    const auto generation_error = [&](const char* text) {
        const json::Value value = *json::parse(text);
        return Config::parse(read_config_file("glm-5.2_config"), &value, nullptr, warnings).status().message();
    };
    EXPECT_EQ(generation_error(R"({"top_p": 1.5})"),
              "generation_config.json: top_p: expected a number above 0, at most 1, found 1.5");
    EXPECT_EQ(generation_error(R"({"temperature": -1})"),
              "generation_config.json: temperature: expected a number from 0 to 100, found -1");
    EXPECT_EQ(generation_error(R"({"eos_token_id": [1, -1]})"),
              "generation_config.json: eos_token_id: expected a token id below 154880 (vocab_size), or a list of them, "
              "found -1");
    EXPECT_EQ(
        error_with("eos_token_id", "154880"),
        "config.json: eos_token_id: expected a token id below 154880 (vocab_size), or a list of them, found 154880");
    EXPECT_EQ(error_with("eos_token_id", ""),
              "config.json: eos_token_id: missing; expected a token id or a list of them");
}

TEST(Config, WarnsOncePerUnknownKey) {
    json::Value file = read_config_file("glm-5.2_config");
    file.as_object().set("swiglu_limit", 10);
    file.as_object().set("mhc", true);
    std::vector<std::string> warnings;
    ASSERT_TRUE(Config::parse(file, nullptr, nullptr, warnings).ok());
    EXPECT_THAT(warnings, ElementsAre("config.json: unknown key \"swiglu_limit\" is ignored",
                                      "config.json: unknown key \"mhc\" is ignored"));
    for (int i = 0; i < 100; ++i) file.as_object().set(fmt::format("key{}", i), i);
    warnings.clear();
    ASSERT_TRUE(Config::parse(file, nullptr, nullptr, warnings).ok());
    ASSERT_EQ(warnings.size(), 21u);
    EXPECT_EQ(warnings.back(), "config.json: 82 more unknown keys are ignored");
}

}  // namespace
}  // namespace glm5::config
