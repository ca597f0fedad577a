// From a checkpoint directory to prompts: the golden conversations as a client sends them, with arguments as JSON text.
#include "chat/chat_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "chat/support.h"
#include "json/write.h"

namespace glm5::chat {
namespace {

ChatFormat format_of(std::string_view name) {
    Result<ChatFormat> format = ChatFormat::from_source(read_template(name));
    EXPECT_TRUE(format.ok()) << format.status().message();
    return std::move(format).value();
}

// The text, or the message of the error.
std::string rendered(const ChatFormat& format, const json::Value& messages, const json::Value& tools,
                     const RenderOptions& options = {}) {
    const auto result = format.render(messages, tools, options);
    if (const auto* error = std::get_if<MessageError>(&result)) return error->message;
    return std::get<ChatPrompt>(result).text;
}

// As clients send them: arguments are JSON text, reasoning_content is called reasoning.
json::Value as_sent(const json::Value& messages) {
    json::Array out;
    for (const json::Value& given : messages.as_array()) {
        json::Object message;
        for (const auto& [key, value] : given.as_object())
            message.set(key == "reasoning_content" ? "reasoning" : key, value);
        if (json::Value* calls = message.find("tool_calls")) {
            for (json::Value& call : calls->as_array()) {
                json::Object& object = call.as_object();
                json::Object& function = object.contains("function") ? object.find("function")->as_object() : object;
                function.set("arguments", json::write(*function.find("arguments")));
            }
        }
        out.push_back(std::move(message));
    }
    return out;
}

TEST(ChatFormat, ClientFormGivesTheGoldenPrompts) {
    const json::Value goldens = read_json_fixture("chat_template_goldens.json");
    // Their goldens are what the bare template makes of forms that the server refuses or brings into another form.
    const auto is_other_form = [](std::string_view name) {
        return name == "tool_cycle_null_content" || name == "tool_result_text_parts" ||
               name == "tool_result_output_list" || name == "parts_media" || name == "unknown_role" ||
               name == "tool_reference";
    };
    int num_compared = 0;
    for (const std::string template_name : {"glm-5", "glm-5.1", "glm-5.2", "glm-5.3", "glm-5.3-flash"}) {
        const ChatFormat format = format_of(template_name);
        for (const auto& [name, golden] : goldens.find("cases")->as_object()) {
            if (is_other_form(name)) continue;
            RenderOptions options;
            json::Value tools;
            for (const auto& [key, value] : golden.find("input")->as_object()) {
                if (key == "tools")
                    tools = value;
                else if (key == "add_generation_prompt")
                    options.add_generation_prompt = value.as_bool();
                else if (key != "messages")
                    options.template_kwargs.set(key, value);
            }
            EXPECT_EQ(rendered(format, as_sent(*golden.find("input")->find("messages")), tools, options),
                      golden.find("outputs")->find(template_name)->as_string())
                << name << " with " << template_name;
            ++num_compared;
        }
    }
    EXPECT_EQ(num_compared, 33 * 5);
}

const char* const kToolTurn =
    R"({"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [
    {"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"id": "b", "function": {"name": "g", "arguments": ""}}]})";

// reference: "tool results: <|observation|> once per run of tool messages, then <tool_response> text </tool_response>
// each".
TEST(ChatFormat, EveryFormOfToolResultsPrintsAlike) {
    const json::Value separate =
        parse_json(std::string("[") + kToolTurn + R"(, {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}, {"type": "text", "text": "3"}]}])");
    const json::Value outputs = parse_json(
        std::string("[") + kToolTurn +
        R"(, {"role": "tool", "content": [{"output": "1", "tool_call_id": "a"}, {"output": "23", "tool_call_id": "b"}]}])");
    for (const std::string name : {"glm-5", "glm-5.1", "glm-5.2", "glm-5.3", "glm-5.3-flash", "nano"}) {
        const ChatFormat format = format_of(name);
        const std::string text = rendered(format, separate, json::Value());
        EXPECT_THAT(
            text, ::testing::HasSubstr(
                      "<tool_call>f</tool_call><tool_call>g</tool_call><|observation|><tool_response>1</tool_response>"
                      "<tool_response>23</tool_response><|assistant|><think>"))
            << name;
        EXPECT_EQ(text, rendered(format, outputs, json::Value())) << name;
        EXPECT_EQ(text.find("None"), std::string::npos) << name;
    }
}

TEST(ChatFormat, SaysHowThePromptEnds) {
    const json::Value user = parse_json(R"([{"role": "user", "content": "q"}])");
    const json::Value open =
        parse_json(R"([{"role": "user", "content": "q"}, {"role": "assistant", "content": "It is"}])");
    const auto end_of = [](const ChatFormat& format, const json::Value& messages, const RenderOptions& options) {
        return std::get<ChatPrompt>(format.render(messages, json::Value(), options)).end;
    };
    RenderOptions no_thinking;
    no_thinking.template_kwargs.set("enable_thinking", false);
    RenderOptions continued;
    continued.add_generation_prompt = false;
    for (const std::string name : {"glm-5", "glm-5.1", "glm-5.2", "glm-5.3", "nano"}) {
        const ChatFormat format = format_of(name);
        EXPECT_EQ(end_of(format, user, {}), PromptEnd::open_reasoning) << name;
        EXPECT_EQ(end_of(format, user, no_thinking),
                  name == "glm-5.3" ? PromptEnd::open_reasoning : PromptEnd::closed_reasoning)
            << name;
        EXPECT_EQ(end_of(format, open, continued), PromptEnd::text) << name;
        EXPECT_TRUE(rendered(format, open, json::Value(), continued).ends_with("</think>It is")) << name;
    }
}

TEST(ChatFormat, TraitsOfTheFamily) {
    const auto traits = [](std::string_view name) {
        const TemplateTraits t = format_of(name).traits();
        return std::vector<bool>{t.prints_tool_references, t.reads_defer_loading, t.reads_enable_thinking,
                                 t.reads_reasoning_effort};
    };
    EXPECT_EQ(traits("nano"), (std::vector<bool>{false, false, true, false}));
    EXPECT_EQ(traits("glm-5"), (std::vector<bool>{false, false, true, false}));
    EXPECT_EQ(traits("glm-5.1"), (std::vector<bool>{true, true, true, false}));
    EXPECT_EQ(traits("glm-5.2"), (std::vector<bool>{true, true, true, true}));
    EXPECT_EQ(traits("glm-5.3"), (std::vector<bool>{true, true, false, true}));
}

TEST(ChatFormat, EffortVariables) {
    const auto variables = [](std::string_view name, std::string_view effort) {
        return json::write(format_of(name).effort_variables(effort));
    };
    const std::string off = R"({"enable_thinking": false})", low = R"({"reasoning_effort": "low"})",
                      high = R"({"reasoning_effort": "high"})", max = R"({"reasoning_effort": "max"})";
    const std::vector<std::string> efforts = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};
    const std::map<std::string, std::vector<std::string>> expected = {
        {"glm-5", {off, off, "{}", "{}", "{}", "{}", "{}"}},
        {"glm-5.1", {off, off, "{}", "{}", "{}", "{}", "{}"}},
        {"glm-5.2", {off, off, high, high, high, max, max}},
        {"glm-5.3", {low, low, low, low, high, max, max}},
    };
    for (const auto& [name, row] : expected)
        for (size_t i = 0; i < efforts.size(); ++i)
            EXPECT_EQ(variables(name, efforts[i]), row[i]) << name << " " << efforts[i];
}

TEST(ChatFormat, ErrorsNameTheField) {
    const ChatFormat format = format_of("nano");
    EXPECT_EQ(rendered(format, parse_json(R"([{"role": "x"}])"), json::Value()),
              "messages[0].role: 'x' is unknown, expected system, developer, user, assistant or tool");
    RenderOptions options;
    options.template_kwargs.set("tools", 1);
    EXPECT_EQ(rendered(format, parse_json(R"([{"role": "user"}])"), json::Value(), options),
              "chat_template_kwargs.tools: cannot be given here");
    const Result<ChatFormat> raising =
        ChatFormat::from_source("{{ bos_token }}\n{{ raise_exception('roles must alternate') }}");
    ASSERT_TRUE(raising.ok());
    EXPECT_EQ(rendered(*raising, parse_json(R"([{"role": "user"}])"), json::Value()),
              "messages: chat template line 2: roles must alternate");
}

class ChatFormatDirectory : public ::testing::Test {
protected:
    void SetUp() override {
        directory_ = std::filesystem::path(::testing::TempDir()) / ("chat_format_" + std::to_string(::getpid()));
        std::filesystem::create_directories(directory_);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    void write(const std::string& name, std::string_view text) { std::ofstream(directory_ / name) << text; }
    std::string outcome() const {
        const Result<ChatFormat> format = ChatFormat::load(directory_);
        if (!format.ok()) return format.status().message();
        return rendered(*format, parse_json(R"([{"role": "user", "content": "q"}])"), json::Value());
    }

    std::filesystem::path directory_;
};

TEST_F(ChatFormatDirectory, FindsTheTemplate) {
    const std::string place = directory_.string();
    EXPECT_EQ(outcome(), place + ": no chat_template.jinja, and no chat_template in tokenizer_config.json");
    write(
        "tokenizer_config.json",
        R"({"chat_template": "{{ bos_token }}C{{ eos_token }}{{ messages[0].content }}", "bos_token": "<s>", "eos_token": {"content": "</s>"}})");
    EXPECT_EQ(outcome(), "<s>C</s>q");
    write("tokenizer_config.json",
          R"({"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]})");
    EXPECT_EQ(outcome(), "D");
    write("chat_template.jinja", "J{{ add_generation_prompt }}\n");
    EXPECT_EQ(outcome(), "JTrue");
    write("chat_template.jinja", "a\n{% if %}");
    EXPECT_EQ(
        outcome(),
        place + "/chat_template.jinja: chat template line 2: Expected an expression, got 'end of statement block'");
    write("tokenizer_config.json", "[");
    EXPECT_TRUE(outcome().starts_with(place + "/tokenizer_config.json: line 1, column ")) << outcome();
}

TEST(ChatFormat, LoadsTheBundledCheckpoint) {
    const Result<ChatFormat> format = ChatFormat::load(std::string(GLM5_SOURCE_DIR) + "/models/glm5-nano");
    ASSERT_TRUE(format.ok()) << format.status().message();
    EXPECT_EQ(rendered(*format, parse_json(R"([{"role": "user", "content": "Hi"}])"), json::Value()),
              "[gMASK]<sop><|user|>Hi<|assistant|><think>");
}

}  // namespace
}  // namespace glm5::chat
