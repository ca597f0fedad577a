// Terminal: lines from standard input, styled text to standard output, and Ctrl-C as a question that can be asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace glm5 {

// Only one at a time: it owns the process's handler of SIGINT.
class Terminal {
public:
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    enum class Read { line, interrupted, end };
    // The next line, without its end. `prompt` is shown when a person types.
    Read read_line(std::string_view prompt, std::string& line);

    // Whether Ctrl-C was pressed since the last call.
    bool take_interrupt();

    // Text of the model: characters that would steer a terminal are left out.
    void write(std::string_view text, bool dimmed = false);
    // A line of ours, which is for people only; nothing is written without a terminal.
    void note(std::string_view text);
    // Both ends are a terminal, so that there is somebody to talk to.
    bool interactive() const { return interactive_; }
    // Escape codes may be written: a terminal, and NO_COLOR is not set.
    bool styled() const { return styled_; }

private:
    void put(std::string_view text);

    const bool input_is_terminal_, output_is_terminal_, interactive_, styled_;
    bool dimmed_ = false;
    std::string received_;  // beyond the last line
    bool input_ended_ = false;
};

// `text` (whole UTF-8 characters) without control characters other than newline and tab.
std::string without_controls(std::string_view text);

}  // namespace glm5
