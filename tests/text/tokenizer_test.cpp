// The tokenizer's lookups, what tokenizer.json may and may not hold, and the bounds on time.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "json/parse.h"
#include "json/write.h"
#include "text/support.h"

namespace glm5::text {
namespace {

TEST(Tokenizer, Lookups) {
    const Tokenizer& tokenizer = nano_tokenizer();
    const json::Value document = nano_json();
    ASSERT_EQ(tokenizer.num_tokens(), 4132);
    for (const auto& [name, id] : document.find("model")->find("vocab")->as_object()) {
        ASSERT_EQ(tokenizer.token_to_id(name), id.to_int64());
        ASSERT_EQ(tokenizer.id_to_token(static_cast<int32_t>(*id.to_int64())), name);
    }
    for (const json::Value& token : document.find("added_tokens")->as_array()) {
        const auto id = static_cast<int32_t>(*token.find("id")->to_int64());
        EXPECT_EQ(tokenizer.token_to_id(token.find("content")->as_string()), id);
        EXPECT_EQ(tokenizer.token_bytes(id), token.find("content")->as_string());
        EXPECT_EQ(tokenizer.is_special(id), token.find("special")->as_bool());
    }
    EXPECT_EQ(tokenizer.token_bytes(tokenizer.token_to_id("Ġthe")), " the");
    EXPECT_EQ(tokenizer.token_to_id("no such token"), -1);
    for (const int32_t id : {-1, 4132, INT32_MAX, INT32_MIN}) {
        EXPECT_FALSE(tokenizer.is_token(id));
        EXPECT_FALSE(tokenizer.is_special(id));
        EXPECT_EQ(tokenizer.token_bytes(id), "");
        EXPECT_EQ(tokenizer.id_to_token(id), "");
        EXPECT_EQ(tokenizer.decode(std::vector<int32_t>{id}, false), "");
    }
}

TEST(Tokenizer, TextOfControlTokensCanStayText) {
    const Tokenizer& tokenizer = nano_tokenizer();
    const std::string text = "<|user|>hello<think>/nothink";
    const std::vector<int32_t> ids = tokenizer.encode(text, {.added_tokens = false});
    for (const int32_t id : ids) EXPECT_LT(id, 4096);
    EXPECT_EQ(tokenizer.decode(ids, true), text);
    EXPECT_EQ(tokenizer.encode(text).front(), tokenizer.token_to_id("<|user|>"));
}

// The published file without its vocabulary has all of its other fields; the 256 bytes make it a tokenizer.
TEST(Tokenizer, PublishedFields) {
    json::Value document = read_fixture("tokenizer_skeleton.json");
    ASSERT_FALSE(Tokenizer::from_json(json::write(document)).ok());
    json::Object vocab;
    for (int32_t id = 0; id < 256; ++id) vocab.set(std::string(nano_tokenizer().id_to_token(id)), id);
    document.as_object().find("model")->as_object().set("vocab", std::move(vocab));
    for (int32_t id = 256; json::Value & token : document.as_object().find("added_tokens")->as_array())
        token.as_object().set("id", id++);
    const Tokenizer tokenizer = make_tokenizer(document);
    EXPECT_EQ(tokenizer.num_tokens(), 256 + 36);
    EXPECT_EQ(tokenizer.encode("[gMASK]<sop>!"), (std::vector<int32_t>{258, 260, tokenizer.token_to_id("!")}));
}

TEST(Tokenizer, MergesAsStrings) {
    json::Value document = nano_json();
    for (json::Value& merge : document.as_object().find("model")->as_object().find("merges")->as_array()) {
        merge = merge.as_array()[0].as_string() + " " + merge.as_array()[1].as_string();
    }
    const Tokenizer tokenizer = make_tokenizer(document);
    const std::string text = "Packages from the archive: 1234 of them, 你好!";
    EXPECT_EQ(tokenizer.encode(text), nano_tokenizer().encode(text));
}

// Several threads encode and decode with one tokenizer.
TEST(Tokenizer, Threads) {
    const std::string text = "The quick brown fox <|user|> jumps over 1234567 lazy dogs; naïve 你好\n\n";
    const std::vector<int32_t> ids = nano_tokenizer().encode(text);
    std::vector<std::thread> threads;
    std::atomic<int> num_wrong = 0;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < 500; ++round) {
                if (nano_tokenizer().encode(text) != ids || nano_tokenizer().decode(ids, false) != text) ++num_wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(num_wrong, 0);
}

// A megabyte that is one pre-token takes n log n steps; n squared would be minutes.
TEST(Tokenizer, EndlessPreTokens) {
    for (const char* unit : {"a", "e", " ", "=", "ab", "你", "th", "\n", "the"}) {
        std::string text;
        while (text.size() < 1'000'000) text += unit;
        const auto start = std::chrono::steady_clock::now();
        const std::vector<int32_t> ids = nano_tokenizer().encode(text);
        EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << unit;
        EXPECT_EQ(nano_tokenizer().decode(ids, false), text) << unit;
    }
}

TEST(Tokenizer, Load) {
    const std::string missing = Tokenizer::load("/nonexistent/tokenizer.json").status().message();
    EXPECT_EQ(missing, "/nonexistent/tokenizer.json: cannot be opened");
    EXPECT_EQ(Tokenizer::load(GLM5_SOURCE_DIR).status().message(), std::string(GLM5_SOURCE_DIR) + ": cannot be read");
    const std::string path = testing::TempDir() + "/tokenizer_test_empty.json";
    std::ofstream(path) << "{}";
    EXPECT_EQ(Tokenizer::load(path).status().message(), path + ": version: expected \"1.0\", found nothing");
}

// A field of tokenizer.json, the value that it gets as JSON (none: the field is removed), and the error.
struct Refusal {
    const char* path;  // keys and indices with dots between them
    const char* value;
    const char* message;
};

json::Value& at_path(json::Value& document, std::string_view path) {
    json::Value* value = &document;
    while (!path.empty()) {
        const std::string_view key = path.substr(0, path.find('.'));
        path.remove_prefix(std::min(path.size(), key.size() + 1));
        value = value->is_array() ? &value->as_array().at(std::stoul(std::string(key))) : value->as_object().find(key);
        EXPECT_NE(value, nullptr) << key;
    }
    return *value;
}

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithItsMessage) {
    const auto& [path, value, message] = GetParam();
    json::Value document = nano_json();
    const std::string_view whole = path;
    const size_t dot = whole.rfind('.');
    json::Value& parent = dot == whole.npos ? document : at_path(document, whole.substr(0, dot));
    const std::string key(dot == whole.npos ? whole : whole.substr(dot + 1));
    if (value == nullptr) {
        ASSERT_TRUE(parent.as_object().erase(key));
    } else if (parent.is_array()) {
        parent.as_array().at(std::stoul(key)) = json::parse(value).value();
    } else {
        parent.as_object().set(key, json::parse(value).value());
    }
    const Result<Tokenizer> tokenizer = Tokenizer::from_json(json::write(document));
    ASSERT_FALSE(tokenizer.ok());
    EXPECT_EQ(tokenizer.status().message(), message);
}

constexpr Refusal kRefusals[] = {
    {"version", R"("2.0")", R"(version: expected "1.0", found "2.0")"},
    {"truncation", R"({"max_length": 4})", "truncation: expected null, found an object"},
    {"padding", "{}", "padding: expected null, found an object"},
    {"normalizer", R"({"type": "NFC"})", "normalizer: expected null, found an object"},
    {"surprise", "1", R"(the document: unknown key "surprise")"},
    {"line\nbreak\"", "1", R"(the document: unknown key "line\nbreak\"")"},
    {"pre_tokenizer", "null", "pre_tokenizer: expected an object, found null"},
    {"pre_tokenizer", nullptr, "pre_tokenizer: expected an object, found nothing"},
    {"pre_tokenizer.type", R"("Whitespace")", R"(pre_tokenizer.type: expected "Sequence", found "Whitespace")"},
    {"pre_tokenizer.pretokenizers", "[]",
     "pre_tokenizer.pretokenizers: expected a Split and a ByteLevel, found 0 items"},
    {"pre_tokenizer.pretokenizers.0.type", R"("Digits")",
     R"(pre_tokenizer.pretokenizers[0].type: expected "Split", found "Digits")"},
    {"pre_tokenizer.pretokenizers.0.behavior", R"("Removed")",
     R"(pre_tokenizer.pretokenizers[0].behavior: expected "Isolated", found "Removed")"},
    {"pre_tokenizer.pretokenizers.0.invert", "true",
     "pre_tokenizer.pretokenizers[0].invert: expected false, found true"},
    {"pre_tokenizer.pretokenizers.0.pattern", R"({"String": " "})",
     R"(pre_tokenizer.pretokenizers[0].pattern: unknown key "String")"},
    {"pre_tokenizer.pretokenizers.0.pattern.Regex", R"("(")",
     "pre_tokenizer.pretokenizers[0].pattern.Regex: the regular expression is wrong at offset 1: missing closing "
     "parenthesis"},
    {"pre_tokenizer.pretokenizers.0.pattern.Regex", "7",
     "pre_tokenizer.pretokenizers[0].pattern.Regex: expected a string, found 7"},
    {"pre_tokenizer.pretokenizers.1.use_regex", "true",
     "pre_tokenizer.pretokenizers[1].use_regex: expected false, found true"},
    {"pre_tokenizer.pretokenizers.1.use_regex", nullptr,
     "pre_tokenizer.pretokenizers[1].use_regex: expected false, found nothing"},
    {"pre_tokenizer.pretokenizers.1.add_prefix_space", "true",
     "pre_tokenizer.pretokenizers[1].add_prefix_space: expected false, found true"},
    {"post_processor", R"({"type": "TemplateProcessing"})",
     R"(post_processor.type: expected "ByteLevel", found "TemplateProcessing")"},
    {"decoder", "null", "decoder: expected an object, found null"},
    {"decoder.type", R"("Metaspace")", R"(decoder.type: expected "ByteLevel", found "Metaspace")"},
    {"model", "[]", "model: expected an object, found an array"},
    {"model.type", R"("Unigram")", R"(model.type: expected "BPE", found "Unigram")"},
    {"model.dropout", "0.1", "model.dropout: expected null, found 0.1"},
    {"model.unk_token", R"("<unk>")", R"(model.unk_token: expected null, found "<unk>")"},
    {"model.continuing_subword_prefix", R"("##")", R"(model.continuing_subword_prefix: expected null, found "##")"},
    {"model.end_of_word_suffix", R"("</w>")", R"(model.end_of_word_suffix: expected null, found "</w>")"},
    {"model.byte_fallback", "true", "model.byte_fallback: expected false, found true"},
    {"model.ignore_merges", "1", "model.ignore_merges: expected a boolean, found 1"},
    {"model.vocab", "[]", "model.vocab: expected an object, found an array"},
    {"model.vocab", "{}", R"(model.merges[0]: "\u0120" is not in model.vocab)"},
    {"model.vocab.!", "4096", R"(model.vocab["!"]: expected an id from 0 to 4095, found 4096)"},
    {"model.vocab.!", "-1", R"(model.vocab["!"]: expected an id from 0 to 4095, found -1)"},
    {"model.vocab.!", R"("0")", R"(model.vocab["!"]: expected an id from 0 to 4095, found "0")"},
    {"model.vocab.!", "0.5", R"(model.vocab["!"]: expected an id from 0 to 4095, found 0.5)"},
    {"model.vocab.!", "1", R"(model.vocab: id 1 is given twice, to "!" and "\"")"},
    {"model.vocab.", "4096", "model.vocab: expected keys of 1 to 65536 bytes, found one of 0"},
    {"model.merges", "{}", "model.merges: expected an array, found an object"},
    {"model.merges.5", R"(["a"])", "model.merges[5]: expected a pair of strings, found an array"},
    {"model.merges.5", R"(["a", 1])", "model.merges[5]: expected a pair of strings, found an array"},
    {"model.merges.5", "3", "model.merges[5]: expected a pair of strings, found 3"},
    {"model.merges.5", R"("a b c")",
     R"(model.merges[5]: expected two entries of model.vocab with one space between them, found "a b c")"},
    {"model.merges.5", R"("ab")",
     R"(model.merges[5]: expected two entries of model.vocab with one space between them, found "ab")"},
    {"model.merges.5", R"(["zqzqzq", "b"])", R"(model.merges[5]: "zqzqzq" is not in model.vocab)"},
    {"model.merges.5", R"(["q", "zqzqzq"])", R"(model.merges[5]: "zqzqzq" is not in model.vocab)"},
    {"model.merges.5", R"(["q", "!"])", R"(model.merges[5]: "q!" is not in model.vocab)"},
    {"added_tokens", "{}", "added_tokens: expected an array, found an object"},
    {"added_tokens.0", "7", "added_tokens[0]: expected an object, found 7"},
    {"added_tokens.0.id", "4095", R"(added_tokens: expected id 4096 for "<|endoftext|>", found 4095)"},
    {"added_tokens.0.id", "9999", R"(added_tokens: expected id 4096 for "[MASK]", found 4097)"},
    {"added_tokens.35.id", "4132", R"(added_tokens: expected id 4131 for "<|video|>", found 4132)"},
    {"added_tokens.0.id", "99999999999999999999",
     "added_tokens[0].id: expected an integer from 0 to 2097150, found 99999999999999999999"},
    {"added_tokens.0.content", R"("[MASK]")", R"(added_tokens: "[MASK]" is there twice)"},
    {"added_tokens.0.content", R"("")", "added_tokens[0].content: expected 1 to 1024 bytes, found 0"},
    {"added_tokens.0.lstrip", "true", "added_tokens[0].lstrip: expected false, found true"},
    {"added_tokens.0.rstrip", "true", "added_tokens[0].rstrip: expected false, found true"},
    {"added_tokens.0.single_word", "true", "added_tokens[0].single_word: expected false, found true"},
    {"added_tokens.0.normalized", "true", "added_tokens[0].normalized: expected false, found true"},
    {"added_tokens.0.special", "0", "added_tokens[0].special: expected a boolean, found 0"},
    {"added_tokens.0.extra", "0", R"(added_tokens[0]: unknown key "extra")"},
};

INSTANTIATE_TEST_SUITE_P(TokenizerJson, Refused, testing::ValuesIn(kRefusals));

TEST(TokenizerJson, MissingByte) {
    json::Value document = nano_json();
    json::Object& model = document.as_object().find("model")->as_object();
    json::Object vocab;
    for (int32_t id = 0; id < 255; ++id) vocab.set(std::string(nano_tokenizer().id_to_token(id)), id);
    model.set("vocab", std::move(vocab));
    model.set("merges", json::Array());
    document.as_object().set("added_tokens", json::Array());
    EXPECT_EQ(Tokenizer::from_json(json::write(document)).status().message(),
              fmt::format("model.vocab: expected an entry \"{}\" for byte 0x{:02X}", nano_tokenizer().id_to_token(255),
                          static_cast<unsigned char>(nano_tokenizer().token_bytes(255).front())));
}

TEST(TokenizerJson, NotJson) {
    EXPECT_EQ(Tokenizer::from_json("").status().code(), StatusCode::invalid_argument);
    EXPECT_EQ(Tokenizer::from_json("[]").status().message(), "the document: expected an object, found an array");
    EXPECT_FALSE(Tokenizer::from_json(std::string(1000, '[')).ok());
    EXPECT_EQ(Tokenizer::from_json(std::string((64 << 20) + 1, ' ')).status().message(),
              "at most 67108864 bytes are supported, found 67108865");
}

}  // namespace
}  // namespace glm5::text
