// Reading and writing. Lines are edited by the terminal driver.
#include "terminal.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace glm5 {
namespace {

constexpr size_t kMaxLineBytes = 4 << 20;
constexpr std::string_view kDim = "\x1b[2m", kPlain = "\x1b[0m";

volatile sig_atomic_t interrupted = 0;

void on_interrupt(int) {
    interrupted = 1;
}

bool no_color() {
    const char* value = std::getenv("NO_COLOR");
    return value && *value;
}

}  // namespace

Terminal::Terminal()
    : input_is_terminal_(isatty(STDIN_FILENO) != 0),
      output_is_terminal_(isatty(STDOUT_FILENO) != 0),
      interactive_(input_is_terminal_ && output_is_terminal_),
      styled_(output_is_terminal_ && !no_color()) {
    struct sigaction action = {};
    action.sa_handler = on_interrupt;  // without SA_RESTART: read returns
    sigaction(SIGINT, &action, nullptr);
}

Terminal::~Terminal() {
    if (dimmed_) put(kPlain);
    signal(SIGINT, SIG_DFL);
}

void Terminal::put(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

Terminal::Read Terminal::read_line(std::string_view prompt, std::string& line) {
    if (interactive_) put(prompt);
    for (;;) {
        const size_t newline = received_.find('\n');
        if (newline != std::string::npos || (input_ended_ && !received_.empty())) {
            line = received_.substr(0, newline);
            received_.erase(0, newline == std::string::npos ? newline : newline + 1);
            if (line.ends_with('\r')) line.pop_back();
            return Read::line;
        }
        if (input_ended_ || received_.size() > kMaxLineBytes) return Read::end;
        if (take_interrupt()) return Read::interrupted;
        char buffer[4096];
        const ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
        if (count > 0)
            received_.append(buffer, static_cast<size_t>(count));
        else if (count == 0 || errno != EINTR)
            input_ended_ = true;
    }
}

bool Terminal::take_interrupt() {
    if (!interrupted) return false;
    interrupted = 0;
    return true;
}

void Terminal::write(std::string_view text, bool dimmed) {
    std::string out;
    if (styled_ && dimmed != dimmed_) out += dimmed ? kDim : kPlain;
    dimmed_ = styled_ && dimmed;
    if (output_is_terminal_)
        out += without_controls(text);
    else
        out += text;
    put(out);
}

void Terminal::note(std::string_view text) {
    if (interactive_) write(std::string(text) + "\n", true);
    if (interactive_) write("");
}

std::string without_controls(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
        const bool c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1) ++i;
        if (!control && !c1) out += text[i];
    }
    return out;
}

}  // namespace glm5
