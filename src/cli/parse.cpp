// Parsing with CLI11: it splits arguments into options and values; meaning and messages come from the option table.
#include "cli/parse.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <list>

namespace glm5::cli {
namespace {

const CommandInfo* find_command(std::string_view name) {
    for (const CommandInfo& command : command_table())
        if (command.name == name) return &command;
    return nullptr;
}

// --foo_bar=x_y → --foo-bar=x_y, and -tp → --tensor-parallel-size.
std::string normalised(const std::string& argument) {
    const size_t end = std::min(argument.find('='), argument.size());
    std::string name = argument.substr(0, end);
    if (name.starts_with("--")) std::replace(name.begin(), name.end(), '_', '-');
    for (const Option& option : option_table())
        if (!option.alias.empty() && option.alias == name) name = option.name;
    if (name == "-cc") name = "--compilation-config";
    if (name == "-O") name = "--optimization-level";
    if (name == "-ep") name = "--enable-expert-parallel";
    return name + argument.substr(end);
}

// Families of vLLM options without an effect here.
bool is_ignored_family(std::string_view argument) {
    return argument.starts_with("--mm-") || argument.starts_with("--h11-") ||
           (argument.starts_with("-O") && argument.size() == 3);
}

Status unknown_option(const std::string& argument, const CommandInfo& command) {
    const std::string name = argument.substr(0, argument.find('='));
    std::vector<std::string_view> known = {"--help"};
    for (const Option& option : option_table()) {
        if (option.commands & command.command)
            known.push_back(option.name);
        else if (option.name == name)
            return invalid_argument("{} is not an option of 'glm5 {}'", name, command.name);
    }
    if (const auto nearest = nearest_name(name, known))
        return invalid_argument("unknown option {}; did you mean {}? See 'glm5 {} --help'", name, *nearest,
                                command.name);
    return invalid_argument("unknown option {}. See 'glm5 {} --help'", name, command.name);
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
        case OptionType::texts: bound.parsed = app.add_option(name, bound.texts)->expected(1, 64); break;
        default:  // one string: CLI11 takes a list "[…]" apart only where several values are expected
            bound.parsed = app.add_option(name, bound.text)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
}

// Applies the options that were given, then the environment, then the defaults.
Status collect(const std::list<Bound>& options, const Environment& environment, CommandLine& line) {
    for (const Bound& bound : options) {
        const Option& option = *bound.option;
        if (bound.parsed->count() > 0) {
            if (option.treatment == Treatment::refused) return invalid_argument("{}: {}", option.name, option.help);
            if (option.treatment == Treatment::ignored) {
                line.warnings.push_back(fmt::format("{} has no effect here", option.name));
                continue;
            }
            GLM5_RETURN_IF_ERROR(line.values.set(option, bound.raw()));
            continue;
        }
        if (option.treatment != Treatment::used) continue;
        std::string names(option.environment);
        for (size_t at = 0; at < names.size() && !line.values.has(option.name);) {
            const size_t end = std::min(names.find(' ', at), names.size());
            const std::string name = names.substr(at, end - at);
            at = end + 1;
            if (auto value = environment(name); value && !value->empty()) {
                std::transform(value->begin(), value->end(), value->begin(),
                               [](unsigned char c) { return std::tolower(c); });
                const Status status = line.values.set(option, {*value});
                if (!status.ok()) return status.with_context(name);
            }
        }
        if (!line.values.has(option.name) && !option.default_text.empty()) {
            const Status status = line.values.set(option, {std::string(option.default_text)});
            GLM5_CHECK(status.ok(), "{}", status.message());
        }
    }
    return {};
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
            line.warnings.push_back(fmt::format("{} has no effect here", text));
            const bool takes_value = text.starts_with("--") && text.find('=') == std::string::npos;
            if (takes_value && i + 1 < remaining.size() && !remaining[i + 1].starts_with('-')) ++i;
        } else {
            return unknown_option(text, command);
        }
    }
    return {};
}

Result<CommandLine> parse_command(const CommandInfo& command, std::vector<std::string> arguments,
                                  const Environment& environment) {
    CommandLine line;
    line.command = command.command;
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
    GLM5_RETURN_IF_ERROR(sort_remaining(app.remaining(), command, line));
    GLM5_RETURN_IF_ERROR(collect(options, environment, line));
    return line;
}

}  // namespace

Result<CommandLine> parse(const std::vector<std::string>& arguments, const Environment& environment) {
    if (arguments.empty()) return invalid_argument("no command given\n\n{}", help_text());
    const std::string& first = arguments[0];
    CommandLine line;
    if (first == "--help" || first == "-h" || first == "help") {
        line.text = help_text();
        return line;
    }
    if (first == "--version" || first == "-V") {
        line.text = fmt::format("glm5 {}\n", GLM5_VERSION);
        return line;
    }
    const CommandInfo* command = find_command(first);
    if (!command) {
        std::vector<std::string_view> known = {"--help", "--version"};
        for (const CommandInfo& info : command_table()) known.push_back(info.name);
        const auto nearest = nearest_name(first, known);
        const std::string hint = nearest ? fmt::format("; did you mean {}?", *nearest) : ".";
        return invalid_argument("unknown command '{}'{} See 'glm5 --help'", first, hint);
    }
    std::vector<std::string> rest;
    bool options_ended = false;
    for (size_t i = 1; i < arguments.size(); ++i) {
        options_ended = options_ended || arguments[i] == "--";
        if (!options_ended && (arguments[i] == "--help" || arguments[i] == "-h")) {
            line.text = help_text(*command);
            return line;
        }
        rest.push_back(options_ended || !arguments[i].starts_with('-') ? arguments[i] : normalised(arguments[i]));
    }
    return parse_command(*command, std::move(rest), environment);
}

}  // namespace glm5::cli
