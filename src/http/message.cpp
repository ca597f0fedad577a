// Status names, request targets and the head of a response.
#include "http/message.h"

#include <fmt/format.h>

#include <algorithm>

namespace glm5::http {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

std::optional<std::string_view> Headers::find(std::string_view name) const {
    for (const auto& [field, value] : fields_)
        if (equal_ignoring_case(field, name)) return value;
    return std::nullopt;
}

std::string_view status_reason(int status) {
    switch (status) {
        case 200: return "OK";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 503: return "Service Unavailable";
        default: return "Unknown";
    }
}

std::optional<std::string> path_of(std::string_view target) {
    if (const size_t scheme = target.find("://"); scheme != std::string_view::npos && !target.starts_with('/')) {
        const size_t slash = target.find('/', scheme + 3);
        target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
    target = target.substr(0, target.find_first_of("?#"));
    std::string path;
    for (size_t i = 0; i < target.size(); ++i) {
        char c = target[i];
        if (c == '%') {
            const int high = i + 2 < target.size() ? hex_digit(target[i + 1]) : -1;
            const int low = i + 2 < target.size() ? hex_digit(target[i + 2]) : -1;
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        }
        if (is_control(c)) return std::nullopt;
        path += c;
    }
    return path;
}

std::string header_value(std::string_view value) {
    std::string out(value);
    std::replace_if(out.begin(), out.end(), is_control, ' ');
    return out;
}

bool is_header_token(std::string_view value, size_t max_length) {
    return !value.empty() && value.size() <= max_length &&
           std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string response_head(const Response& response, int64_t content_length, bool chunked, bool keep_alive) {
    std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, status_reason(response.status));
    auto add = [&](std::string_view name, std::string_view value) {
        head += fmt::format("{}: {}\r\n", header_value(name), header_value(value));
    };
    add("Server", "glm5");
    if (!response.content_type.empty()) add("Content-Type", response.content_type);
    if (content_length >= 0) add("Content-Length", std::to_string(content_length));
    if (chunked) add("Transfer-Encoding", "chunked");
    add("Connection", keep_alive ? "keep-alive" : "close");
    for (const auto& [name, value] : response.headers) add(name, value);
    head += "\r\n";
    return head;
}

}  // namespace glm5::http
