// What a request's messages and tools become before a template sees them, and how each mistake is named.
#include "chat/messages.h"

#include <gtest/gtest.h>

#include "chat/support.h"
#include "json/write.h"

namespace glm5::chat {
namespace {

const TemplateTraits kGlm51{.prints_tool_references = true, .reads_defer_loading = true, .reads_enable_thinking = true};
const TemplateTraits kGlm5{.reads_enable_thinking = true};

// The messages as JSON, or "param | message".
std::string prepared(std::string_view messages, std::string_view tools = "null",
                     const TemplateTraits& traits = kGlm51) {
    const auto result = prepare_conversation(parse_json(messages), parse_json(tools), traits);
    if (const auto* error = std::get_if<MessageError>(&result)) return error->param + " | " + error->message;
    return json::write(std::get<Conversation>(result).messages);
}

std::string prepared_tools(std::string_view tools, const TemplateTraits& traits) {
    const auto result = prepare_conversation(parse_json(R"([{"role": "user"}])"), parse_json(tools), traits);
    if (const auto* error = std::get_if<MessageError>(&result)) return error->param + " | " + error->message;
    return json::write(std::get<Conversation>(result).tools);
}

TEST(Messages, ContentBecomesOneString) {
    EXPECT_EQ(prepared(R"([{"role": "user", "content": "a"}])"), R"([{"role": "user", "content": "a"}])");
    EXPECT_EQ(prepared(R"([{"role": "user", "content": null}])"), R"([{"role": "user", "content": ""}])");
    EXPECT_EQ(prepared(R"([{"role": "user"}])"), R"([{"role": "user", "content": ""}])");
    EXPECT_EQ(prepared(R"([{"role": "user", "content": []}])"), R"([{"role": "user", "content": ""}])");
    EXPECT_EQ(
        prepared(
            R"([{"role": "tool", "tool_call_id": "x", "content": [{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}, "c"]}])"),
        R"([{"role": "tool", "tool_call_id": "x", "content": "abc"}])");
    EXPECT_EQ(prepared(R"([{"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}])"),
              R"([{"role": "assistant", "content": "a"}])");
}

TEST(Messages, WrongContentIsNamed) {
    EXPECT_EQ(prepared(R"([{"role": "user", "content": 5}])"),
              "messages[0].content | messages[0].content: expected a string, a list of parts or null, found integer");
    EXPECT_EQ(prepared(R"([{"role": "user", "content": [5]}])"),
              "messages[0].content[0] | messages[0].content[0]: expected an object, found integer");
    EXPECT_EQ(prepared(R"([{"role": "user"}, {"role": "user", "content": ["", {"type": "text", "text": null}]}])"),
              "messages[1].content[1].text | messages[1].content[1].text: expected a string, found null");
    EXPECT_EQ(prepared(R"([{"role": "user", "content": [{"type": "text"}]}])"),
              "messages[0].content[0].text | messages[0].content[0].text: is missing");
    EXPECT_EQ(prepared(R"([{"role": "user", "content": [{"text": "a"}]}])"),
              "messages[0].content[0].type | messages[0].content[0].type: is missing");
    EXPECT_EQ(prepared(R"([{"role": "user", "content": [{"type": 1}]}])"),
              "messages[0].content[0].type | messages[0].content[0].type: expected a string, found integer");
    EXPECT_EQ(prepared(R"([{"role": "user", "content": [{"type": "file"}]}])"),
              "messages[0].content[0].type | messages[0].content[0].type: 'file' is not supported, only text is");
}

TEST(Messages, MediaIsRefused) {
    for (const std::string type :
         {"image", "image_url", "input_image", "audio", "audio_url", "input_audio", "video", "video_url"}) {
        EXPECT_EQ(
            prepared(R"([{"role": "user", "content": [{"type": "text", "text": ""}, {"type": ")" + type + R"("}]}])"),
            "messages[0].content[1].type | messages[0].content[1].type: '" + type +
                "' is not supported: the model reads text only");
    }
}

TEST(Messages, Roles) {
    EXPECT_EQ(prepared(R"([{"role": "developer", "content": "a"}])"), R"([{"role": "system", "content": "a"}])");
    EXPECT_EQ(prepared(R"([{"role": "system"}, {"role": "function"}])"),
              "messages[1].role | messages[1].role: 'function' is unknown, expected system, developer, user, assistant "
              "or tool");
    EXPECT_EQ(prepared(R"([{"content": "a"}])"), "messages[0].role | messages[0].role: is missing");
    EXPECT_EQ(prepared(R"([{"role": null}])"), "messages[0].role | messages[0].role: expected a string, found null");
    EXPECT_EQ(prepared(R"(["a"])"), "messages[0] | messages[0]: expected an object, found string");
    EXPECT_EQ(prepared("[]"), "messages | messages: must hold at least one message");
    EXPECT_EQ(prepared("{}"), "messages | messages: expected a list, found object");
}

