// Fields that only chat has.
#include "api/chat_request.h"

#include <algorithm>
#include <array>

namespace glm5::api {
namespace {

void read_messages(FieldReader& reader, ConversationFields& conversation) {
    const json::Value* messages = reader.any("messages");
    if (!messages) return reader.fail(invalid_request("messages", "messages is required."));
    if (!messages->is_array()) return reader.fail_type("messages", "an array", *messages);
    if (messages->as_array().empty()) return reader.fail(invalid_request("messages", "messages must not be empty."));
    conversation.messages = *messages;
}

// tool_choice, checked: the name, "function" for an object, or "" when it is absent.
std::string read_tool_choice(FieldReader& reader) {
    const json::Value* choice = reader.any("tool_choice");
    if (!choice) return "";
    if (choice->is_object()) return "function";
    if (!choice->is_string()) {
        reader.fail_type("tool_choice", "a string or an object", *choice);
        return "";
    }
    const std::string& name = choice->as_string();
    if (name != "none" && name != "auto" && name != "required")
        reader.fail(invalid_request("tool_choice", "tool_choice must be none, auto, required or a function, not '{}'.",
                                    name.substr(0, 64)));
    return name;
}

// Calls are neither forced nor parsed out of the answer, so a request with tools passes only where none may be called.
void refuse_tool_calls(FieldReader& reader, const ConversationFields& conversation) {
    const std::string choice = read_tool_choice(reader);
    reader.boolean("parallel_tool_calls");
    const bool forces = choice == "required" || choice == "function";
    if (conversation.tools.is_null()) {
        if (forces) reader.fail(invalid_request("tool_choice", "tool_choice needs tools."));
        return;
    }
    if (forces) reader.fail(not_supported("tool_choice", "only none is"));
    if (choice != "none")
        reader.fail(not_supported("tools",
                                  "it does not parse calls; send tool_choice none, or the prompt as text to "
                                  "/v1/completions"));
}

void read_tools(FieldReader& reader, ConversationFields& conversation) {
    constexpr size_t kMaxTools = 1024;
    const json::Array* tools = reader.array("tools");
    if (!tools) return;
    if (tools->empty()) return reader.fail(invalid_request("tools", "tools must not be empty; leave it out."));
    if (tools->size() > kMaxTools)
        return reader.fail(invalid_request("tools", "tools has {} items; {} are allowed.", tools->size(), kMaxTools));
    conversation.tools = *tools;
}

void read_template_fields(FieldReader& reader, ConversationFields& conversation) {
    constexpr std::array<std::string_view, 7> kEfforts = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};
    const std::string effort = reader.text("reasoning_effort").value_or("");
    if (!effort.empty() && std::find(kEfforts.begin(), kEfforts.end(), effort) == kEfforts.end())
        reader.fail(invalid_request("reasoning_effort", "reasoning_effort must be {}, not '{}'.",
                                    fmt::join(kEfforts, ", "), effort.substr(0, 64)));
    conversation.reasoning_effort = effort;
    if (const json::Object* kwargs = reader.object("chat_template_kwargs")) conversation.chat_template_kwargs = *kwargs;
    if (reader.any("chat_template"))
        reader.fail(invalid_request("chat_template", "chat_template is not taken from requests; see --chat-template."));
    const auto add = reader.boolean("add_generation_prompt");
    const bool continues = reader.boolean("continue_final_message").value_or(false);
    if (continues && add.value_or(false))
        reader.fail(invalid_request("continue_final_message",
                                    "continue_final_message and add_generation_prompt cannot both be true."));
    conversation.add_generation_prompt = add.value_or(!continues);
    if (reader.boolean("add_special_tokens").value_or(false))
        reader.fail(
            invalid_request("add_special_tokens", "add_special_tokens is not supported: the template writes them."));
}

}  // namespace

ConversationFields read_conversation_fields(FieldReader& reader) {
    ConversationFields conversation;
    read_messages(reader, conversation);
    read_tools(reader, conversation);
    read_template_fields(reader, conversation);
    return conversation;
}

std::variant<ChatRequest, ApiError> parse_chat_request(const json::Value& body) {
    if (!body.is_object())
        return ApiError{400, fmt::format("The body must be an object, not {}.", body.type_name()), {}};
    FieldReader reader(body.as_object());
    ChatRequest request;
    request.conversation = read_conversation_fields(reader);
    request.fields = read_generation_fields(reader, 1);
    refuse_unsupported(reader);
    if (reader.boolean("logprobs").value_or(false)) reader.fail(not_supported("logprobs"));
    if (reader.boolean("echo").value_or(false)) reader.fail(not_supported("echo"));
    refuse_tool_calls(reader, request.conversation);
    request.include_reasoning = reader.boolean("include_reasoning").value_or(true);
    if (reader.error()) return *reader.error();
    request.unknown_fields = reader.unknown();
    return request;
}

}  // namespace glm5::api
