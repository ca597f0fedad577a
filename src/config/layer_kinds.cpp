// Which layers are dense or sparse, and which have an indexer of their own.
#include "config/sections.h"

namespace glm5::config {
namespace {

// The strings of a list that has one entry per layer; nothing, and an error in `keys`, otherwise.
std::vector<std::string> layer_words(KeyReader& keys, std::string_view key, const json::Value& value,
                                     const Config& config) {
    std::vector<std::string> words;
    if (!value.is_array()) {
        keys.fail_invalid(key, value, "a list of strings");
        return {};
    }
    if (value.as_array().size() != static_cast<size_t>(config.num_layers)) {
        keys.fail(invalid_argument("{}: {}: expected {} entries (num_hidden_layers), found {}", keys.place(), key,
                                   config.num_layers, value.as_array().size()));
        return {};
    }
    for (const json::Value& word : value.as_array()) {
        if (!word.is_string()) {
            keys.fail_invalid(key, word, "a list of strings");
            return {};
        }
        words.push_back(word.as_string());
    }
    return words;
}

void read_mlp_kinds(KeyReader& keys, Config& config) {
    keys.must_be("moe_layer_freq", {1});
    if (const json::Value* types = keys.find("mlp_layer_types")) {
        keys.ignore({"first_k_dense_replace"});
        const auto words = layer_words(keys, "mlp_layer_types", *types, config);
        for (size_t i = 0; i < words.size(); ++i) {
            if (words[i] != "dense" && words[i] != "sparse")
                keys.fail_unsupported(fmt::format("mlp_layer_types[{}]", i), json::Value(words[i]),
                                      R"("dense", "sparse")");
            config.layers[i].mlp = words[i] == "dense" ? MlpKind::dense : MlpKind::sparse;
        }
        return;
    }
    int num_dense = 0;
    keys.read_integer("first_k_dense_replace", num_dense, 0, config.num_layers);
    for (int i = 0; i < num_dense; ++i) config.layers[i].mlp = MlpKind::dense;
}

// `full` and `shared` are the two words of `key`.
void apply_indexer_words(KeyReader& keys, std::string_view key, const std::vector<std::string>& words,
                         std::string_view full, std::string_view shared, Config& config) {
    for (size_t i = 0; i < words.size(); ++i) {
        if (words[i] != full && words[i] != shared)
            keys.fail_unsupported(fmt::format("{}[{}]", key, i), json::Value(words[i]),
                                  fmt::format("\"{}\", \"{}\"", full, shared));
        config.layers[i].indexer = words[i] == full ? IndexerKind::full : IndexerKind::shared;
    }
}

void read_indexer_pattern(KeyReader& keys, const json::Value& pattern, Config& config) {
    if (!pattern.is_string())
        return apply_indexer_words(keys, "index_topk_pattern", layer_words(keys, "index_topk_pattern", pattern, config),
                                   "F", "S", config);
    json::Array letters;
    for (char letter : pattern.as_string()) letters.emplace_back(std::string(1, letter));
    apply_indexer_words(keys, "index_topk_pattern",
                        layer_words(keys, "index_topk_pattern", json::Value(std::move(letters)), config), "F", "S",
                        config);
}

void read_indexer_frequency(KeyReader& keys, Config& config) {
    constexpr int kMost = 1 << 20;
    int frequency = 1, offset = 2;
    if (keys.find("index_topk_freq")) keys.read_integer("index_topk_freq", frequency, 0, kMost);
    if (keys.find("index_skip_topk_offset")) keys.read_integer("index_skip_topk_offset", offset, -kMost, kMost);
    frequency = std::max(frequency, 1);
    for (int i = 0; i < config.num_layers; ++i) {
        const bool full = std::max(i - offset + 1, 0) % frequency == 0;
        config.layers[i].indexer = full ? IndexerKind::full : IndexerKind::shared;
    }
}

}  // namespace

void read_layer_kinds(KeyReader& keys, Config& config) {
    if (!keys.ok()) return;
    config.layers.resize(config.num_layers);
    read_mlp_kinds(keys, config);

    keys.ignore({"indexer_types", "index_topk_pattern", "index_topk_freq", "index_skip_topk_offset"});
    if (const json::Value* types = keys.find("indexer_types")) {
        apply_indexer_words(keys, "indexer_types", layer_words(keys, "indexer_types", *types, config), "full", "shared",
                            config);
    } else if (const json::Value* pattern = keys.find("index_topk_pattern")) {
        read_indexer_pattern(keys, *pattern, config);
    } else {
        read_indexer_frequency(keys, config);
    }
    if (!keys.ok()) return;
    if (config.layers[0].indexer == IndexerKind::shared)
        return keys.fail(
            invalid_argument("{}: layer 0 shares an indexer, but there is no layer below it", keys.place()));
    for (int i = 0; i < config.num_layers; ++i)
        config.layers[i].index_source =
            config.layers[i].indexer == IndexerKind::full ? i : config.layers[i - 1].index_source;
}

}  // namespace glm5::config
