// The splitter against a plain reading of the whole text, over every way of cutting it.
#include "chat/reasoning.h"

#include <gtest/gtest.h>

#include <random>

namespace glm5::chat {
namespace {

struct Split {
    std::string reasoning, content;
    bool operator==(const Split&) const = default;
};

void PrintTo(const Split& split, std::ostream* out) {
    *out << "{reasoning \"" << split.reasoning << "\", content \"" << split.content << "\"}";
}

Split split_pieces(const std::vector<std::string>& pieces, PromptEnd end) {
    ReasoningSplitter splitter(end);
    Split split;
    const auto add = [&](const ReasoningDelta& delta) {
        split.reasoning += delta.reasoning;
        split.content += delta.content;
    };
    for (const std::string& piece : pieces) add(splitter.push(piece));
    add(splitter.finish());
    return split;
}

// One character at a time over the whole text: no state but the position.
Split read_whole(std::string_view text, PromptEnd end) {
    Split split;
    bool reasoning = end == PromptEnd::open_reasoning;
    bool drops = end == PromptEnd::closed_reasoning;
    for (size_t i = 0; i < text.size();) {
        if (text.substr(i, 8) == "</think>") {
            drops = drops || (reasoning && split.content.empty());
            reasoning = false;
            i += 8;
        } else if (text.substr(i, 7) == "<think>" && end != PromptEnd::closed_reasoning) {
            reasoning = true;
            i += 7;
        } else {
            const bool dropped = !reasoning && drops && split.content.empty() && text[i] == '\n';
            if (!dropped) (reasoning ? split.reasoning : split.content) += text[i];
            ++i;
        }
    }
    return split;
}

constexpr PromptEnd kEnds[] = {PromptEnd::open_reasoning, PromptEnd::closed_reasoning, PromptEnd::text};

TEST(Reasoning, Examples) {
    const auto split = [](std::string text, PromptEnd end = PromptEnd::open_reasoning) {
        return split_pieces({std::move(text)}, end);
    };
    EXPECT_EQ(split("why</think>\n\nbecause"), (Split{"why", "because"}));
    EXPECT_EQ(split("never ends</thin"), (Split{"never ends</thin", ""}));
    EXPECT_EQ(split("<think>\na<think>b</think>c"), (Split{"\nab", "c"}));
    EXPECT_EQ(split("a</think>\n \n b\n"), (Split{"a", " \n b\n"}));
    EXPECT_EQ(split("a</think>\n\n"), (Split{"a", ""}));
    EXPECT_EQ(split("a</think>b</think>c<think>d</think>\ne"), (Split{"ad", "bc\ne"}));
    EXPECT_EQ(split("a <b> 1 < 2 </thinks></think>x"), (Split{"a <b> 1 < 2 </thinks>", "x"}));
    EXPECT_EQ(split("\nanswer <think> is a tag", PromptEnd::closed_reasoning), (Split{"", "answer <think> is a tag"}));
    EXPECT_EQ(split("\n more", PromptEnd::text), (Split{"", "\n more"}));
    EXPECT_EQ(split("x<think>y</think>\nz", PromptEnd::text), (Split{"y", "x\nz"}));
    EXPECT_EQ(split("<think>y</think>\nz", PromptEnd::text), (Split{"y", "z"}));
    EXPECT_EQ(split(""), (Split{"", ""}));
}

TEST(Reasoning, HoldsBackOnlyWhatMayBecomeATag) {
    ReasoningSplitter splitter(PromptEnd::open_reasoning);
    EXPECT_EQ(splitter.push("a <").reasoning, "a ");
    EXPECT_EQ(splitter.push("/th").reasoning, "");
    EXPECT_EQ(splitter.push("at").reasoning, "</that");
    EXPECT_EQ(splitter.push("<</think").reasoning, "<");
    EXPECT_TRUE(splitter.in_reasoning());
    const ReasoningDelta delta = splitter.push("> done");
    EXPECT_EQ(delta.reasoning, "");
    EXPECT_EQ(delta.content, " done");
    EXPECT_FALSE(splitter.in_reasoning());
}

TEST(Reasoning, EveryCutGivesTheSame) {
    const std::vector<std::string> parts = {"</think>", "<think>", "\n", "<",        "</",     "a",
                                            "</thi",    "nk>",     " ",  "\xc3\xa9", "<think", ">"};
    std::mt19937 random(7);
    int num_cuts = 0;
    for (int round = 0; round < 400; ++round) {
        std::string text;
        for (int i = static_cast<int>(random() % 9); i >= 0; --i) text += parts[random() % parts.size()];
        for (const PromptEnd end : kEnds) {
            const Split expected = read_whole(text, end);
            for (size_t first = 0; first <= text.size(); ++first) {
                for (size_t second = first; second <= text.size(); ++second, ++num_cuts) {
                    const std::vector<std::string> pieces = {text.substr(0, first), text.substr(first, second - first),
                                                             text.substr(second)};
                    ASSERT_EQ(split_pieces(pieces, end), expected) << text << " cut at " << first << " and " << second;
                }
            }
            std::vector<std::string> characters;
            for (const char c : text) characters.emplace_back(1, c);
            ASSERT_EQ(split_pieces(characters, end), expected) << text;
        }
    }
    EXPECT_GT(num_cuts, 100'000);
}

TEST(Reasoning, PromptEnds) {
    EXPECT_EQ(prompt_end("<|assistant|><think>"), PromptEnd::open_reasoning);
    EXPECT_EQ(prompt_end("<|assistant|><think>\n"), PromptEnd::open_reasoning);
    EXPECT_EQ(prompt_end("<|assistant|></think>"), PromptEnd::closed_reasoning);
    EXPECT_EQ(prompt_end("<|assistant|><think></think>\n\n"), PromptEnd::closed_reasoning);
    EXPECT_EQ(prompt_end("<|assistant|><think></think>It is"), PromptEnd::text);
    EXPECT_EQ(prompt_end(""), PromptEnd::text);
    EXPECT_EQ(prompt_end(" \n"), PromptEnd::text);
}

}  // namespace
}  // namespace glm5::chat