TEST(Messages, ReasoningHasTwoNames) {
    EXPECT_EQ(prepared(R"([{"role": "assistant", "reasoning": "r", "content": "a"}])"),
              R"([{"role": "assistant", "content": "a", "reasoning_content": "r"}])");
    EXPECT_EQ(prepared(R"([{"role": "assistant", "reasoning": "r", "reasoning_content": "c", "content": "a"}])"),
              R"([{"role": "assistant", "content": "a", "reasoning_content": "c"}])");
    EXPECT_EQ(prepared(R"([{"role": "assistant", "reasoning": "r", "reasoning_content": null, "content": "a"}])"),
              R"([{"role": "assistant", "content": "a", "reasoning_content": "r"}])");
    EXPECT_EQ(prepared(R"([{"role": "assistant", "reasoning": {"x": 1}, "content": "a"}])"),
              R"([{"role": "assistant", "content": "a"}])");
}

std::string call_with(std::string_view arguments) {
    return prepared(R"([{"role": "assistant", "tool_calls": [{"id": 7, "function": {"name": "f", "arguments": )" +
                    std::string(arguments) + "}}]}]");
}

std::string call_result(std::string_view arguments) {
    return R"([{"role": "assistant", "content": "", "tool_calls": [{"id": 7, "type": "function", "function": {"name": "f", "arguments": )" +
           std::string(arguments) + "}}]}]";
}

