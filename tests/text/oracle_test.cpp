// Tokens and text against the Hugging Face tokenizers library: the golden rows, random rows and the variants of the
// nano tokenizer that tools/make_tokenizer_fixtures.py describes.
#include <gtest/gtest.h>

#include "text/detokenizer.h"
#include "text/support.h"

namespace glm5::text {
namespace {

TEST(Oracle, GoldenRows) {
    const json::Value rows = read_fixture("tokenizer_golden.json");
    ASSERT_EQ(rows.as_array().size(), 586u);
    for (const json::Value& row : rows.as_array()) {
        const std::string& text = row.find("text")->as_string();
        const std::vector<int32_t> ids = ids_of(*row.find("ids"));
        EXPECT_EQ(nano_tokenizer().encode(text), ids) << text;
        EXPECT_EQ(nano_tokenizer().decode(ids, false), row.find("decoded")->as_string()) << text;
        EXPECT_EQ(nano_tokenizer().decode(ids, true), row.find("decoded_skip_special")->as_string()) << text;
    }
}

TEST(Oracle, IncompleteCharacters) {
    const std::vector<std::pair<std::vector<int32_t>, std::string>> rows = {
        {{222}, "\uFFFD"},
        {{158, 224}, "\uFFFD"},
        {{158, 224, 32}, "\uFFFDA"},
        {{172, 253, 246, 172}, "\uFFFD\uFFFD"},
        {{124, 107}, "\uFFFD\uFFFD"},
        {{169, 254, 222}, "\uFFFD\uFFFD\uFFFD"},
        {{176, 238, 222, 222}, "\uFFFD\uFFFD\uFFFD\uFFFD"},
    };
    for (const auto& [ids, text] : rows) EXPECT_EQ(nano_tokenizer().decode(ids, false), text);
}

class RandomRows : public testing::Test {
protected:
    static void SetUpTestSuite() { fixture_ = new json::Value(read_fixture("tokenizer_random.json")); }
    static void TearDownTestSuite() { delete fixture_; }

    // Encodes every row and compares with `column`; an absent column is that of "ids". Returns how many rows had it.
    static int compare(const Tokenizer& tokenizer, const char* column, EncodeOptions options = {}) {
        int num_present = 0;
        for (const json::Value& row : fixture_->find("rows")->as_array()) {
            const json::Value* expected = row.find(column);
            if (expected != nullptr) ++num_present;
            const std::string& text = row.find("text")->as_string();
            EXPECT_EQ(tokenizer.encode(text, options), ids_of(expected != nullptr ? *expected : *row.find("ids")))
                << text;
        }
        return num_present;
    }

    // The nano tokenizer without the merges whose rank is 15 modulo 16.
    static Tokenizer pruned_tokenizer(bool ignore_merges) {
        json::Value document = nano_json();
        json::Object& model = document.as_object().find("model")->as_object();
        json::Array kept;
        for (size_t rank = 0; const json::Value& merge : model.find("merges")->as_array()) {
            if (rank++ % 16 != 15) kept.push_back(merge);
        }
        model.set("merges", std::move(kept));
        model.set("ignore_merges", ignore_merges);
        return make_tokenizer(document);
    }

