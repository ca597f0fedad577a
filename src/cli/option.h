// The option table: every flag of every subcommand, once. Parsing, checks and help are made from it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace glm5::cli {

// The subcommands, as bits of Option::commands.
enum Command : unsigned { kServe = 1, kGenerate = 2, kInspect = 4, kChat = 8, kPlan = 16, kBenchServe = 32, kBenchSweep = 64,
                         kBenchStep = 128 };

enum class OptionType {
    flag,  // --x, --no-x, --x=false
    text,
    texts,    // one or more
    integer,  // minimum … maximum
    real,     // the same; above_minimum leaves the minimum itself out
    count,    // a number of tokens or bytes: 8192, 8k (8000), 8K (8192), 1M, 2GiB; "auto" and -1 are 0
    choice,   // one of Option::choices
    object    // a JSON object: --x '{"a": {"b": 1}}', or --x.a.b 1
};

enum class Treatment {
    used,
    ignored,  // accepted with one warning, so that a pasted command works; Option::help, if any, is its text
    refused   // an error that gives Option::help as the reason
};

struct Option {
    std::string_view name;  // "--max-model-len"
    OptionType type = OptionType::flag;
    std::string_view default_text;  // parsed like an argument; empty = absent
    std::string_view help;
    std::string_view group;  // heading in the help; options without one are only in --help=all
    unsigned commands = kServe;
    std::string_view alias;  // "-tp"
    std::vector<std::string_view> choices;
    int64_t minimum = std::numeric_limits<int64_t>::min();
    int64_t maximum = std::numeric_limits<int64_t>::max();
    std::string_view environment;  // names, in order, separated by spaces: the value when the flag is absent
    Treatment treatment = Treatment::used;
    std::string_view neutral;  // ignored and refused: values, separated by spaces, that ask for what is done anyway
    bool above_minimum = false;
    bool secret = false;  // its value is in no log and no message
};

// In the order of the help. Rows with one name are of different subcommands.
const std::vector<Option>& option_table();

// Whether `name` belongs to a family of vLLM options (--mm-…) that are ignored.
bool is_ignored_family(std::string_view name);

struct CommandInfo {
    Command command;
    std::string_view name;       // one word, or two: "bench serve"
    std::string_view arguments;  // "[MODEL]", for the help
    std::string_view summary;
};
const std::vector<CommandInfo>& command_table();

}  // namespace glm5::cli
