// UTF-8 repair against Python's lossy decoder, and streaming: any way of cutting the tokens gives the same text, in
// whole characters that come as early as they can.
#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "text/support.h"

namespace glm5::text {
namespace {

std::string bytes_from_hex(std::string_view hex) {
    std::string bytes;
    for (size_t i = 0; i < hex.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    return bytes;
}

TEST(Utf8, RepairEqualsPython) {
    const json::Value fixture = read_fixture("tokenizer_random.json");
    ASSERT_EQ(fixture.find("repaired")->as_array().size(), 1500u);
    int num_valid = 0;
    for (const json::Value& row : fixture.find("repaired")->as_array()) {
        const std::string bytes = bytes_from_hex(row.as_array()[0].as_string());
        const std::string& text = row.as_array()[1].as_string();
        EXPECT_EQ(replace_invalid_utf8(bytes), text) << row.as_array()[0].as_string();
        EXPECT_EQ(is_valid_utf8(bytes), bytes == text);
        EXPECT_EQ(nano_tokenizer().encode(bytes), nano_tokenizer().encode(text));
        num_valid += bytes == text;
        // Byte by byte, and at every cut.
        for (size_t cut = 0; cut <= bytes.size(); ++cut) {
            std::string out;
            Utf8Repairer repairer;
            repairer.append(out, std::string_view(bytes).substr(0, cut));
            for (char byte : bytes.substr(cut)) repairer.append(out, std::string_view(&byte, 1));
            repairer.finish(out);
            EXPECT_EQ(out, text);
        }
    }
    EXPECT_GT(num_valid, 50);
}

TEST(Utf8, EveryCharacter) {
    for (uint32_t c = 0; c < 0x110000; ++c) {
        if (c >= 0xD800 && c < 0xE000) continue;
        std::string text;
        append_utf8(text, c);
        ASSERT_TRUE(is_valid_utf8(text)) << std::hex << c;
        ASSERT_EQ(decode_valid_utf8(text, 0).code_point, c);
        ASSERT_EQ(static_cast<size_t>(decode_valid_utf8(text, 0).length), text.size());
        ASSERT_EQ(valid_utf8_prefix(text.substr(0, text.size() - 1)), 0u);
    }
}

TEST(Detokenizer, AnyCutGivesTheWholeText) {
    const Tokenizer& tokenizer = nano_tokenizer();
    std::mt19937 random(11);
    for (int round = 0; round < 20'000; ++round) {
        // Single bytes (0 … 255) make broken characters likely; then words, special tokens and ids that do not exist.
        const uint32_t bound = std::vector<uint32_t>{256, 4096, 4200}[random() % 3];
        std::vector<int32_t> ids(random() % 12);
        for (int32_t& id : ids) id = static_cast<int32_t>(random() % bound) - (random() % 50 == 0 ? 100 : 0);
        const bool skip = random() % 2 == 0;
        Detokenizer detokenizer(tokenizer, skip);
        std::string out;
        for (size_t i = 0; i < ids.size(); ++i) {
            const std::string part = detokenizer.push(ids[i]);
            ASSERT_TRUE(is_valid_utf8(part));
            out += part;
            // What is held back is one unfinished character: were the text to end here, only a U+FFFD would follow.
            const std::string whole = tokenizer.decode(std::span(ids).first(i + 1), skip);
            ASSERT_TRUE(whole == out || whole == out + "\uFFFD");
        }
        out += detokenizer.finish();
        ASSERT_EQ(out, tokenizer.decode(ids, skip));
        ASSERT_EQ(detokenizer.finish(), "");
    }
}

// U+1F600 is F0 9F 98 80.
TEST(Detokenizer, HoldsOnlyWhatMayBecomeACharacter) {
    const Tokenizer& tokenizer = nano_tokenizer();
    const std::vector<int32_t> bytes = [&] {
        std::vector<int32_t> ids(256);
        for (int32_t id = 0; id < 256; ++id) ids[static_cast<unsigned char>(tokenizer.token_bytes(id).front())] = id;
        return ids;
    }();
    Detokenizer detokenizer(tokenizer, false);
    EXPECT_EQ(detokenizer.push(bytes[0xF0]), "");
    EXPECT_EQ(detokenizer.push(bytes[0x9F]), "");
    EXPECT_EQ(detokenizer.push(bytes[0x98]), "");
    EXPECT_EQ(detokenizer.push(bytes[0x80]), "😀");
    EXPECT_EQ(detokenizer.push(bytes[0xFF]), "\uFFFD");
    EXPECT_EQ(detokenizer.push(bytes[0xF0]), "");
    EXPECT_EQ(detokenizer.push(bytes[0x80]), "\uFFFD\uFFFD");  // F0 80 begins no character
    EXPECT_EQ(detokenizer.push(bytes[0xE2]), "");
    EXPECT_EQ(detokenizer.push(tokenizer.token_to_id("<think>")), "\uFFFD<think>");
    EXPECT_EQ(detokenizer.push(bytes[0xE2]), "");
    EXPECT_EQ(detokenizer.finish(), "\uFFFD");
}

// A special token that is skipped leaves before the bytes are joined.
TEST(Detokenizer, SkippedTokensDoNotCutCharacters) {
    const Tokenizer& tokenizer = nano_tokenizer();
    const std::vector<int32_t> euro = {158, 224, 105};
    const int32_t user = tokenizer.token_to_id("<|user|>");
    ASSERT_TRUE(tokenizer.is_special(user));
    const std::string text = tokenizer.decode(euro, true);
    EXPECT_EQ(tokenizer.decode(std::vector<int32_t>{euro[0], user, euro[1], euro[2]}, true), text);
    Detokenizer detokenizer(tokenizer, true);
    std::string out;
    for (const int32_t id : {euro[0], user, euro[1], user, euro[2]}) out += detokenizer.push(id);
    EXPECT_EQ(out + detokenizer.finish(), text);
}

}  // namespace
}  // namespace glm5::text
