// Checking and normalizing of messages and tools. Problems are thrown as MessageError within this file.
#include "chat/messages.h"

#include <algorithm>
#include <array>
#include <optional>

#include "json/parse.h"

namespace glm5::chat {
namespace {

template <typename... Args>
[[noreturn]] void refuse(const std::string& path, fmt::format_string<Args...> format, Args&&... args) {
    throw MessageError{path, path + ": " + fmt::format(format, std::forward<Args>(args)...)};
}

std::string item_path(std::string_view list, size_t index) {
    return fmt::format("{}[{}]", list, index);
}

// The member's value; null and absent are both nullptr.
const json::Value* find_given(const json::Object& object, std::string_view key) {
    const json::Value* value = object.find(key);
    return value && !value->is_null() ? value : nullptr;
}

const json::Object& require_object(const json::Value& value, const std::string& path) {
    if (!value.is_object()) refuse(path, "expected an object, found {}", value.type_name());
    return value.as_object();
}

const std::string& require_string(const json::Object& object, std::string_view key, const std::string& path) {
    const std::string member = fmt::format("{}.{}", path, key);
    const json::Value* value = object.find(key);
    if (!value) refuse(member, "is missing");
    if (!value->is_string()) refuse(member, "expected a string, found {}", value->type_name());
    return value->as_string();
}

// "type" must be "function" where it is given.
void check_function_type(const json::Object& object, const std::string& path) {
    const json::Value* type = find_given(object, "type");
    if (!type) return;
    if (!type->is_string()) refuse(path + ".type", "expected a string, found {}", type->type_name());
    if (type->as_string() != "function")
        refuse(path + ".type", "'{}' is not supported, only function is", type->as_string());
}

// ---- content

enum class PartKind { text, tool_reference, output };

[[noreturn]] void refuse_part_type(const std::string& type, const std::string& path) {
    static constexpr std::array<std::string_view, 3> kMedia = {"image", "audio", "video"};
    const bool is_media =
        std::any_of(kMedia.begin(), kMedia.end(), [&](std::string_view word) { return type.find(word) != type.npos; });
    if (is_media) refuse(path + ".type", "'{}' is not supported: the model reads text only", type);
    refuse(path + ".type", "'{}' is not supported, only text is", type);
}

PartKind kind_of_part(const json::Object& part, const std::string& path, std::string_view role) {
    const json::Value* type = find_given(part, "type");
    if (!type) {
        if (role == "tool" && part.contains("output")) return PartKind::output;
        refuse(path + ".type", "is missing");
    }
    if (!type->is_string()) refuse(path + ".type", "expected a string, found {}", type->type_name());
    const std::string& name = type->as_string();
    if (name == "text" || name == "input_text" || name == "output_text") return PartKind::text;
    if (name == "tool_reference") {
        if (role != "tool") refuse(path + ".type", "a tool_reference can only stand in a tool message");
        return PartKind::tool_reference;
    }
    refuse_part_type(name, path);
}

// The text of a list of text parts, or the list itself when it holds tool references.
class ContentReader {
public:
    ContentReader(const TemplateTraits& traits, bool has_tools) : traits_(traits), has_tools_(has_tools) {}

