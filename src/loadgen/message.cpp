// Messages from JSON. A whole parse of a message of 230 bytes takes some 1.2 µs, which 50,000 messages a second leave
// room for.
#include "loadgen/message.h"

#include <algorithm>

#include "json/parse.h"

namespace glm5::loadgen {
namespace {

constexpr size_t kMaxErrorBytes = 300;

void append_string(std::string& out, const json::Value& object, std::string_view key) {
    const json::Value* value = object.find(key);
    if (value && value->is_string()) out += value->as_string();
}

std::string error_of(const json::Value& value) {
    if (value.is_string()) return one_line(value.as_string());
    const json::Value* message = value.find("message");
    return message && message->is_string() ? one_line(message->as_string()) : "the server reports an error";
}

std::optional<int64_t> integer(const json::Value& object, std::string_view key) {
    const json::Value* value = object.find(key);
    return value ? value->to_int64() : std::nullopt;
}

}  // namespace

std::string one_line(std::string_view text) {
    std::string out(text.substr(0, kMaxErrorBytes));
    std::ranges::replace_if(
        out, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    return out;
}

Result<Message> parse_message(std::string_view data) {
    const auto parsed = json::parse(data);
    if (!parsed.ok() || !parsed->is_object())
        return io_error("a message of the stream is no JSON object: {}", one_line(data));
    Message message;
    if (const json::Value* error = parsed->find("error"); error && !error->is_null()) message.error = error_of(*error);
    if (const json::Value* choices = parsed->find("choices");
        choices && choices->is_array() && !choices->as_array().empty()) {
        message.has_choices = true;
        const json::Value& choice = choices->as_array()[0];
        append_string(message.text, choice, "text");
        if (const json::Value* delta = choice.find("delta")) {
            // Servers name it one way or both.
            append_string(message.text, *delta, delta->find("reasoning") ? "reasoning" : "reasoning_content");
            append_string(message.text, *delta, "content");
        }
    }
    if (const json::Value* usage = parsed->find("usage")) {
        message.prompt_tokens = integer(*usage, "prompt_tokens");
        message.completion_tokens = integer(*usage, "completion_tokens");
    }
    return message;
}

std::string error_text(std::string_view body) {
    const auto parsed = json::parse(body);
    if (parsed.ok()) {
        if (const json::Value* error = parsed->find("error")) return error_of(*error);
        if (const json::Value* detail = parsed->find("detail"); detail && detail->is_string()) return error_of(*detail);
    }
    return one_line(body.substr(0, body.find('\n')));
}

}  // namespace glm5::loadgen
