// Help texts, from the option table.
#include <algorithm>

#include "cli/parse.h"

namespace glm5::cli {
namespace {

constexpr size_t kTextColumn = 40;

std::string option_line(const Option& option) {
    std::string left = fmt::format("  {}", option.name);
    if (!option.alias.empty() && !option.alias.starts_with("--")) left += fmt::format(", {}", option.alias);
    switch (option.type) {
        case OptionType::flag: break;
        case OptionType::choice: left += fmt::format(" {{{}}}", fmt::join(option.choices, ",")); break;
        case OptionType::texts: left += " TEXT…"; break;
        case OptionType::object: left += " JSON"; break;
        case OptionType::integer:
        case OptionType::real:
        case OptionType::count: left += " N"; break;
        case OptionType::text: left += " TEXT"; break;
    }
    std::string right(option.help);
    if (!option.default_text.empty() && option.default_text != "{}")
        right += fmt::format(" [{}]", option.type == OptionType::flag ? "on" : option.default_text);
    if (!option.environment.empty()) right += fmt::format(" (environment: {})", option.environment);
    return left.size() > kTextColumn - 2 ? fmt::format("{}\n{:{}}{}\n", left, "", kTextColumn, right)
                                         : fmt::format("{:<{}}{}\n", left, kTextColumn, right);
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

bool is_listed(const Option& option, const CommandInfo& command) {
    return option.treatment == Treatment::used && (option.commands & command.command);
}

// The options for which `wanted` holds, under their headings, in the order of the table.
template <typename Wanted>
std::string grouped(const CommandInfo& command, const Wanted& wanted) {
    std::vector<std::string_view> groups;
    for (const Option& option : option_table())
        if (is_listed(option, command) && std::find(groups.begin(), groups.end(), option.group) == groups.end())
            groups.push_back(option.group);
    std::string text;
    for (const std::string_view group : groups) {
        std::string lines;
        for (const Option& option : option_table())
            if (option.group == group && is_listed(option, command) && wanted(option)) lines += option_line(option);
        if (!lines.empty()) text += fmt::format("\n{}\n{}", group, lines);
    }
    return text;
}

// The ignored or refused options for which `wanted` holds, with what is said of them.
template <typename Wanted>
std::string without_effect(const CommandInfo& command, Treatment treatment, std::string_view heading,
                           const Wanted& wanted) {
    std::string lines;
    for (const Option& option : option_table())
        if (option.treatment == treatment && (option.commands & command.command) && wanted(option))
            lines += option.help.empty() ? fmt::format("  {}\n", option.name) : option_line(option);
    return lines.empty() ? "" : fmt::format("\n{}\n{}", heading, lines);
}

template <typename Wanted>
std::string every_kind(const CommandInfo& command, const Wanted& wanted) {
    return grouped(command, wanted) + without_effect(command, Treatment::ignored, "Accepted without effect", wanted) +
           without_effect(command, Treatment::refused, "Refused", wanted);
}

}  // namespace

std::string help_text() {
    std::string text = "glm5 serves the GLM-5 model family.\n\nUsage: glm5 COMMAND [OPTIONS]\n\n";
    for (const CommandInfo& command : command_table())
        text += fmt::format("  {:<30}{}\n", fmt::format("{} {}", command.name, command.arguments), command.summary);
    text += "  help [COMMAND | --man]        print a command's options, or all as a man page\n";
    text += "  completion bash               print a completion script: source <(glm5 completion bash)\n";
    text += "  --version                     print the version\n";
    text += "\nMODEL is a directory, org/name of the Hugging Face cache, or nano (the bundled model).\n";
    text += "Options of a command: glm5 COMMAND --help\n";
    return text;
}

Result<std::string> help_text(const CommandInfo& command, const std::string& topic) {
    const std::string word = lower(topic);
    const auto any = [](const Option&) { return true; };
    if (word.empty() || word == "all") {
        const std::string head =
            fmt::format("Usage: glm5 {}{}{} [OPTIONS]\n\n{}{}.\n", command.name, command.arguments.empty() ? "" : " ",
                        command.arguments,
                        static_cast<char>(command.summary[0] - 'a' + 'A'), command.summary.substr(1));
        if (word == "all") return head + every_kind(command, any);
        return head + grouped(command, any) +
               fmt::format("\nMore: glm5 {} --help=all, or --help=WORD to search.\n", command.name);
    }
    std::string text = grouped(command, [&](const Option& option) { return lower(option.group) == word; });
    if (text.empty())
        text = every_kind(command, [&](const Option& option) {
            return lower(option.name).find(word) != std::string::npos ||
                   lower(option.help).find(word) != std::string::npos;
        });
    if (text.empty())
        return invalid_argument("no option of 'glm5 {}' mentions '{}'. See 'glm5 {} --help=all'", command.name, topic,
                                command.name);
    return text.substr(1);  // without the empty line before the first heading
}

}  // namespace glm5::cli
