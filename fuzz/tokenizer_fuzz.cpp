// The first byte of the input chooses: the rest is a tokenizer.json; or text to encode and decode; or ids to decode; or
// a split pattern, a newline and text.
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "json/value.h"
#include "json/write.h"
#include "text/byte_alphabet.h"
#include "text/detokenizer.h"
#include "text/regex_split.h"
#include "text/split.h"

namespace glm5::text {
namespace {

// The 256 bytes, some merges that overlap, and added tokens.
Tokenizer make_small_tokenizer() {
    json::Object vocab;
    json::Array merges, added;
    const auto add = [&](const std::string& bytes) {
        vocab.set(bytes_to_name(bytes), static_cast<int64_t>(vocab.size()));
    };
    for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)));
    for (const auto& [left, right] : {std::pair("a", "b"),
                                      {"b", "a"},
                                      {"ab", "a"},
                                      {"a", "a"},
                                      {"aa", "aa"},
                                      {" ", "a"},
                                      {"aaaa", "ab"},
                                      {"\xC3", "\xA9"},
                                      {"\n", "\n"},
                                      {"1", "2"},
                                      {"12", "1"}}) {
        add(std::string(left) + right);
        merges.push_back(json::Value::array({bytes_to_name(left), bytes_to_name(right)}));
    }
    for (const char* content : {"<|a|>", "<a>", "/no", "<|"}) {
        added.push_back(json::Value::object({{"id", static_cast<int64_t>(vocab.size() + added.size())},
                                             {"content", content},
                                             {"normalized", false},
                                             {"special", added.empty()}}));
    }
    const json::Value split = json::Value::object(
        {{"type", "Split"}, {"pattern", json::Value::object({{"Regex", kGlmSplitPattern}})}, {"behavior", "Isolated"}});
    const json::Value bytes =
        json::Value::object({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
    const json::Value document = json::Value::object(
        {{"version", "1.0"},
         {"added_tokens", std::move(added)},
         {"pre_tokenizer",
          json::Value::object({{"type", "Sequence"}, {"pretokenizers", json::Value::array({split, bytes})}})},
         {"decoder", json::Value::object({{"type", "ByteLevel"}})},
         {"model",
          json::Value::object({{"type", "BPE"}, {"vocab", std::move(vocab)}, {"merges", std::move(merges)}})}});
    return Tokenizer::from_json(json::write(document)).value();
}

void load(std::string_view json) {
    const Result<Tokenizer> tokenizer = Tokenizer::from_json(json);
    if (!tokenizer.ok()) {
        GLM5_CHECK(tokenizer.status().message().find('\n') == std::string::npos, "{}", tokenizer.status().message());
        return;
    }
    const std::vector<int32_t> ids = tokenizer->encode("aab <|a|> 123\n\xFF é");
    for (const int32_t id : ids) GLM5_CHECK(tokenizer->is_token(id), "{}", id);
    tokenizer->decode(ids, true);
}

void decode(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
    for (const bool skip : {false, true}) {
        std::string streamed;
        Detokenizer detokenizer(tokenizer, skip);
        for (const int32_t id : ids) {
            const std::string part = detokenizer.push(id);
            GLM5_CHECK(is_valid_utf8(part));
            streamed += part;
        }
        streamed += detokenizer.finish();
        GLM5_CHECK(streamed == tokenizer.decode(ids, skip));
    }
}

void round_trip(const Tokenizer& tokenizer, std::string_view text) {
    const std::string repaired = replace_invalid_utf8(text);
    GLM5_CHECK(is_valid_utf8(repaired));
    for (const bool added_tokens : {false, true}) {
        const std::vector<int32_t> ids = tokenizer.encode(text, {.added_tokens = added_tokens});
        GLM5_CHECK(tokenizer.decode(ids, false) == repaired);
        GLM5_CHECK(tokenizer.encode(repaired, {.added_tokens = added_tokens}) == ids);
        decode(tokenizer, ids);
    }
}

void split(std::string_view input) {
    const size_t newline = std::min(input.find('\n'), input.size());
    const auto regex = RegexSplitter::compile(input.substr(0, newline));
    if (!regex.ok()) return;
    const std::string text = replace_invalid_utf8(input.substr(std::min(newline + 1, input.size())));
    std::vector<uint32_t> ends;
    (*regex)->split(text, ends);
    uint32_t start = 0;
    for (const uint32_t end : ends) {
        GLM5_CHECK(end > start);
        start = end;
    }
    GLM5_CHECK(start == text.size());
}

}  // namespace
}  // namespace glm5::text

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace glm5::text;
    static const Tokenizer tokenizer = make_small_tokenizer();
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0]) {
        case '{': load({reinterpret_cast<const char*>(data), size}); break;
        case 'r': split(rest); break;
        case 'i': {
            std::vector<int32_t> ids(rest.size() / sizeof(int16_t));
            for (size_t i = 0; i < ids.size(); ++i) {
                int16_t id;
                std::memcpy(&id, rest.data() + i * sizeof id, sizeof id);
                ids[i] = id;
            }
            decode(tokenizer, ids);
            break;
        }
        default: round_trip(tokenizer, rest);
    }
    return 0;
}
