// One pass over the table; each option looks for its value.
#include "cli/collect.h"

#include <algorithm>

#include "json/parse.h"
#include "json/write.h"

namespace glm5::cli {
namespace {

// A value and where it comes from, for messages; nothing for the command line.
struct Given {
    std::vector<std::string> raw;
    std::string origin;
};
using FileValues = std::map<const Option*, Given>;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> parts;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find(' ', at), text.size());
        parts.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

const Option* find_option(const std::string& name, const CommandInfo& command) {
    for (const Option& option : option_table())
        if ((option.name == name || option.alias == name) && (option.commands & command.command)) return &option;
    return nullptr;
}

// The booleans of YAML, as a flag's argument spells them.
std::string yaml_flag(const std::string& text) {
    const std::string value = lower(text);
    if (value == "yes" || value == "on") return "true";
    if (value == "no" || value == "off") return "false";
    return value;
}

// Adds what one entry of the file says. Errors are without its place.
Status add_entry(const ConfigEntry& entry, const CommandInfo& command, const std::string& origin, CommandLine& line,
                 FileValues& values) {
    std::string name = "--" + entry.key;
    std::replace(name.begin(), name.end(), '_', '-');
    const Option* option = find_option(name, command);
    bool inverted = false;
    if (!option && name.starts_with("--no-")) {
        option = find_option("--" + name.substr(5), command);
        inverted = option && option->type == OptionType::flag;
        if (!inverted) option = nullptr;
    }
    if (!option && is_ignored_family(name)) {
        line.warnings.push_back(fmt::format("{}: {} has no effect here", origin, entry.key));
        return {};
    }
    if (!option) {
        std::string hint = suggestion(name, command);
        if (const size_t at = hint.find("--"); at != std::string::npos) hint.erase(at, 2);
        return invalid_argument("unknown option {}{}", entry.key, hint);
    }
    if (option->name == "--config") return invalid_argument("config: a file cannot name another one");
    Given given{entry.values, origin};
    if (entry.is_list && option->type != OptionType::texts && option->treatment == Treatment::used)
        return invalid_argument("{} takes one value, found a list", entry.key);
    if (given.raw.empty()) return invalid_argument("{}: the list is empty", entry.key);
    if (option->type == OptionType::flag) {
        given.raw = {yaml_flag(given.raw.back())};
        if (inverted && (given.raw[0] == "true" || given.raw[0] == "false"))
            given.raw[0] = given.raw[0] == "true" ? "false" : "true";
    }
    if (!values.emplace(option, std::move(given)).second)
        return invalid_argument("{}: {} is given twice", entry.key, option->name);
    return {};
}

Result<FileValues> file_values(const CommandInfo& command, const Sources& sources, CommandLine& line) {
    FileValues values;
    for (const ConfigEntry& entry : sources.file) {
        const std::string origin = fmt::format("{}:{}", sources.file_name, entry.line);
        const Status status = add_entry(entry, command, origin, line, values);
        if (!status.ok()) return status.with_context(origin);
    }
    return values;
}

std::optional<Given> from_environment(const Option& option, const Environment& environment) {
    for (const std::string& name : words(option.environment)) {
        const auto found = environment.find(name);
        if (found == environment.end() || found->second.empty()) continue;
        return Given{{option.type == OptionType::choice ? lower(found->second) : found->second}, name};
    }
    return std::nullopt;
}

// Puts the members given by dotted names over the object, which may be absent.
Status merge_dotted(const Option& option, const json::Object& dotted, std::optional<Given>& given) {
    json::Object object;
    if (given) {
        Values parsed;
        const Status status = parsed.set(option, given->raw);
        if (!status.ok()) return given->origin.empty() ? status : status.with_context(given->origin);
        object = parsed.object(option.name);
    }
    merge(object, dotted);
    given = Given{{json::write(object)}, given ? given->origin : ""};
    return {};
}

bool is_neutral(const Option& option, const std::string& text) {
    const std::vector<std::string> neutral = words(option.neutral);
    return std::find(neutral.begin(), neutral.end(), text) != neutral.end();
}

// An option that was given.
Status apply(const Option& option, const Given& given, CommandLine& line) {
    if (option.treatment == Treatment::used) {
        line.given.push_back(
            fmt::format("{} {}", option.name, option.secret ? "…" : fmt::format("{}", fmt::join(given.raw, " "))));
        return line.values.set(option, given.raw);
    }
    if (is_neutral(option, given.raw.back())) return {};
    if (option.treatment == Treatment::refused)
        return option.neutral.empty() || option.type == OptionType::flag
                   ? invalid_argument("{}: {}", option.name, option.help)
                   : invalid_argument("{} {}: {}", option.name, given.raw.back(), option.help);
    if (option.type != OptionType::text && option.type != OptionType::object) {
        Values checked;
        GLM5_RETURN_IF_ERROR(checked.set(option, given.raw));
    }
    line.warnings.push_back(option.help.empty() ? fmt::format("{} has no effect here", option.name)
                                                : fmt::format("{}: {}", option.name, option.help));
    return {};
}

// One warning for the variables of vLLM that mean nothing here.
void warn_of_variables(const Environment& environment, CommandLine& line) {
    std::vector<std::string> known, unknown;
    for (const Option& option : option_table())
        for (std::string& name : words(option.environment)) known.push_back(std::move(name));
    for (const auto& [name, value] : environment)
        if (name.starts_with("VLLM_") && std::find(known.begin(), known.end(), name) == known.end())
            unknown.push_back(name);
    if (!unknown.empty())
        line.warnings.push_back(fmt::format("environment: {} {} no effect here", fmt::join(unknown, ", "),
                                            unknown.size() > 1 ? "have" : "has"));
}

}  // namespace

std::string suggestion(std::string_view name, const CommandInfo& command) {
    std::vector<std::string_view> known = {"--help"};
    for (const Option& option : option_table())
        if (option.commands & command.command) known.push_back(option.name);
    const auto nearest = nearest_name(name, known);
    return nearest ? fmt::format("; did you mean {}?", *nearest) : "";
}

Status collect(const CommandInfo& command, const Sources& sources, const Environment& environment, CommandLine& line) {
    GLM5_ASSIGN_OR_RETURN(const FileValues file, file_values(command, sources, line));
    for (const Option& option : option_table()) {
        if (!(option.commands & command.command)) continue;
        std::optional<Given> given;
        if (const auto found = sources.arguments.find(&option); found != sources.arguments.end())
            given = Given{found->second, ""};
        // A model that is named on the command line as an argument is not the file's.
        else if (const auto entry = file.find(&option);
                 entry != file.end() && !(option.name == "--model" && !line.arguments.empty()))
            given = entry->second;
        else
            given = from_environment(option, environment);
        if (const auto found = sources.dotted.find(&option); found != sources.dotted.end())
            GLM5_RETURN_IF_ERROR(merge_dotted(option, found->second, given));
        if (given) {
            const Status status = apply(option, *given, line);
            if (!status.ok()) return given->origin.empty() ? status : status.with_context(given->origin);
        } else if (option.treatment == Treatment::used && !option.default_text.empty()) {
            const Status status = line.values.set(option, {std::string(option.default_text)});
            GLM5_CHECK(status.ok(), "{}", status.message());
        }
    }
    if (command.command != kInspect) warn_of_variables(environment, line);
    return {};
}

}  // namespace glm5::cli
