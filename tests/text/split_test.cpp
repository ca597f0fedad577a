// Where text is cut: GLM's scanner against the oracle's classes of every code point, recorded splits and PCRE2; other
// patterns against the oracle.
#include "text/split.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "text/regex_split.h"
#include "text/support.h"
#include "text/unicode_classes.h"
#include "text/utf8.h"

namespace glm5::text {
namespace {

constexpr uint32_t kNumCodePoints = 0x110000;

bool is_scalar(uint32_t code_point) {
    return code_point < 0xD800 || code_point > 0xDFFF;
}

std::vector<std::string> split_by_scanner(std::string_view text) {
    std::vector<uint32_t> ends;
    split_glm(text, ends);
    return pieces_of(text, ends);
}

// The class of every code point as the oracle gave it.
const std::vector<CharClass>& oracle_classes() {
    static const std::vector<CharClass> classes = [] {
        std::vector<CharClass> out(kNumCodePoints, CharClass::other);
        const json::Value fixture = read_fixture("unicode_classes.json");
        for (const auto& [name, char_class] :
             {std::pair("letter", CharClass::letter), {"number", CharClass::number}, {"space", CharClass::space}}) {
            for (const json::Value& range : fixture.find(name)->as_array()) {
                for (int64_t c = *range.as_array()[0].to_int64(); c <= *range.as_array()[1].to_int64(); ++c)
                    out[c] = char_class;
            }
        }
        return out;
    }();
    return classes;
}

TEST(UnicodeClasses, EveryCodePoint) {
    int counts[4] = {};
    for (uint32_t c = 0; c < kNumCodePoints; ++c) {
        ASSERT_EQ(char_class(c), oracle_classes()[c]) << std::hex << c;
        ++counts[static_cast<int>(oracle_classes()[c])];
    }
    EXPECT_EQ(counts[static_cast<int>(CharClass::letter)], 141028);
    EXPECT_EQ(counts[static_cast<int>(CharClass::number)], 1911);
    EXPECT_EQ(counts[static_cast<int>(CharClass::space)], 25);
}

// The scanner itself, through what a code point does beside an "x" and a digit.
TEST(GlmSplit, EveryCodePointInText) {
    for (uint32_t c = 0; c < kNumCodePoints; ++c) {
        if (!is_scalar(c)) continue;
        std::string character;
        append_utf8(character, c);
        std::vector<std::string> expected;
        switch (oracle_classes()[c]) {
            case CharClass::letter: expected = {"x" + character + "x", "1"}; break;
            case CharClass::number: expected = {"x", character, "x", "1"}; break;
            case CharClass::space:
            case CharClass::other: expected = {"x", character + "x", "1"};
        }
        if (c == '\r' || c == '\n') expected = {"x", character, "x", "1"};
        ASSERT_EQ(split_by_scanner("x" + character + "x1"), expected) << std::hex << c;
    }
}

// An apostrophe, any character and the letters that may follow: a contraction where the oracle says so.
TEST(GlmSplit, EveryContraction) {
    const json::Value fixture = read_fixture("unicode_classes.json");
    ASSERT_EQ(fixture.find("contractions")->as_array().size(), 6u);
    for (const json::Value& value : fixture.find("contractions")->as_array()) {
        const json::Array& row = value.as_array();
        std::vector<bool> expected(kNumCodePoints);
        for (const int32_t c : ids_of(row[2])) expected[c] = true;
        for (uint32_t c = 0; c < kNumCodePoints; ++c) {
            if (!is_scalar(c)) continue;
            std::string contraction = "'" + row[0].as_string();
            append_utf8(contraction, c);
            contraction += row[1].as_string();
            // Before another letter only a contraction ends.
            if (oracle_classes()[c] != CharClass::letter) {
                ASSERT_FALSE(expected[c]);
                continue;
            }
            ASSERT_EQ(split_by_scanner(contraction + "zz").front() == contraction, expected[c]) << contraction;
        }
    }
}

TEST(GlmSplit, RecordedSplits) {
    const json::Value fixture = read_fixture("pretokenizer_goldens.json");
    ASSERT_EQ(fixture.find("pattern")->as_string(), kGlmSplitPattern);
    ASSERT_GT(fixture.find("cases")->as_array().size(), 80u);
    for (const json::Value& row : fixture.find("cases")->as_array()) {
        std::vector<std::string> pieces;
        for (const json::Value& piece : row.find("pieces")->as_array()) pieces.push_back(piece.as_string());
        EXPECT_EQ(split_by_scanner(row.find("text")->as_string()), pieces) << row.find("text")->as_string();
    }
}

// The same pattern through PCRE2, on characters of which Unicode 14 and 16 think alike.
TEST(GlmSplit, EqualsPcre2) {
    const auto regex = RegexSplitter::compile(kGlmSplitPattern).value();
    const std::vector<std::string> atoms = {
        "a", "B",  "s", "S",  "t",       "'",      "'",  "re",   "'ll",        "ſ",      "1",      "23",
        "½", " ",  " ", "  ", "\t",      "\n",     "\r", "\r\n", "\u00A0",     "\u3000", "\u2028", "\u200B",
        ".", "!!", "_", "é",  "e\u0301", "\u0303", "你", "😀",    "\U00010FFF", "٣"};
    std::mt19937 random(3);
    for (int round = 0; round < 100'000; ++round) {
        std::string text;
        for (size_t i = 0, count = 1 + random() % 12; i < count; ++i) text += atoms[random() % atoms.size()];
        std::vector<uint32_t> by_scanner, by_regex;
        split_glm(text, by_scanner);
        regex->split(text, by_regex);
        ASSERT_EQ(by_scanner, by_regex) << text;
    }
}

TEST(RegexSplit, OtherPatterns) {
    const json::Value fixture = read_fixture("tokenizer_random.json");
    ASSERT_EQ(fixture.find("splits")->as_array().size(), 8u);
    for (const json::Value& value : fixture.find("splits")->as_array()) {
        const json::Array& row = value.as_array();
        const Splitter splitter = Splitter::from_pattern(row[0].as_string()).value();
        for (size_t i = 1; i < row.size(); ++i) {
            const std::string& text = row[i].as_array()[0].as_string();
            std::vector<uint32_t> ends;
            splitter.split(text, ends);
            const std::vector<int32_t> expected = ids_of(row[i].as_array()[1]);
            EXPECT_EQ(std::vector<int32_t>(ends.begin(), ends.end()), expected) << row[0].as_string() << " on " << text;
        }
    }
}

// A pattern that backtracks without end stops: the rest of the text is one piece.
TEST(RegexSplit, BacktrackingIsBounded) {
    const auto start = std::chrono::steady_clock::now();
    const std::string text = "b" + std::string(20'000, 'a');
    for (const char* pattern :
         {"(a*)*c|b", "(a|a)*c|b", "((a+)+)+c|b", "(?:a?){50}a{50}c|b", "^(([a-z])+.)+[A-Z]([a-z])+$|b"}) {
        std::vector<uint32_t> ends;
        RegexSplitter::compile(pattern).value()->split(text, ends);
        EXPECT_EQ(ends.back(), text.size()) << pattern;
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

// \K can put the start of a match behind its end.
TEST(RegexSplit, MatchesThatLieElsewhere) {
    for (const char* pattern : {R"((?=ab\K))", R"(a\Kb)", R"((?<=\Ka)b)"}) {
        const auto regex = RegexSplitter::compile(pattern);
        if (!regex.ok()) continue;  // PCRE2 may be built without \K in lookaround
        std::vector<uint32_t> ends;
        (*regex)->split("abcab", ends);
        EXPECT_EQ(ends.back(), 5u) << pattern;
        EXPECT_TRUE(std::is_sorted(ends.begin(), ends.end())) << pattern;
    }
}

TEST(RegexSplit, WrongPattern) {
    const auto regex = RegexSplitter::compile("a(b");
    ASSERT_FALSE(regex.ok());
    EXPECT_EQ(regex.status().message(), "the regular expression is wrong at offset 3: missing closing parenthesis");
    for (const char* pattern : {"[a-z&&[^b]]", R"(\h+)", R"(\H)", R"(a\b)", R"([\w])", "(?m:.)", "(?i-m).", "(?im)x"}) {
        EXPECT_EQ(RegexSplitter::compile(pattern).status().code(), StatusCode::unsupported) << pattern;
    }
    for (const char* pattern : {"a&b", R"(\\h)", "(?i:m)", "(?=m)", "(?:m)"})
        EXPECT_TRUE(RegexSplitter::compile(pattern).ok());
}

}  // namespace
}  // namespace glm5::text
