// Parsing with CLI11: it splits arguments into options and values; meaning and messages come from the option table.
#include "cli/parse.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <list>

#include "cli/collect.h"

namespace glm5::cli {
namespace {

const CommandInfo* find_command(std::string_view name) {
    for (const CommandInfo& command : command_table())
        if (command.name == name) return &command;
    return nullptr;
}

// The command that the arguments from `at` on begin with, of one word or two, and how many arguments its name takes.
struct NamedCommand {
    const CommandInfo* command = nullptr;
    size_t words = 1;
};
NamedCommand command_at(const std::vector<std::string>& arguments, size_t at) {
    if (at + 1 < arguments.size())
        if (const CommandInfo* command = find_command(arguments[at] + " " + arguments[at + 1])) return {command, 2};
    return {find_command(arguments[at]), 1};
}

// --foo_bar.a_b=x_y → --foo-bar.a_b=x_y, and -tp → --tensor-parallel-size.
std::string normalised(const std::string& argument) {
    const size_t end = std::min(argument.find_first_of("=."), argument.size());
    std::string name = argument.substr(0, end);
    if (name.starts_with("--")) std::replace(name.begin(), name.end(), '_', '-');
    for (const Option& option : option_table())
        if (!option.alias.empty() && option.alias == name) name = option.name;
    return name + argument.substr(end);
}

Status unknown_option(const std::string& argument, const CommandInfo& command) {
    const std::string name = argument.substr(0, argument.find('='));
    for (const Option& option : option_table())
        if (option.name == name && !(option.commands & command.command))
            return invalid_argument("{} is not an option of 'glm5 {}'", name, command.name);
    const std::string hint = suggestion(name, command);
    return invalid_argument("unknown option {}{} See 'glm5 {} --help'", name, hint.empty() ? "." : hint, command.name);
}

struct Bound {
    const Option* option;
    std::string text;
    std::vector<std::string> texts;
    CLI::Option* parsed = nullptr;

