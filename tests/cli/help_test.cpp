// Help, completion and man page: each option is in them, and searches find it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "cli/parse.h"

namespace glm5::cli {
namespace {

std::string text_of(const std::vector<std::string>& arguments) {
    const auto line = parse(arguments, {});
    EXPECT_TRUE(line.ok()) << line.status().message();
    return line->text;
}

// Whether a line of `help` begins with the option.
bool lists(const std::string& help, std::string_view name) {
    for (const char* end : {" ", ",", "\n"})
        if (help.find(fmt::format("\n  {}{}", name, end)) != std::string::npos) return true;
    return false;
}

TEST(Help, ListsEveryUsedOptionOfTheCommand) {
    for (const CommandInfo& command : command_table()) {
        const std::string help = text_of({std::string(command.name), "--help"});
        const std::string all = text_of({std::string(command.name), "--help=all"});
        std::map<std::string_view, bool> used, known;  // rows with one name are of different commands
        for (const Option& option : option_table()) {
            const bool belongs = option.commands & command.command;
            used[option.name] |= belongs && option.treatment == Treatment::used;
            known[option.name] |= belongs;
        }
        for (const auto& [name, expected] : used) EXPECT_EQ(lists(help, name), expected) << command.name << name;
        for (const auto& [name, expected] : known) EXPECT_EQ(lists(all, name), expected) << command.name << name;
        EXPECT_EQ(help, text_of({"help", std::string(command.name)}));
        EXPECT_NE(text_of({"--help"}).find(fmt::format("\n  {} {}", command.name, command.arguments)),
                  std::string::npos);
    }
    EXPECT_EQ(text_of({"--version"}), "glm5 " GLM5_VERSION "\n");
    EXPECT_FALSE(parse({}, {}).ok());
}

TEST(Help, WordForWord) {
    EXPECT_EQ(text_of({"inspect", "--help"}),
              "Usage: glm5 inspect MODEL [OPTIONS]\n"
              "\n"
              "Show what a checkpoint holds and check it.\n"
              "\n"
              "Model\n"
              "  --revision TEXT                       branch, tag or commit of org/name\n"
              "  --download-dir TEXT                   root of the Hugging Face cache\n"
              "\n"
              "Output\n"
              "  --tensors                             list every tensor\n"
              "\n"
              "Log\n"
              "  --log-level {debug,info,warning,error}\n"
              "                                        the least level that is written; without it info, for chat "
              "warning (environment: GLM5_LOG_LEVEL VLLM_LOGGING_LEVEL)\n"
              "  --log-format {text,json}              lines of text or of JSON [text]\n"
              "\n"
              "More: glm5 inspect --help=all, or --help=WORD to search.\n");
}

TEST(Help, Searches) {
    const std::string limits = text_of({"serve", "--help=limits"});
    EXPECT_TRUE(limits.starts_with("Limits\n  --max-model-len N"));
    EXPECT_EQ(limits.find("--port"), std::string::npos);
    const std::string yaml = text_of({"serve", "--help=yaml"});
    EXPECT_TRUE(yaml.starts_with("Model\n  --config TEXT")) << yaml;
    const std::string tls = text_of({"serve", "--help=TLS"});
    EXPECT_TRUE(tls.starts_with("Refused\n  --ssl-keyfile TEXT")) << tls;
}

int run(const std::string& command) {
    return std::system(command.c_str());
}

TEST(Completion, BashAcceptsTheScriptAndCompletesByIt) {
    const std::string path = testing::TempDir() + fmt::format("glm5_completion_{}.bash", getpid());
    std::ofstream(path) << text_of({"completion", "bash"});
    const auto completes = [&](const std::string& words, int index, const std::string& expected) {
        return run(
            fmt::format("bash -c 'source {}; COMP_WORDS=({}); COMP_CWORD={}; _glm5; "
                        "[ \"${{COMPREPLY[*]}}\" = \"{}\" ]'",
                        path, words, index, expected));
    };
    EXPECT_EQ(completes("glm5 ser", 1, "serve"), 0);
    EXPECT_EQ(completes("glm5 serve --max-mod", 2, "--max-model-len"), 0);
    EXPECT_EQ(completes("glm5 serve --dtype b", 3, "bfloat16"), 0);
    EXPECT_EQ(completes("glm5 inspect --por", 2, ""), 0);
    EXPECT_EQ(completes("glm5 ben", 1, "bench"), 0);
    EXPECT_EQ(completes("glm5 bench ser", 2, "serve"), 0);
    EXPECT_EQ(completes("glm5 bench serve --num-pr", 3, "--num-prompts"), 0);
    EXPECT_EQ(completes("glm5 bench serve --backend openai-", 4, "openai-chat"), 0);
}

TEST(Man, NamesEveryUsedOption) {
    const std::string page = text_of({"help", "--man"});
    EXPECT_TRUE(page.starts_with(".TH GLM5 1"));
    for (const Option& option : option_table()) {
        std::string name;
        for (const char c : option.name) name += c == '-' ? std::string("\\-") : std::string(1, c);
        if (option.treatment == Treatment::used) {
            EXPECT_NE(page.find("\n.B " + name), std::string::npos) << name;
        }
    }
}

}  // namespace
}  // namespace glm5::cli
