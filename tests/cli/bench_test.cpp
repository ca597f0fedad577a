// Commands of two words, and what is special in the options of `glm5 bench serve`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/parse.h"

namespace glm5::cli {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::vector<std::string>& arguments) {
    const auto line = parse(arguments, {});
    return line.ok() ? "no error" : line.status().message();
}

CommandLine line_of(const std::vector<std::string>& arguments, const Environment& environment = {}) {
    auto line = parse(arguments, environment);
    EXPECT_TRUE(line.ok()) << line.status().message();
    return line.ok() ? *std::move(line) : CommandLine();
}

TEST(Bench, ACommandOfTwoWords) {
    const CommandLine line = line_of({"bench", "serve", "--num-prompts", "2k", "--goodput", "ttft:5", "tpot:6"});
    EXPECT_EQ(line.command, kBenchServe);
    EXPECT_TRUE(line.arguments.empty());
    EXPECT_EQ(line.values.number("--num-prompts"), 2000);
    EXPECT_EQ(line.values.texts("--goodput"), (std::vector<std::string>{"ttft:5", "tpot:6"}));
    EXPECT_EQ(line_of({"bench", "serve", "--help"}).text, line_of({"help", "bench", "serve"}).text);
    EXPECT_THAT(line_of({"bench", "serve", "--help=dataset"}).text, HasSubstr("--random-range-ratio"));
}

TEST(Bench, HalfACommandNamesTheWhole) {
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"bench"}, {"bench", "sevre"}, {"bench", "--help"}, {"help", "bench"}}) {
        EXPECT_THAT(error_of(arguments), HasSubstr("'glm5 bench' is not a command of its own: 'glm5 bench serve'"));
    }
    EXPECT_THAT(error_of({"benhc", "serve"}), HasSubstr("unknown command 'benhc'"));
}

TEST(Bench, KeysAreInNoLog) {
    const CommandLine line = line_of({"bench", "serve", "--header", "X-Key=hidden"}, {{"OPENAI_API_KEY", "hidden"}});
    EXPECT_EQ(line.values.text("--api-key"), "hidden");
    for (const std::string& given : line.given) EXPECT_EQ(given.find("hidden"), std::string::npos) << given;
}

TEST(Bench, MembersOfTheBody) {
    const CommandLine line = line_of({"bench", "serve", "--extra-body.chat_template_kwargs.enable_thinking", "false"});
    EXPECT_EQ(line.values.object("--extra-body").find("chat_template_kwargs")->find("enable_thinking")->as_bool(), false);
}

TEST(Bench, OptionsOfTheServerAreNotItsOwn) {
    EXPECT_EQ(error_of({"bench", "serve", "--max-num-seqs", "4"}),
              "--max-num-seqs is not an option of 'glm5 bench serve'");
    EXPECT_EQ(error_of({"serve", "--num-prompts", "4"}), "--num-prompts is not an option of 'glm5 serve'");
}

}  // namespace
}  // namespace glm5::cli
