// Microseconds per rendered prompt: the bundled template and GLM-5.2's, for a short conversation and for a long one
// with tools; and per conversation for its preparation alone.
#include <benchmark/benchmark.h>

#include <fstream>
#include <sstream>
#include <string>

#include "base/check.h"
#include "chat/chat_format.h"

namespace glm5::chat {
namespace {

ChatFormat load_format(const std::string& path) {
    std::ifstream file(std::string(GLM5_SOURCE_DIR) + "/" + path, std::ios::binary);
    GLM5_CHECK(file.good(), "{}", path);
    std::stringstream text;
    text << file.rdbuf();
    return ChatFormat::from_source(text.str()).value();
}

const ChatFormat& format_of(bool is_nano) {
    static const ChatFormat kNano = load_format("models/glm5-nano/chat_template.jinja");
    static const ChatFormat kGlm52 = load_format("tests/fixtures/chat/glm-5.2_chat_template.jinja");
    return is_nano ? kNano : kGlm52;
}

// A user's question, then rounds of question, call, result and answer of about 400 characters each.
json::Value make_messages(int count) {
    const std::string text(400, 'x');
    json::Array messages;
    messages.push_back(json::Value::object({{"role", "system"}, {"content", "You are a helpful assistant."}}));
    for (int i = 1; i < count; ++i) {
        const int turn = i % 4;
        if (turn == 1) messages.push_back(json::Value::object({{"role", "user"}, {"content", text}}));
        if (turn == 2) {
            const json::Value function =
                json::Value::object({{"name", "read_file"}, {"arguments", R"({"path": "src/main.cpp", "line": 12})"}});
            messages.push_back(json::Value::object(
                {{"role", "assistant"},
                 {"content", nullptr},
                 {"reasoning_content", text},
                 {"tool_calls", json::Value::array({json::Value::object(
                                    {{"id", "call_1"}, {"type", "function"}, {"function", function}})})}}));
        }
        if (turn == 3)
            messages.push_back(json::Value::object({{"role", "tool"}, {"tool_call_id", "call_1"}, {"content", text}}));
        if (turn == 0) messages.push_back(json::Value::object({{"role", "assistant"}, {"content", text}}));
    }
    return messages;
}

json::Value make_tools(int count) {
    json::Array tools;
    for (int i = 0; i < count; ++i) {
        const json::Value property =
            json::Value::object({{"type", "string"}, {"description", "The path of the file, relative to the root."}});
        const json::Value parameters = json::Value::object(
            {{"type", "object"},
             {"properties", json::Value::object({{"path", property}, {"line", property}, {"mode", property}})},
             {"required", json::Value::array({"path"})}});
        tools.push_back(json::Value::object(
            {{"type", "function"},
             {"function", json::Value::object({{"name", "tool_" + std::to_string(i)},
                                               {"description", "Does something useful with a file of the project."},
                                               {"parameters", parameters}})}}));
    }
    return tools;
}

// Arguments: template (1 is nano), messages, tools.
void render(benchmark::State& state) {
    const ChatFormat& format = format_of(state.range(0) == 1);
    const json::Value messages = make_messages(static_cast<int>(state.range(1)));
    const json::Value tools = state.range(2) > 0 ? make_tools(static_cast<int>(state.range(2))) : json::Value();
    size_t bytes = 0;
    for (auto _ : state) {
        const auto prompt = format.render(messages, tools);
        bytes = std::get<ChatPrompt>(prompt).text.size();
    }
    state.counters["prompt_bytes"] = static_cast<double>(bytes);
}
BENCHMARK(render)
    ->ArgNames({"nano", "messages", "tools"})
    ->Args({1, 2, 0})
    ->Args({0, 2, 0})
    ->Args({1, 40, 16})
    ->Args({0, 40, 16})
    ->Unit(benchmark::kMicrosecond);

void prepare(benchmark::State& state) {
    const ChatFormat& format = format_of(false);
    const json::Value messages = make_messages(40);
    const json::Value tools = make_tools(16);
    for (auto _ : state) benchmark::DoNotOptimize(prepare_conversation(messages, tools, format.traits()));
}
BENCHMARK(prepare)->Unit(benchmark::kMicrosecond);

void parse(benchmark::State& state) {
    std::ifstream file(std::string(GLM5_SOURCE_DIR) + "/tests/fixtures/chat/glm-5.2_chat_template.jinja",
                       std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    for (auto _ : state) benchmark::DoNotOptimize(Template::parse(text.str()));
}
BENCHMARK(parse)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace glm5::chat

BENCHMARK_MAIN();
