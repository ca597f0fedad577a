// A request's messages and tools → the variables of a chat template. The templates print wrong prompts for much that
// the API allows (null content, arguments as text, lists of parts) and silently skip what they do not know, so
// everything is brought to one form here, or refused with the path of the field.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "json/value.h"

namespace glm5::chat {

// What is wrong with a request. `message` begins with `param`: "messages[2].role: …".
struct MessageError {
    std::string param;
    std::string message;

    Status status() const { return {StatusCode::invalid_argument, message}; }
};

// What a template can do, read from its text.
struct TemplateTraits {
    bool prints_tool_references = false;  // GLM-5.1 on: lists of {"type": "tool_reference", "name"} as tool results
    bool reads_defer_loading = false;     // GLM-5.1 on: tools whose function has defer_loading are not listed
    bool reads_enable_thinking = false;   // all but GLM-5.3
    bool reads_reasoning_effort = false;  // GLM-5.2 on

    static TemplateTraits of(std::string_view source);
};

struct Conversation {
    json::Value messages;  // a list of objects
    json::Value tools;     // a list of objects; null when there are none
};

// `messages` and `tools` as the client sent them; `tools` may be null. After it, of every message:
// - role is system (developer counts as system), user, assistant or tool;
// - content is a string: null or missing is "", text parts are joined. Only a tool result may be a list, of tool
//   references. A tool result that is a list of {"output"} becomes one message for each;
// - an assistant's reasoning_content, if any, is a string (`reasoning` is another name for it), and
//   tool_calls is absent or a list of {id, type, function: {name, arguments}} with arguments an object.
// Other members stay as they are. Images, audio and video are refused.
// A tool's defer_loading beside `function` is copied into it where the template reads it there.
std::variant<Conversation, MessageError> prepare_conversation(const json::Value& messages, const json::Value& tools,
                                                              const TemplateTraits& traits);

}  // namespace glm5::chat