    json::Value read(const json::Value* content, const std::string& path, std::string_view role) const {
        if (!content || content->is_null()) return "";
        if (content->is_string()) return *content;
        if (!content->is_array())
            refuse(path, "expected a string, a list of parts or null, found {}", content->type_name());
        std::string text;
        std::optional<PartKind> kind;
        for (size_t i = 0; i < content->as_array().size(); ++i) {
            const json::Value& part = content->as_array()[i];
            const std::string part_path = item_path(path, i);
            const PartKind part_kind =
                part.is_string() ? PartKind::text : kind_of_part(require_object(part, part_path), part_path, role);
            if (part_kind == PartKind::output) refuse(part_path, "an output cannot stand here");
            if (kind && *kind != part_kind)
                refuse(part_path + ".type", "text and tool_reference cannot stand in one list");
            kind = part_kind;
            if (part_kind == PartKind::tool_reference)
                check_tool_reference(part.as_object(), part_path);
            else
                text += part.is_string() ? part.as_string() : require_string(part.as_object(), "text", part_path);
        }
        return kind == PartKind::tool_reference ? *content : json::Value(std::move(text));
    }

private:
    void check_tool_reference(const json::Object& part, const std::string& path) const {
        if (!traits_.prints_tool_references) refuse(path + ".type", "the model's chat template has no tool_reference");
        if (!has_tools_) refuse(path + ".type", "a tool_reference needs tools in the request");
        require_string(part, "name", path);
    }

