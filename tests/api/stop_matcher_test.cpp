// StopMatcher against a search over the whole text, for every split and for random texts.
#include "api/stop_matcher.h"

#include <gtest/gtest.h>

#include <bit>
#include <optional>
#include <random>

namespace glm5::api {
namespace {

struct Found {
    std::string text;
    std::optional<std::string> stop;
    bool operator==(const Found&) const = default;
};

// The contract, on the whole text: the smallest end at which a stop string ends; there the longest one.
Found search(const std::string& text, const std::vector<std::string>& stops, bool include) {
    for (size_t end = 1; end <= text.size(); ++end) {
        const std::string* best = nullptr;
        for (const std::string& stop : stops)
            if (text.substr(0, end).ends_with(stop) && (!best || stop.size() > best->size())) best = &stop;
        if (best) return {text.substr(0, include ? end : end - best->size()), *best};
    }
    return {text, std::nullopt};
}

Found feed(const std::vector<std::string>& pieces, const std::vector<std::string>& stops, bool include) {
    StopMatcher matcher(stops, include);
    Found found;
    for (const std::string& piece : pieces) found.text += matcher.push(piece);
    found.text += matcher.finish();
    if (matcher.matched()) found.stop = matcher.match();
    return found;
}

TEST(StopMatcher, EverySplitGivesTheSame) {
    const std::pair<std::string, std::vector<std::string>> cases[] = {
        {"one two three", {"two"}},
        {"aaaaab", {"aab"}},
        {"abcabcabd", {"abcabd"}},
        {"abcd", {"abcd", "bc"}},
        {"xabc", {"c", "bc", "abc"}},
        {"no stop here at al", {"all", "here!"}},
        {"", {"x"}},
        {"grüße\xF0\x9F\x98\x80!", {"\xF0\x9F\x98\x80", "ß"}},
        {"a\n\nb", {"\n\n"}},
        {"text", {}},
    };
    for (const auto& [text, stops] : cases) {
        for (uint32_t cuts = 0; cuts < 1u << std::max<int>(0, static_cast<int>(text.size()) - 1); ++cuts) {
            if (text.size() > 14 && std::popcount(cuts) > 3) continue;
            std::vector<std::string> pieces(1);
            for (size_t i = 0; i < text.size(); ++i) {
                pieces.back() += text[i];
                if (i + 1 < text.size() && (cuts >> i & 1)) pieces.emplace_back();
            }
            for (const bool include : {false, true})
                ASSERT_EQ(feed(pieces, stops, include), search(text, stops, include)) << text << " cuts " << cuts;
        }
    }
}

TEST(StopMatcher, RandomTextsOverASmallAlphabet) {
    std::mt19937 random(1);
    for (int round = 0; round < 20'000; ++round) {
        auto word = [&](size_t least, size_t most) {
            std::string out(least + random() % (most - least + 1), ' ');
            for (char& c : out) c = static_cast<char>('a' + random() % 2);
            return out;
        };
        std::vector<std::string> stops, pieces;
        for (size_t i = random() % 3 + 1; i > 0; --i) stops.push_back(word(1, 6));
        for (size_t i = random() % 6; i > 0; --i) pieces.push_back(word(0, 4));
        std::string text;
        for (const auto& piece : pieces) text += piece;
        const bool include = random() % 2;
        ASSERT_EQ(feed(pieces, stops, include), search(text, stops, include));
    }
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBecomeAStopString) {
    StopMatcher matcher({"</end>"}, false);
    EXPECT_EQ(matcher.push("hello <"), "hello ");
    EXPECT_EQ(matcher.push("b> </en"), "<b> ");
    EXPECT_EQ(matcher.push("d"), "");
    EXPECT_EQ(matcher.push("> more"), "");
    EXPECT_TRUE(matcher.matched());
    EXPECT_EQ(matcher.push("later"), "");
    EXPECT_EQ(matcher.finish(), "");
}

}  // namespace
}  // namespace glm5::api