    std::vector<std::string> raw() const {
        switch (option->type) {
            case OptionType::flag: return parsed->results();
            case OptionType::texts: return texts;
            default: return {text};
        }
    }
};

void bind(CLI::App& app, Bound& bound) {
    const std::string name(bound.option->name);
    switch (bound.option->type) {
        case OptionType::flag: bound.parsed = app.add_flag(fmt::format("{},!--no-{}", name, name.substr(2))); break;
        case OptionType::texts:
            bound.parsed = app.add_option(name, bound.texts)
                               ->expected(1, 64)
                               ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
            break;
        default:  // one string: CLI11 takes a list "[…]" apart only where several values are expected
            bound.parsed = app.add_option(name, bound.text)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
}

// What CLI11 knew no option for: arguments, options without effect, and errors.
Status sort_remaining(const std::vector<std::string>& remaining, const CommandInfo& command, CommandLine& line) {
    bool options_ended = false;
    for (size_t i = 0; i < remaining.size(); ++i) {
        const std::string& text = remaining[i];
        if (!options_ended && text == "--") {
            options_ended = true;
        } else if (options_ended || !text.starts_with('-')) {
            line.arguments.push_back(text);
        } else if (is_ignored_family(text)) {
            line.warnings.push_back(fmt::format("{} has no effect here", text.substr(0, text.find('='))));
            const bool takes_value = text.starts_with("--") && text.find('=') == std::string::npos;
            if (takes_value && i + 1 < remaining.size() && !remaining[i + 1].starts_with('-')) ++i;
        } else {
            return unknown_option(text, command);
        }
    }
    return {};
}

Status run_cli11(const CommandInfo& command, std::vector<std::string> arguments, Sources& sources,
                 std::vector<std::string>& remaining) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::list<Bound> options;
    for (const Option& option : option_table()) {
        if (!(option.commands & command.command)) continue;
        bind(app, options.emplace_back(Bound{.option = &option}));
    }
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::ArgumentMismatch& error) {
        const std::string message = error.what();
        return invalid_argument("{} needs a value. See 'glm5 {} --help'", message.substr(0, message.find(':')),
                                command.name);
    } catch (const CLI::Error& error) {
        std::string message = error.what();
        std::replace(message.begin(), message.end(), '\n', ' ');
        return invalid_argument("{}. See 'glm5 {} --help'", message, command.name);
    }
    for (const Bound& bound : options)
        if (bound.parsed->count() > 0) sources.arguments.emplace(bound.option, bound.raw());
    remaining = app.remaining();
    return {};
}

Result<CommandLine> parse_command(const CommandInfo& command, std::vector<std::string> arguments,
                                  const Environment& environment) {
    CommandLine line;
    line.command = command.command;
    Sources sources;
    GLM5_RETURN_IF_ERROR(take_dotted(arguments, command, sources.dotted));
    for (const auto& [option, object] : sources.dotted)
        if (!(option->commands & command.command)) return unknown_option(std::string(option->name), command);
    std::vector<std::string> remaining;
    GLM5_RETURN_IF_ERROR(run_cli11(command, std::move(arguments), sources, remaining));
    GLM5_RETURN_IF_ERROR(sort_remaining(remaining, command, line));
    for (const auto& [option, raw] : sources.arguments) {
        if (option->name != "--config") continue;
        sources.file_name = raw.back();
        GLM5_ASSIGN_OR_RETURN(sources.file, read_config_file(raw.back()));
    }
    GLM5_RETURN_IF_ERROR(collect(command, sources, environment, line));
    return line;
}

Status unknown_command(const std::string& name) {
    std::vector<std::string_view> of_group;
    for (const CommandInfo& info : command_table())
        if (info.name.starts_with(name + " ")) of_group.push_back(info.name);
    if (!of_group.empty())
        return invalid_argument("'glm5 {}' is not a command of its own: 'glm5 {}'", name,
                                fmt::join(of_group, "', 'glm5 "));
    std::vector<std::string_view> known = {"--help", "--version", "help", "completion"};
    for (const CommandInfo& info : command_table()) known.push_back(info.name);
    const auto nearest = nearest_name(name, known);
    const std::string hint = nearest ? fmt::format("; did you mean {}?", *nearest) : ".";
    return invalid_argument("unknown command '{}'{} See 'glm5 --help'", name, hint);
}

// glm5 help [COMMAND | --man], and --help.
Result<std::string> help_command(const std::vector<std::string>& arguments) {
    if (arguments.size() < 2) return help_text();
    if (arguments[1] == "--man") return man_page();
    if (const CommandInfo* command = command_at(arguments, 1).command) return help_text(*command, "");
    return unknown_command(arguments[1]);
}

Result<std::string> completion_command(const std::vector<std::string>& arguments) {
    if (arguments.size() != 2 || arguments[1] != "bash") return invalid_argument("usage: glm5 completion bash");
    return bash_completion();
}

Result<CommandLine> printing(Result<std::string> text) {
    if (!text.ok()) return text.status();
    CommandLine line;
    line.text = std::move(*text);
    return line;
}

}  // namespace

Result<CommandLine> parse(const std::vector<std::string>& arguments, const Environment& environment) {
    if (arguments.empty()) return invalid_argument("no command given\n\n{}", help_text());
    const std::string& first = arguments[0];
    if (first == "--help" || first == "-h" || first == "help") return printing(help_command(arguments));
    if (first == "--version" || first == "-V") return printing(fmt::format("glm5 {}\n", GLM5_VERSION));
    if (first == "completion") return printing(completion_command(arguments));
    const auto [command, name_words] = command_at(arguments, 0);
    if (!command) return unknown_command(first);
    std::vector<std::string> rest;
    bool options_ended = false;
    for (size_t i = name_words; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        options_ended = options_ended || argument == "--";
        if (!options_ended && (argument == "--help" || argument == "-h")) return printing(help_text(*command, ""));
        if (!options_ended && argument.starts_with("--help="))
            return printing(help_text(*command, argument.substr(argument.find('=') + 1)));
        rest.push_back(options_ended || !argument.starts_with('-') ? argument : normalised(argument));
    }
    return parse_command(*command, std::move(rest), environment);
}

}  // namespace glm5::cli