    const TemplateTraits& traits_;
    bool has_tools_;
};

// ---- messages

std::string read_role(const json::Object& message, const std::string& path) {
    const std::string& role = require_string(message, "role", path);
    if (role == "developer") return "system";
    for (const std::string_view known : {"system", "user", "assistant", "tool"})
        if (role == known) return role;
    refuse(path + ".role", "'{}' is unknown, expected system, developer, user, assistant or tool", role);
}

json::Value read_arguments(const json::Value* arguments, const std::string& path) {
    if (!arguments || arguments->is_null()) return json::Object();
    if (arguments->is_object()) return *arguments;
    if (!arguments->is_string()) refuse(path, "expected an object as JSON text, found {}", arguments->type_name());
    if (arguments->as_string().find_first_not_of(" \t\r\n") == std::string::npos) return json::Object();
    Result<json::Value> parsed = json::parse(arguments->as_string());
    if (!parsed.ok()) refuse(path, "not valid JSON: {}", parsed.status().message());
    if (parsed->is_null()) return json::Object();
    if (!parsed->is_object()) refuse(path, "expected JSON text of an object, found {}", parsed->type_name());
    return std::move(parsed).value();
}

// {function: {name, arguments}}, or {name, arguments} without the function around it.
json::Value read_tool_call(const json::Value& given, const std::string& path) {
    const json::Object& call = require_object(given, path);
    check_function_type(call, path);
    const json::Value* nested = find_given(call, "function");
    const std::string function_path = nested ? path + ".function" : path;
    const json::Object& function = nested ? require_object(*nested, function_path) : call;
    const std::string& name = require_string(function, "name", function_path);
    if (name.empty()) refuse(function_path + ".name", "is empty");
    json::Object normalized;
    if (const json::Value* id = find_given(call, "id")) normalized.set("id", *id);
    normalized.set("type", "function");
    normalized.set(
        "function",
        json::Value::object(
            {{"name", name}, {"arguments", read_arguments(function.find("arguments"), function_path + ".arguments")}}));
    return normalized;
}

void read_assistant(json::Object& message, const std::string& path) {
    if (find_given(message, "function_call")) refuse(path + ".function_call", "is not supported, use tool_calls");
    const json::Value* thought = nullptr;
    for (const std::string_view key : {"reasoning_content", "reasoning"}) {
        const json::Value* value = message.find(key);
        if (!thought && value && value->is_string()) thought = value;
    }
    std::optional<json::Value> reasoning;
    if (thought) reasoning = *thought;
    message.erase("reasoning");
    message.erase("reasoning_content");
    if (reasoning) message.set("reasoning_content", std::move(*reasoning));

    const json::Value* calls = find_given(message, "tool_calls");
    json::Array normalized;
    if (calls) {
        if (!calls->is_array()) refuse(path + ".tool_calls", "expected a list, found {}", calls->type_name());
        for (size_t i = 0; i < calls->as_array().size(); ++i)
            normalized.push_back(read_tool_call(calls->as_array()[i], item_path(path + ".tool_calls", i)));
    }
    message.erase("tool_calls");
    if (!normalized.empty()) message.set("tool_calls", std::move(normalized));
}

bool is_output_list(const json::Value* content) {
    return content && content->is_array() && !content->as_array().empty() && content->as_array()[0].is_object() &&
           content->as_array()[0].find("output") && !content->as_array()[0].find("type");
}

// One message for each {output}; it answers the call that the item names, not the one that the message names.
void split_outputs(const json::Object& message, const std::string& path, const ContentReader& reader,
                   json::Array& out) {
    const json::Array& items = message.find("content")->as_array();
    for (size_t i = 0; i < items.size(); ++i) {
        const std::string part_path = item_path(path + ".content", i);
        const json::Object& item = require_object(items[i], part_path);
        const json::Value* output = item.find("output");
        if (!output || item.contains("type")) refuse(part_path, "expected an item with output like the ones before it");
        json::Object single = message;
        single.erase("tool_call_id");
        single.erase("id");
        for (const std::string_view key : {"tool_call_id", "id"})
            if (const json::Value* id = find_given(item, key)) single.set(std::string(key), *id);
        single.set("content", reader.read(output, part_path + ".output", "tool"));
        out.push_back(std::move(single));
    }
}

json::Value read_messages(const json::Value& messages, const ContentReader& reader) {
    if (!messages.is_array()) refuse("messages", "expected a list, found {}", messages.type_name());
    if (messages.as_array().empty()) refuse("messages", "must hold at least one message");
    json::Array out;
    for (size_t i = 0; i < messages.as_array().size(); ++i) {
        const std::string path = item_path("messages", i);
        json::Object message = require_object(messages.as_array()[i], path);
        const std::string role = read_role(message, path);
        message.set("role", role);
        const json::Value* content = message.find("content");
        if (role == "tool" && is_output_list(content)) {
            split_outputs(message, path, reader, out);
            continue;
        }
        json::Value normalized = reader.read(content, path + ".content", role);
        message.set("content", std::move(normalized));
        if (role == "assistant") read_assistant(message, path);
        out.push_back(std::move(message));
    }
    return out;
}

// ---- tools

json::Value read_tool(const json::Value& given, const std::string& path, const TemplateTraits& traits) {
    json::Object tool = require_object(given, path);
    check_function_type(tool, path);
    json::Value* function = tool.find("function");
    const std::string function_path = function ? path + ".function" : path;
    require_string(function ? require_object(*function, function_path) : tool, "name", function_path);
    const json::Value* deferred = find_given(tool, "defer_loading");
    if (traits.reads_defer_loading && function && deferred && !function->as_object().contains("defer_loading"))
        function->as_object().append("defer_loading", *deferred);
    return tool;
}

json::Value read_tools(const json::Value& tools, const TemplateTraits& traits) {
    if (tools.is_null()) return nullptr;
    if (!tools.is_array()) refuse("tools", "expected a list, found {}", tools.type_name());
    json::Array out;
    for (size_t i = 0; i < tools.as_array().size(); ++i)
        out.push_back(read_tool(tools.as_array()[i], item_path("tools", i), traits));
    return out.empty() ? json::Value() : json::Value(std::move(out));
}

}  // namespace

TemplateTraits TemplateTraits::of(std::string_view source) {
    const auto mentions = [&](std::string_view word) { return source.find(word) != std::string_view::npos; };
    return {mentions("tool_reference"), mentions("defer_loading"), mentions("enable_thinking"),
            mentions("reasoning_effort")};
}

std::variant<Conversation, MessageError> prepare_conversation(const json::Value& messages, const json::Value& tools,
                                                              const TemplateTraits& traits) {
    try {
        Conversation conversation;
        conversation.tools = read_tools(tools, traits);
        const ContentReader reader(traits, !conversation.tools.is_null());
        conversation.messages = read_messages(messages, reader);
        return conversation;
    } catch (MessageError& error) {
        return std::move(error);
    }
}

}  // namespace glm5::chat