    static inline json::Value* fixture_ = nullptr;
};

TEST_F(RandomRows, Encode) {
    EXPECT_EQ(compare(nano_tokenizer(), "ids"), 2600);
}
TEST_F(RandomRows, EncodeWithoutAddedTokens) {
    EXPECT_GT(compare(nano_tokenizer(), "plain", {.added_tokens = false}), 250);
}
TEST_F(RandomRows, PrunedMerges) {
    EXPECT_GT(compare(pruned_tokenizer(false), "pruned"), 800);
}
TEST_F(RandomRows, PrunedMergesIgnored) {
    EXPECT_GT(compare(pruned_tokenizer(true), "pruned_ignore"), 700);
}

TEST_F(RandomRows, Decode) {
    ASSERT_EQ(fixture_->find("decoded")->as_array().size(), 1000u);
    for (const json::Value& row : fixture_->find("decoded")->as_array()) {
        const std::vector<int32_t> ids = ids_of(row.as_array()[0]);
        EXPECT_EQ(nano_tokenizer().decode(ids, false), row.as_array()[1].as_string());
        EXPECT_EQ(nano_tokenizer().decode(ids, true), row.as_array()[2].as_string());
    }
}

// One pre-token of 8,934 letters goes through the heap; parts of it through the scan of short pieces.
TEST_F(RandomRows, EndlessWord) {
    const json::Value& row = *fixture_->find("endless");
    EXPECT_EQ(nano_tokenizer().encode(row.find("text")->as_string()), ids_of(*row.find("ids")));
}

TEST_F(RandomRows, NamesOutsideTheByteAlphabet) {
    for (const json::Value& value : fixture_->find("names")->as_array()) {
        const json::Array& row = value.as_array();
        const std::string &name = row[0].as_string(), &place = row[1].as_string();
        json::Value document = nano_json();
        json::Object& model = document.as_object().find("model")->as_object();
        json::Object& vocab = model.find("vocab")->as_object();
        json::Array& added = document.as_object().find("added_tokens")->as_array();
        const json::Value* entry = vocab.find(name);
        int64_t id = entry == nullptr ? static_cast<int64_t>(vocab.size()) : *entry->to_int64();
        if (place == "vocab") {
            vocab.set(name, id);
            model.set("ignore_merges", true);
            added.clear();
        } else {
            if (entry == nullptr) id += static_cast<int64_t>(added.size());
            json::Value token = added.front();
            token.as_object().set("id", id);
            token.as_object().set("content", name);
            added.push_back(std::move(token));
        }
        const Tokenizer tokenizer = make_tokenizer(document);
        SCOPED_TRACE(name + " in " + place);
        EXPECT_EQ(tokenizer.token_to_id(name), id);
        EXPECT_EQ(tokenizer.id_to_token(static_cast<int32_t>(id)), name);
        EXPECT_EQ(tokenizer.is_special(static_cast<int32_t>(id)), place == "added");
        const std::string text = tokenizer.decode(std::vector<int32_t>{static_cast<int32_t>(id)}, false);
        EXPECT_EQ(text, row[2].as_string());
        EXPECT_EQ(tokenizer.encode(name + text), ids_of(row[3]));
    }
}

TEST_F(RandomRows, OverlappingAddedTokens) {
    json::Value document = nano_json();
    json::Array& added = document.as_object().find("added_tokens")->as_array();
    json::Value token = added.front();
    added.clear();
    for (const json::Value& content : fixture_->find("overlaps")->find("contents")->as_array()) {
        token.as_object().set("id", 4096 + static_cast<int64_t>(added.size()));
        token.as_object().set("content", content);
        added.push_back(token);
    }
    const Tokenizer tokenizer = make_tokenizer(document);
    for (const json::Value& row : fixture_->find("overlaps")->find("rows")->as_array()) {
        EXPECT_EQ(tokenizer.encode(row.as_array()[0].as_string()), ids_of(row.as_array()[1]))
            << row.as_array()[0].as_string();
    }
}

// The later rank of a pair counts.
TEST_F(RandomRows, RepeatedMerges) {
    json::Value document = nano_json();
    json::Array& merges = document.as_object().find("model")->as_object().find("merges")->as_array();
    const size_t num_merges = merges.size();
    for (size_t rank = 0; rank < num_merges; rank += 10) merges.push_back(json::Value(merges[rank]));
    const Tokenizer tokenizer = make_tokenizer(document);
    int num_changed = 0;
    for (const json::Value& row : fixture_->find("repeated_merges")->as_array()) {
        const std::string& text = row.as_array()[0].as_string();
        EXPECT_EQ(tokenizer.encode(text), ids_of(row.as_array()[1])) << text;
        num_changed += tokenizer.encode(text) != nano_tokenizer().encode(text);
    }
    EXPECT_GT(num_changed, 20);
}

}  // namespace
}  // namespace glm5::text
