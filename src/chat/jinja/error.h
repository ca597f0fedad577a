// How the template engine stops inside itself: Error is thrown where a template fails and caught in chat/template.cpp,
// which turns it into a Status with the line. It never leaves that file.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace glm5::chat::jinja {

struct Error {
    std::string message;
    int line = 0;  // 0: where the evaluator stands

    explicit Error(std::string text, int at_line = 0) : message(std::move(text)), line(at_line) {}
};

// Throws Error with a formatted message.
template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
    throw Error(fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
[[noreturn]] void fail_at(int line, fmt::format_string<Args...> format, Args&&... args) {
    throw Error(fmt::format(format, std::forward<Args>(args)...), line);
}

}  // namespace glm5::chat::jinja
