// The man page and the completion script, from the option table.
#include <algorithm>

#include "cli/parse.h"

namespace glm5::cli {
namespace {

// Text that roff takes literally.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '-')
            out += "\\-";
        else if (c == '\\')
            out += "\\e";
        else if ((c == '.' || c == '\'') && out.empty())
            (out += "\\&") += c;
        else
            out += c;
    }
    return out;
}

std::string option_entry(const Option& option) {
    std::string text = fmt::format(".TP\n.B {}", roff(option.name));
    if (!option.alias.empty()) text += fmt::format(", {}", roff(option.alias));
    if (option.type == OptionType::choice) text += roff(fmt::format(" {}", fmt::join(option.choices, "|")));
    text += "\n" + roff(option.help);
    if (!option.default_text.empty() && option.default_text != "{}")
        text += fmt::format("; default {}", roff(option.default_text));
    return text + ".\n";
}

}  // namespace

std::string man_page() {
    std::string text = fmt::format(
        ".TH GLM5 1 \"\" \"glm5 {}\"\n.SH NAME\nglm5 \\- serve the GLM\\-5 model family\n.SH SYNOPSIS\n", GLM5_VERSION);
    for (const CommandInfo& command : command_table())
        text += fmt::format(".B glm5 {}\n{}{}[OPTIONS]\n.br\n", command.name, roff(command.arguments),
                            command.arguments.empty() ? "" : " ");
    text += ".SH DESCRIPTION\nMODEL is a directory, org/name of the Hugging Face cache, or nano (the bundled model).\n";
    for (const CommandInfo& command : command_table()) {
        std::string title(command.name);
        std::transform(title.begin(), title.end(), title.begin(), [](unsigned char c) { return std::toupper(c); });
        text += fmt::format(".SH {}\nglm5 {}: {}.\n", title, command.name, roff(command.summary));
        for (const Option& option : option_table())
            if (option.treatment == Treatment::used && (option.commands & command.command))
                text += option_entry(option);
    }
    text +=
        ".SH EXIT STATUS\n0 done; 1 failed at run time; 2 wrong option, config or checkpoint, or no such model;\n"
        "3 valid but does not fit; 130 interrupted twice.\n";
    return text;
}

std::string bash_completion() {
    std::vector<std::string_view> commands = {"help", "completion", "--help", "--version"};
    std::string cases, second_words;
    for (const CommandInfo& command : command_table()) {
        const size_t space = command.name.find(' ');
        if (const std::string_view word = command.name.substr(0, space); commands.back() != word)
            commands.push_back(word);
        if (space != std::string_view::npos)
            second_words += fmt::format("        {}) words+=\" {}\" ;;&\n", command.name.substr(0, space),
                                        command.name.substr(space + 1));
        std::vector<std::string> names = {"--help"};
        for (const Option& option : option_table()) {
            if (option.treatment != Treatment::used || !(option.commands & command.command)) continue;
            names.emplace_back(option.name);
            if (option.default_text == "true") names.push_back(fmt::format("--no-{}", option.name.substr(2)));
        }
        cases += fmt::format("        \"{} \"*) words=\"{}\" ;;\n", command.name, fmt::join(names, " "));
    }
    std::string choices;
    for (const Option& option : option_table())
        if (option.type == OptionType::choice && option.treatment == Treatment::used)
            choices += fmt::format("        {}) words=\"{}\" ;;\n", option.name, fmt::join(option.choices, " "));
    return fmt::format(
        "# bash completion of glm5\n"
        "_glm5() {{\n"
        "    local current=\"${{COMP_WORDS[COMP_CWORD]}}\" words=\"\"\n"
        "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
        "        COMPREPLY=($(compgen -W \"{}\" -- \"$current\"))\n"
        "        return\n"
        "    fi\n"
        "    [ \"$COMP_CWORD\" != 2 ] || case \"${{COMP_WORDS[1]}}\" in\n"
        "{}"
        "    esac\n"
        "    case \"${{COMP_WORDS[COMP_CWORD-1]}}\" in\n"
        "{}"
        "    esac\n"
        "    [ -n \"$words\" ] || [[ \"$current\" != -* ]] || case \"${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}} \" in\n"
        "{}"
        "    esac\n"
        "    if [ -n \"$words\" ]; then\n"
        "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
        "    else\n"
        "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
        "    fi\n"
        "}}\n"
        "complete -o filenames -F _glm5 glm5\n",
        fmt::join(commands, " "), second_words, choices, cases);
}

}  // namespace glm5::cli
