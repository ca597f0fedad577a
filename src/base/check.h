// GLM5_CHECK: aborts on a programmer's error with the condition, its place and the values given.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace glm5 {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& details);

inline std::string check_details() { return {}; }
template <typename... Args>
std::string check_details(fmt::format_string<Args...> format, Args&&... args) {
    return fmt::format(format, std::forward<Args>(args)...);
}

}  // namespace glm5

// GLM5_CHECK(condition) or GLM5_CHECK(condition, "format {}", values…). Always on.
#define GLM5_CHECK(condition, ...)                                                            \
    do {                                                                                      \
        if (!(condition)) [[unlikely]]                                                        \
            ::glm5::check_failed(__FILE__, __LINE__, #condition, ::glm5::check_details(__VA_ARGS__)); \
    } while (0)
