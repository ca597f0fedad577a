#include "engine/support.h"

#include <fstream>
#include <sstream>

#include "json/parse.h"

namespace glm5 {
namespace {

constexpr int kNanoTokens = 4132;  // in models/glm5-nano/tokenizer.json

}  // namespace

EngineOptions nano_options() {
    EngineOptions options;
    options.model_directory = GLM5_SOURCE_DIR "/models/glm5-nano";
    options.num_vocab_tokens = kNanoTokens;
    options.kv_cache_bytes = int64_t{256} << 20;
    return options;
}

const std::vector<Golden>& goldens() {
    static const std::vector<Golden> rows = [] {
        std::ifstream file(GLM5_SOURCE_DIR "/tests/fixtures/nano/nano-fp8.json");
        std::stringstream text;
        text << file.rdbuf();
        const json::Value document = json::parse(text.str()).value();
        const auto ids = [](const json::Value& list) {
            std::vector<int32_t> out;
            for (const json::Value& id : list.as_array()) out.push_back(static_cast<int32_t>(*id.to_int64()));
            return out;
        };
        std::vector<Golden> result;
        for (const json::Value& row : document.as_array())
            result.push_back(
                {row.find("name")->as_string(), ids(*row.find("prompt_ids")), ids(*row.find("greedy_ids"))});
        return result;
    }();
    return rows;
}

Request request_for(const Golden& golden) {
    return {.prompt = golden.prompt, .sampling = {.max_tokens = static_cast<int>(golden.greedy.size())}};
}

}  // namespace glm5
