// HTTP messages as plain values: what came in (Request) and what goes out (Response). No sockets, no JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace glm5::http {

// Header fields in their order. Names compare without case.
class Headers {
public:
    void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
    // The first value of `name`; none when it is absent.
    std::optional<std::string_view> find(std::string_view name) const;
    size_t size() const { return fields_.size(); }
    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

struct Request {
    std::string method;  // as sent: "GET"
    std::string target;  // as sent: "/v1/models?x=1"
    std::string path;    // of the target, percent-decoded
    Headers headers;
    std::string body;
    std::string peer;         // "127.0.0.1:43210"
    bool keep_alive = false;  // the client wants to send more on this connection
    bool http_1_0 = false;    // no chunked answers
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    Headers headers;  // besides Content-Type, Content-Length and Connection
};

// "Not Found" for 404; "Unknown" for a number that has no name here.
std::string_view status_reason(int status);

// The path of `target` (an origin-form or absolute-form request target) without the query, percent-decoded. None when
// an escape is broken or decodes to a control character.
std::optional<std::string> path_of(std::string_view target);

// A header value that cannot end its line: control characters become spaces.
std::string header_value(std::string_view value);

// Visible ASCII without white space, 1 … max_length characters: what may be echoed in a header.
bool is_header_token(std::string_view value, size_t max_length);

// Status line and header fields with the empty line. `content_length` < 0: the body is chunked, or ends with the
// connection when `chunked` is false.
std::string response_head(const Response& response, int64_t content_length, bool chunked, bool keep_alive);

}  // namespace glm5::http
