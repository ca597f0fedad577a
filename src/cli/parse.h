// Arguments → what to do: a subcommand with its checked options, or a text to print.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/values.h"

namespace glm5::cli {

struct CommandLine {
    std::string text;  // not empty: print it, and nothing else is to do (--help, --version)
    Command command = kServe;
    std::vector<std::string> arguments;  // without a dash: MODEL, PROMPT
    Values values;                       // with the defaults of the table
    std::vector<std::string> warnings;   // one line each
    std::vector<std::string> given;      // options with an effect that were given, for the log: without secrets
};

using Environment = std::map<std::string, std::string>;

// `arguments` without the program's name. --foo-bar and --foo_bar are the same. Errors are one line for a person, with
// the nearest name that exists when one is unknown.
Result<CommandLine> parse(const std::vector<std::string>& arguments, const Environment& environment);

// The help of the program.
std::string help_text();
// The help of one subcommand. `topic`: "" for the options that have an effect, "all" for every option, a heading for
// its options, and else the options that mention it. Error: there are none.
Result<std::string> help_text(const CommandInfo& command, const std::string& topic);
// All subcommands as a page for man.
std::string man_page();
// A script that completes commands and options in bash.
std::string bash_completion();

// The name among `known` that is spelled most alike; none when all are far off.
std::optional<std::string_view> nearest_name(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace glm5::cli
