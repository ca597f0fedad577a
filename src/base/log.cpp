#include "base/log.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>

namespace glm5 {
namespace {

std::atomic<LogLevel> minimum_level{LogLevel::info};
std::atomic<LogFormat> line_format{LogFormat::text};

const char* level_name(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return "DEBUG";
        case LogLevel::info: return "INFO";
        case LogLevel::warning: return "WARNING";
        case LogLevel::error: return "ERROR";
    }
    return "?";
}

// JSON string escapes; in text form `"` and `\` stay as they are.
void append_escaped(std::string& out, std::string_view text, bool json) {
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') out += "\\n";
        else if (byte < 0x20 || byte == 0x7f) out += json ? fmt::format("\\u{:04x}", byte) : fmt::format("\\x{:02x}", byte);
        else if (json && (c == '"' || c == '\\')) (out += '\\') += c;
        else out += c;
    }
}

void write_all(std::string_view line) {
    while (!line.empty()) {
        const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
        if (written <= 0) return;
        line.remove_prefix(static_cast<size_t>(written));
    }
}

}  // namespace

void set_log_level(LogLevel level) { minimum_level = level; }
void set_log_format(LogFormat format) { line_format = format; }
bool log_enabled(LogLevel level) { return level >= minimum_level.load(std::memory_order_relaxed); }

void log_line(LogLevel level, std::string_view message) {
    const auto now = std::chrono::system_clock::now();
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    const std::string time =
        fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), milliseconds);
    std::string line;
    if (line_format.load(std::memory_order_relaxed) == LogFormat::json) {
        line = fmt::format(R"({{"time":"{}","level":"{}","message":")", time, level_name(level));
        append_escaped(line, message, true);
        line += "\"}\n";
    } else {
        line = fmt::format("{} {} ", time, level_name(level));
        append_escaped(line, message, false);
        line += '\n';
    }
    write_all(line);
}

}  // namespace glm5
