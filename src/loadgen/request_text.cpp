// Bodies and heads of requests.
#include "loadgen/request_text.h"

#include <algorithm>
#include <cctype>

#include "json/write.h"

namespace glm5::loadgen {
namespace {

bool is_token_character(unsigned char c) {
    return std::isalnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

bool is_safe_value(std::string_view value) {
    return std::ranges::none_of(value, [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

}  // namespace

std::string request_body(const BenchmarkOptions& options, const Sample& sample) {
    json::Object body;
    body.append("model", options.model);
    if (options.api == Api::completions) {
        body.append("prompt", sample.prompt);
        body.append("repetition_penalty", 1.0);
        body.append("max_tokens", sample.output_tokens);
        body.append("logprobs", options.logprobs ? json::Value(*options.logprobs) : json::Value());
    } else {
        const json::Value content =
            json::Value::array({json::Value::object({{"type", "text"}, {"text", sample.prompt}})});
        body.append("messages", json::Value::array({json::Value::object({{"role", "user"}, {"content", content}})}));
        body.append("max_completion_tokens", sample.output_tokens);
    }
    body.append("stream", true);
    body.append("stream_options", json::Value::object({{"include_usage", true}}));
    if (options.ignore_eos || options.dataset.kind == DatasetKind::random) body.append("ignore_eos", true);
    for (const json::Object* more : {&options.sampling, &options.extra_body})
        for (const auto& [key, value] : *more) body.set(key, value);
    return json::write(body);
}

std::string http_request(const BenchmarkOptions& options, const Url& url, std::string_view method,
                         std::string_view path, std::string_view request_id, std::string_view body) {
    std::string text = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: glm5/{}\r\nAccept: */*\r\n", method,
                                   url.path, path, url.authority(), GLM5_VERSION);
    if (!options.api_key.empty()) text += fmt::format("Authorization: Bearer {}\r\n", options.api_key);
    for (const auto& [name, value] : options.headers) text += fmt::format("{}: {}\r\n", name, value);
    if (!request_id.empty()) text += fmt::format("x-request-id: {}\r\n", request_id);
    if (method == "POST") text += fmt::format("Content-Length: {}\r\n", body.size());
    if (!body.empty()) text += "Content-Type: application/json\r\n";
    text += "\r\n";
    text += body;
    return text;
}

std::string endpoint_path(const BenchmarkOptions& options) {
    if (options.endpoint.empty()) return options.api == Api::completions ? "/v1/completions" : "/v1/chat/completions";
    return options.endpoint.starts_with('/') ? options.endpoint : "/" + options.endpoint;
}

Status check_headers(const BenchmarkOptions& options) {
    for (const auto& [name, value] : options.headers)
        if (name.empty() || !std::ranges::all_of(name, is_token_character) || !is_safe_value(value))
            return invalid_argument("--header {}: must be NAME=VALUE, as HTTP allows them", name);
    if (!is_safe_value(options.api_key)) return invalid_argument("the API key has a control character");
    if (!is_safe_value(options.request_id_prefix))
        return invalid_argument("--request-id-prefix: must not have control characters");
    const bool endpoint_is_safe =
        std::ranges::none_of(options.endpoint, [](unsigned char c) { return c <= ' ' || c == 0x7f; });
    if (!endpoint_is_safe) return invalid_argument("--endpoint {}: must be a path", options.endpoint);
    return {};
}

}  // namespace glm5::loadgen
