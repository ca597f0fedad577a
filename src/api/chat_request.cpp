// Fields that only chat has.
#include "api/chat_request.h"

#include <algorithm>
#include <array>

namespace glm5::api {
namespace {

void read_messages(FieldReader& reader, ChatRequest& request) {
    const json::Value* messages = reader.any("messages");
    if (!messages) return reader.fail(invalid_request("messages", "messages is required."));
    if (!messages->is_array()) return reader.fail_type("messages", "an array", *messages);
    if (messages->as_array().empty()) return reader.fail(invalid_request("messages", "messages must not be empty."));
    request.messages = *messages;
}

// The names and the choice are checked, so that a request that is wrong in any version says so; calls are not parsed
// out of the answer, so tools pass only where none may be called.
void read_tools(FieldReader& reader, ChatRequest& request) {
    constexpr size_t kMaxTools = 1024;
    const json::Array* tools = reader.array("tools");
    const json::Value* choice = reader.any("tool_choice");
    reader.boolean("parallel_tool_calls");
    if (tools && tools->empty()) return reader.fail(invalid_request("tools", "tools must not be empty; leave it out."));
    if (tools && tools->size() > kMaxTools)
        return reader.fail(invalid_request("tools", "tools has {} items; {} are allowed.", tools->size(), kMaxTools));
    if (choice && !choice->is_string() && !choice->is_object())
        return reader.fail_type("tool_choice", "a string or an object", *choice);
    const bool none = choice && choice->is_string() && choice->as_string() == "none";
    if (choice && choice->is_string()) {
        const std::string& name = choice->as_string();
        if (!none && name != "auto" && name != "required")
            return reader.fail(invalid_request("tool_choice",
                                               "tool_choice must be none, auto, required or a function, not '{}'.",
                                               name.substr(0, 64)));
    }
    if (!tools) {
        if (choice && !none && !(choice->is_string() && choice->as_string() == "auto"))
            reader.fail(invalid_request("tool_choice", "tool_choice needs tools."));
        return;
    }
    if (choice && !none && !(choice->is_string() && choice->as_string() == "auto"))
        return reader.fail(
            invalid_request("tool_choice", "tool_choice is not supported yet by this version; only none is."));
    if (!none)
        return reader.fail(invalid_request("tools",
                                           "tools is not supported yet by this version: it does not parse calls; send "
                                           "tool_choice none, or the prompt as text to /v1/completions."));
    request.tools = *tools;
}

void read_template_fields(FieldReader& reader, ChatRequest& request) {
    constexpr std::array<std::string_view, 7> kEfforts = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};
    request.reasoning_effort = reader.text("reasoning_effort").value_or("");
    if (!request.reasoning_effort.empty() &&
        std::find(kEfforts.begin(), kEfforts.end(), request.reasoning_effort) == kEfforts.end())
        reader.fail(invalid_request("reasoning_effort", "reasoning_effort must be {}, not '{}'.",
                                    fmt::join(kEfforts, ", "), request.reasoning_effort.substr(0, 64)));
    if (const json::Object* kwargs = reader.object("chat_template_kwargs")) request.chat_template_kwargs = *kwargs;
    if (reader.any("chat_template"))
        reader.fail(invalid_request("chat_template", "chat_template is not taken from requests; see --chat-template."));
    const auto add = reader.boolean("add_generation_prompt");
    const bool continues = reader.boolean("continue_final_message").value_or(false);
    if (continues && add.value_or(false))
        reader.fail(invalid_request("continue_final_message",
                                    "continue_final_message and add_generation_prompt cannot both be true."));
    request.add_generation_prompt = add.value_or(!continues);
    if (reader.boolean("add_special_tokens").value_or(false))
        reader.fail(
            invalid_request("add_special_tokens", "add_special_tokens is not supported: the template writes them."));
}

}  // namespace

std::variant<ChatRequest, ApiError> parse_chat_request(const json::Value& body) {
    if (!body.is_object())
        return ApiError{400, fmt::format("The body must be an object, not {}.", body.type_name()), {}};
    FieldReader reader(body.as_object());
    ChatRequest request;
    read_messages(reader, request);
    request.fields = read_generation_fields(reader);
    refuse_unsupported(reader);
    if (reader.boolean("logprobs").value_or(false))
        reader.fail(invalid_request("logprobs", "logprobs is not supported yet by this version."));
    read_tools(reader, request);
    read_template_fields(reader, request);
    request.include_reasoning = reader.boolean("include_reasoning").value_or(true);
    if (reader.error()) return *reader.error();
    request.unknown_fields = reader.unknown();
    return request;
}

}  // namespace glm5::api
