// Help texts, from the option table.
#include <algorithm>

#include "cli/parse.h"

namespace glm5::cli {
namespace {

std::string option_line(const Option& option) {
    std::string left = fmt::format("  {}", option.name);
    if (option.alias.starts_with("-") && !option.alias.starts_with("--")) left += fmt::format(", {}", option.alias);
    switch (option.type) {
        case OptionType::flag: break;
        case OptionType::choice: left += fmt::format(" {{{}}}", fmt::join(option.choices, ",")); break;
        case OptionType::texts: left += " TEXT…"; break;
        case OptionType::object: left += " JSON"; break;
        case OptionType::integer:
        case OptionType::count: left += " N"; break;
        case OptionType::text: left += " TEXT"; break;
    }
    std::string right(option.help);
    if (!option.default_text.empty() && option.default_text != "{}") right += fmt::format(" [{}]", option.default_text);
    return left.size() > 38 ? fmt::format("{}\n{:40}{}\n", left, "", right) : fmt::format("{:<40}{}\n", left, right);
}

}  // namespace

std::string help_text() {
    std::string text = "glm5 serves the GLM-5 model family.\n\nUsage: glm5 COMMAND [OPTIONS]\n\n";
    for (const CommandInfo& command : command_table())
        text += fmt::format("  {:<30}{}\n", fmt::format("{} {}", command.name, command.arguments), command.summary);
    text += "  --version                     print the version\n";
    text += "\nMODEL is a directory, org/name of the Hugging Face cache, or nano (the bundled model).\n";
    text += "Options of a command: glm5 COMMAND --help\n";
    return text;
}

std::string help_text(const CommandInfo& command) {
    std::string text = fmt::format("Usage: glm5 {} {} [OPTIONS]\n\n{}{}.\n", command.name, command.arguments,
                                   static_cast<char>(command.summary[0] - 'a' + 'A'), command.summary.substr(1));
    std::vector<std::string_view> groups, ignored;
    for (const Option& option : option_table()) {
        if (!(option.commands & command.command)) continue;
        if (option.treatment == Treatment::ignored) ignored.push_back(option.name);
        if (option.treatment == Treatment::used &&
            std::find(groups.begin(), groups.end(), option.group) == groups.end())
            groups.push_back(option.group);
    }
    for (const std::string_view group : groups) {
        text += fmt::format("\n{}\n", group);
        for (const Option& option : option_table())
            if (option.group == group && (option.commands & command.command) && option.treatment == Treatment::used)
                text += option_line(option);
    }
    if (!ignored.empty()) {
        text += "\nAccepted without effect\n";
        std::string line = " ";
        for (const std::string_view name : ignored) {
            if (line.size() + name.size() > 110) {
                text += line + "\n";
                line = " ";
            }
            line += fmt::format(" {}", name);
        }
        text += line + "\n";
    }
    return text;
}

}  // namespace glm5::cli