TEST(Messages, ArgumentsBecomeAnObject) {
    EXPECT_EQ(call_with(R"("{\"b\": 1.0, \"a\": 12345678901234567890}")"),
              call_result(R"({"b": 1.0, "a": 12345678901234567890})"));
    EXPECT_EQ(call_with(R"({"x": [1]})"), call_result(R"({"x": [1]})"));
    for (const std::string_view empty : {"null", R"("")", R"("  \n")", R"("null")", R"("{}")", "{}"})
        EXPECT_EQ(call_with(empty), call_result("{}")) << empty;
    const std::string path = "messages[0].tool_calls[0].function.arguments";
    EXPECT_EQ(call_with(R"("[1]")"), path + " | " + path + ": expected JSON text of an object, found array");
    EXPECT_EQ(call_with("5"), path + " | " + path + ": expected an object as JSON text, found integer");
    EXPECT_TRUE(call_with(R"("{\"a\"")").starts_with(path + " | " + path + ": not valid JSON: line 1, column "))
        << call_with(R"("{\"a\"")");
}

TEST(Messages, ToolCalls) {
    EXPECT_EQ(
        prepared(R"([{"role": "assistant", "tool_calls": [{"name": "f"}]}])"),
        R"([{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {}}}]}])");
    for (const std::string none : {"null", "[]"})
        EXPECT_EQ(
            prepared(R"([{"role": "assistant", "content": "a", "function_call": null, "tool_calls": )" + none + "}]"),
            R"([{"role": "assistant", "content": "a", "function_call": null}])");
    EXPECT_EQ(prepared(R"([{"role": "assistant", "tool_calls": {}}])"),
              "messages[0].tool_calls | messages[0].tool_calls: expected a list, found object");
    EXPECT_EQ(prepared(R"([{"role": "assistant", "tool_calls": [1]}])"),
              "messages[0].tool_calls[0] | messages[0].tool_calls[0]: expected an object, found integer");
    EXPECT_EQ(prepared(R"([{"role": "assistant", "tool_calls": [{"function": {}}]}])"),
              "messages[0].tool_calls[0].function.name | messages[0].tool_calls[0].function.name: is missing");
    EXPECT_EQ(prepared(R"([{"role": "assistant", "tool_calls": [{"function": {"name": ""}}]}])"),
              "messages[0].tool_calls[0].function.name | messages[0].tool_calls[0].function.name: is empty");
    EXPECT_EQ(
        prepared(R"([{"role": "assistant", "tool_calls": [{"type": "custom", "function": {"name": "f"}}]}])"),
        "messages[0].tool_calls[0].type | messages[0].tool_calls[0].type: 'custom' is not supported, only function is");
    EXPECT_EQ(prepared(R"([{"role": "assistant", "function_call": {"name": "f"}}])"),
              "messages[0].function_call | messages[0].function_call: is not supported, use tool_calls");
}

TEST(Messages, OutputsBecomeMessages) {
    EXPECT_EQ(
        prepared(
            R"([{"role": "tool", "tool_call_id": "m", "content": [{"output": "a", "tool_call_id": "x"}, {"id": 2, "output": [{"type": "text", "text": "b"}]}, {"output": null}]}])"),
        R"([{"role": "tool", "content": "a", "tool_call_id": "x"}, {"role": "tool", "content": "b", "id": 2}, {"role": "tool", "content": ""}])");
    EXPECT_EQ(prepared(R"([{"role": "tool", "content": [{"output": {"a": 1}}]}])"),
              "messages[0].content[0].output | messages[0].content[0].output: expected a string, a list of parts or "
              "null, found object");
    EXPECT_EQ(prepared(R"([{"role": "tool", "content": [{"output": "a"}, {"type": "text", "text": "b"}]}])"),
              "messages[0].content[1] | messages[0].content[1]: expected an item with output like the ones before it");
    EXPECT_EQ(prepared(R"([{"role": "tool", "content": [{"type": "text", "text": "b"}, {"output": "a"}]}])"),
              "messages[0].content[1] | messages[0].content[1]: an output cannot stand here");
    EXPECT_EQ(prepared(R"([{"role": "user", "content": [{"output": "a"}]}])"),
              "messages[0].content[0].type | messages[0].content[0].type: is missing");
}

TEST(Messages, ToolReferences) {
    const std::string_view message = R"([{"role": "tool", "content": [{"type": "tool_reference", "name": "f"}]}])";
    const std::string_view tools = R"([{"type": "function", "function": {"name": "f"}}])";
    EXPECT_EQ(prepared(message, tools), message);
    EXPECT_EQ(prepared(message),
              "messages[0].content[0].type | messages[0].content[0].type: a tool_reference needs tools in the request");
    EXPECT_EQ(prepared(message, "[]"), prepared(message));
    EXPECT_EQ(
        prepared(message, tools, kGlm5),
        "messages[0].content[0].type | messages[0].content[0].type: the model's chat template has no tool_reference");
    EXPECT_EQ(
        prepared(R"([{"role": "user", "content": [{"type": "tool_reference", "name": "f"}]}])", tools),
        "messages[0].content[0].type | messages[0].content[0].type: a tool_reference can only stand in a tool message");
    EXPECT_EQ(prepared(R"([{"role": "tool", "content": [{"type": "tool_reference"}]}])", tools),
              "messages[0].content[0].name | messages[0].content[0].name: is missing");
    EXPECT_EQ(
        prepared(
            R"([{"role": "tool", "content": [{"type": "text", "text": ""}, {"type": "tool_reference", "name": "f"}]}])",
            tools),
        "messages[0].content[1].type | messages[0].content[1].type: text and tool_reference cannot stand in one list");
}

TEST(Messages, Tools) {
    EXPECT_EQ(prepared_tools("null", kGlm51), "null");
    EXPECT_EQ(prepared_tools("[]", kGlm51), "null");
    const std::string_view beside = R"([{"type": "function", "function": {"name": "f"}, "defer_loading": true}])";
    EXPECT_EQ(prepared_tools(beside, kGlm51),
              R"([{"type": "function", "function": {"name": "f", "defer_loading": true}, "defer_loading": true}])");
    EXPECT_EQ(prepared_tools(beside, kGlm5), beside);
    const std::string_view both = R"([{"function": {"name": "f", "defer_loading": false}, "defer_loading": true}])";
    EXPECT_EQ(prepared_tools(both, kGlm51), both);
    EXPECT_EQ(prepared_tools(R"([{"name": "f", "parameters": {}}])", kGlm51), R"([{"name": "f", "parameters": {}}])");
    EXPECT_EQ(prepared_tools("{}", kGlm51), "tools | tools: expected a list, found object");
    EXPECT_EQ(prepared_tools("[1]", kGlm51), "tools[0] | tools[0]: expected an object, found integer");
    EXPECT_EQ(prepared_tools(R"([{"function": null}])", kGlm51),
              "tools[0].function | tools[0].function: expected an object, found null");
    EXPECT_EQ(prepared_tools(R"([{"function": {}}])", kGlm51),
              "tools[0].function.name | tools[0].function.name: is missing");
    EXPECT_EQ(prepared_tools(R"([{}])", kGlm51), "tools[0].name | tools[0].name: is missing");
    EXPECT_EQ(prepared_tools(R"([{"type": "web_search"}])", kGlm51),
              "tools[0].type | tools[0].type: 'web_search' is not supported, only function is");
}

TEST(Messages, ErrorIsAStatus) {
    const auto result = prepare_conversation(parse_json("[]"), json::Value(), kGlm5);
    const Status status = std::get<MessageError>(result).status();
    EXPECT_EQ(status.code(), StatusCode::invalid_argument);
    EXPECT_EQ(status.message(), "messages: must hold at least one message");
}

}  // namespace
}  // namespace glm5::chat
