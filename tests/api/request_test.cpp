// Bodies of requests: what is read, and the error text and param of what is refused.
#include <gtest/gtest.h>

#include "api/chat_request.h"
#include "api/completion_request.h"
#include "json/parse.h"
#include "json/write.h"

namespace glm5::api {
namespace {

json::Value parse(const std::string& text) {
    auto value = json::parse(text);
    EXPECT_TRUE(value.ok()) << text << ": " << value.status().message();
    return *value;
}

// `fields`: members after the messages.
std::variant<ChatRequest, ApiError> chat(const std::string& fields) {
    return parse_chat_request(
        parse(R"({"messages": [{"role": "user", "content": "hi"}])" + (fields.empty() ? "" : ", " + fields) + "}"));
}

std::variant<CompletionRequest, ApiError> completion(const std::string& fields) {
    return parse_completion_request(parse("{" + fields + "}"));
}

struct Refusal {
    std::string fields;
    std::string param;
    std::string message;
};

void expect_refusal(const ApiError* error, const Refusal& expected) {
    ASSERT_NE(error, nullptr) << expected.fields;
    EXPECT_EQ(error->status, 400) << expected.fields;
    EXPECT_EQ(error->param.value_or("none"), expected.param) << expected.fields;
    EXPECT_EQ(error->message, expected.message) << expected.fields;
}

TEST(ChatRequest, ReadsEveryFieldThatIsUsed) {
    const auto parsed = chat(
        R"("model": "m", "max_tokens": 5, "max_completion_tokens": 7.0, "stop": ["a", "b"], "stop_token_ids": [1, 2],
        "ignore_eos": true, "include_stop_str_in_output": true, "skip_special_tokens": false, "stream": true,
        "stream_options": {"include_usage": true, "continuous_usage_stats": true}, "request_id": "r",
        "reasoning_effort": "high", "chat_template_kwargs": {"enable_thinking": false}, "include_reasoning": false,
        "continue_final_message": true, "return_token_ids": true, "priority": -4)");
    ASSERT_TRUE(std::holds_alternative<ChatRequest>(parsed)) << std::get<ApiError>(parsed).message;
    const ChatRequest& request = std::get<ChatRequest>(parsed);
    EXPECT_EQ(request.fields.model, "m");
    EXPECT_EQ(request.fields.max_tokens, 7);
    EXPECT_EQ(request.fields.stop, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(request.fields.sampling.others.stop_token_ids, (std::vector<int32_t>{1, 2}));
    EXPECT_TRUE(request.fields.sampling.others.ignore_eos && request.fields.include_stop_str_in_output &&
                request.fields.stream);
    EXPECT_FALSE(request.fields.skip_special_tokens);
    EXPECT_TRUE(request.fields.include_usage && request.fields.continuous_usage_stats);
    EXPECT_EQ(request.fields.request_id, "r");
    EXPECT_EQ(request.conversation.reasoning_effort, "high");
    EXPECT_EQ(json::write(request.conversation.chat_template_kwargs), R"({"enable_thinking": false})");
    EXPECT_FALSE(request.include_reasoning);
    EXPECT_FALSE(request.conversation.add_generation_prompt);
    EXPECT_TRUE(request.fields.return_token_ids);
    EXPECT_EQ(request.fields.priority, -4);
    EXPECT_TRUE(request.unknown_fields.empty());
}

TEST(ChatRequest, NullAndNeutralValuesAskForNothing) {
    for (const char* name : {"model",
                             "max_tokens",
                             "stop",
                             "stop_token_ids",
                             "ignore_eos",
                             "stream",
                             "stream_options",
                             "temperature",
                             "n",
                             "logprobs",
                             "top_logprobs",
                             "tools",
                             "tool_choice",
                             "response_format",
                             "logit_bias",
                             "guided_json",
                             "chat_template_kwargs",
                             "reasoning_effort",
                             "request_id",
                             "seed",
                             "allowed_token_ids",
                             "functions"}) {
        const auto parsed = chat(fmt::format("\"{}\": null", name));
        EXPECT_TRUE(std::holds_alternative<ChatRequest>(parsed)) << name << std::get<ApiError>(parsed).message;
    }
    const auto parsed =
        chat(R"("temperature": 0, "top_p": 0.95, "top_k": -1, "min_p": 0, "n": 1, "best_of": 1, "presence_penalty": 0,
        "frequency_penalty": 0.0, "repetition_penalty": 1, "min_tokens": 0, "seed": -1, "logprobs": false, "top_logprobs": 0, "logit_bias": {},
        "bad_words": [], "response_format": {"type": "text"}, "echo": false, "priority": 0, "use_beam_search": false, "tool_choice": "none",
        "parallel_tool_calls": true, "return_token_ids": false, "spaces_between_special_tokens": true, "cache_salt": "x")");
    ASSERT_TRUE(std::holds_alternative<ChatRequest>(parsed)) << std::get<ApiError>(parsed).message;
    EXPECT_TRUE(std::get<ChatRequest>(parsed).unknown_fields.empty());
}

TEST(ChatRequest, NamesTheFieldsThatItDoesNotKnow) {
    const auto parsed = chat(R"("foo": 1, "user": "u", "bar": null)");
    ASSERT_TRUE(std::holds_alternative<ChatRequest>(parsed));
    EXPECT_EQ(std::get<ChatRequest>(parsed).unknown_fields, (std::vector<std::string>{"foo", "user", "bar"}));
    EXPECT_TRUE(is_silently_ignored("user"));
    EXPECT_FALSE(is_silently_ignored("foo"));
}

TEST(ChatRequest, KeepsToolsOnlyWhereNoneMayBeCalled) {
    const auto parsed = chat(R"("tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none")");
    ASSERT_TRUE(std::holds_alternative<ChatRequest>(parsed));
    EXPECT_TRUE(std::get<ChatRequest>(parsed).conversation.tools.is_array());
}

TEST(ChatRequest, Refusals) {
    const std::string tool = R"("tools": [{"type": "function", "function": {"name": "f"}}])";
    const std::string yet = " is not supported by this version";
    const Refusal refusals[] = {
        {R"("logprobs": true)", "logprobs", "logprobs" + yet + "."},
        {R"("top_logprobs": 5)", "top_logprobs", "top_logprobs" + yet + "."},
        {R"("prompt_logprobs": 0)", "prompt_logprobs", "prompt_logprobs" + yet + "."},
        {R"("allowed_token_ids": [])", "allowed_token_ids", "allowed_token_ids" + yet + "."},
        {R"("thinking_token_budget": 9)", "thinking_token_budget", "thinking_token_budget" + yet + "."},
        {R"("truncate_prompt_tokens": 9)", "truncate_prompt_tokens", "truncate_prompt_tokens" + yet + "."},
        {R"("guided_json": {})", "guided_json", "guided_json" + yet + "."},
        {R"("guided_regex": "a")", "guided_regex", "guided_regex" + yet + "."},
        {R"("structured_outputs": {"regex": "a"})", "structured_outputs", "structured_outputs" + yet + "."},
        {R"("grammar": "root ::= x")", "grammar", "grammar" + yet + "."},
        {R"("response_format": {"type": "json_schema"})", "response_format",
         "response_format" + yet + ": only the type text is."},
        {R"("response_format": {})", "response_format.type", "response_format.type must be a string."},
        {R"("functions": [{}])", "functions", "functions" + yet + ": use tools."},
        {R"("cache_salt": "")", "cache_salt", "cache_salt must not be empty."},
        {tool, "tools",
         "tools" + yet + ": it does not parse calls; send tool_choice none, or the prompt as text to /v1/completions."},
        {tool + R"(, "tool_choice": "required")", "tool_choice", "tool_choice" + yet + ": only none is."},
        {tool + R"(, "tool_choice": {"type": "function", "function": {"name": "f"}})", "tool_choice",
         "tool_choice" + yet + ": only none is."},
        {R"("tool_choice": "required")", "tool_choice", "tool_choice needs tools."},
        {R"("tool_choice": "sometimes")", "tool_choice",
         "tool_choice must be none, auto, required or a function, not 'sometimes'."},
        {R"("tool_choice": 1)", "tool_choice", "tool_choice must be a string or an object, not integer."},
        {R"("tools": [])", "tools", "tools must not be empty; leave it out."},
        {R"("tools": {})", "tools", "tools must be an array, not object."},
        {R"("max_tokens": 0)", "max_tokens", "max_tokens must be at least 1, not 0."},
        {R"("max_tokens": 1.5)", "max_tokens", "max_tokens must be an integer, not 1.5."},
        {R"("max_completion_tokens": true)", "max_completion_tokens",
         "max_completion_tokens must be an integer, not boolean."},
        {R"("stop": 5)", "stop", "stop must be a string or an array of strings, not integer."},
        {R"("stop": "")", "stop", "stop must not be empty."},
        {R"("stop": ["a", ""])", "stop[1]", "stop[1] must not be empty."},
        {R"("stop": ["a", 5])", "stop[1]", "stop[1] must be a string, not integer."},
        {R"("stop": ")" + std::string(1025, 'x') + "\"", "stop", "stop is longer than 1024 bytes."},
        {R"("stream": "yes")", "stream", "stream must be a boolean, not string."},
        {R"("stream_options": {"include_usage": true})", "stream_options", "stream_options needs stream to be true."},
        {R"("stream": true, "stream_options": {"include_usage": 1})", "stream_options.include_usage",
         "include_usage must be a boolean, not integer."},
        {R"("stream": true, "stream_options": {"continuous_usage_stats": true})",
         "stream_options.continuous_usage_stats", "continuous_usage_stats needs include_usage to be true."},
        {R"("model": 5)", "model", "model must be a string, not integer."},
        {R"("request_id": "a b")", "request_id", "request_id must be 1 to 256 visible ASCII characters."},
        {R"("request_id": "a\r\nX: y")", "request_id", "request_id must be 1 to 256 visible ASCII characters."},
        {R"("reasoning_effort": "extreme")", "reasoning_effort",
         "reasoning_effort must be none, minimal, low, medium, high, xhigh, max, not 'extreme'."},
        {R"("chat_template_kwargs": [])", "chat_template_kwargs", "chat_template_kwargs must be an object, not array."},
        {R"("chat_template": "{{ x }}")", "chat_template",
         "chat_template is not taken from requests; see --chat-template."},
        {R"("add_generation_prompt": true, "continue_final_message": true)", "continue_final_message",
         "continue_final_message and add_generation_prompt cannot both be true."},
    };
    for (const Refusal& refusal : refusals) {
        const auto parsed = chat(refusal.fields);
        expect_refusal(std::get_if<ApiError>(&parsed), refusal);
    }
    const std::pair<const char*, Refusal> bodies[] = {
        {"{}", {"{}", "messages", "messages is required."}},
        {R"({"messages": []})", {"[]", "messages", "messages must not be empty."}},
        {R"({"messages": "hi"})", {"hi", "messages", "messages must be an array, not string."}},
        {"[]", {"array", "none", "The body must be an object, not array."}},
        {"null", {"null", "none", "The body must be an object, not null."}},
    };
    for (const auto& [body, refusal] : bodies) {
        const auto parsed = parse_chat_request(parse(body));
        expect_refusal(std::get_if<ApiError>(&parsed), refusal);
    }
    const auto many = parse_chat_request(parse(R"({"messages": [1], "stop": [)" + [] {
        std::string list;
        for (int i = 0; i < 65; ++i) list += i ? ",\"a\"" : "\"a\"";
        return list;
    }() + "]}"));
    expect_refusal(std::get_if<ApiError>(&many), {"65", "stop", "stop has 65 strings; 64 are allowed."});
}

TEST(CompletionRequest, TakesTextAndIdsAloneAndInLists) {
    const auto prompts_of = [](const std::string& prompt) {
        const auto parsed = completion("\"prompt\": " + prompt);
        EXPECT_TRUE(std::holds_alternative<CompletionRequest>(parsed)) << prompt;
        return std::get<CompletionRequest>(parsed).prompts;
    };
    const auto text = [](const CompletionPrompt& prompt) { return std::get<std::string>(prompt.content); };
    const auto ids = [](const CompletionPrompt& prompt) { return std::get<std::vector<int32_t>>(prompt.content); };
    using Ids = std::vector<int32_t>;
    EXPECT_EQ(text(prompts_of(R"("hi")")[0]), "hi");
    EXPECT_EQ(ids(prompts_of("[1, 2.0, 3]")[0]), (Ids{1, 2, 3}));
    EXPECT_EQ(prompts_of(R"("hi")")[0].path, "prompt");
    const auto mixed = prompts_of(R"(["hi", [1, 2], "you", [7]])");
    ASSERT_EQ(mixed.size(), 4u);
    EXPECT_EQ(text(mixed[0]), "hi");
    EXPECT_EQ(ids(mixed[1]), (Ids{1, 2}));
    EXPECT_EQ(text(mixed[2]), "you");
    EXPECT_EQ(ids(mixed[3]), (Ids{7}));
    EXPECT_EQ(mixed[3].path, "prompt[3]");
}

TEST(CompletionRequest, EchoMayAskForNoTokens) {
    const auto parsed = completion(R"("prompt": "a", "echo": true, "max_tokens": 0)");
    ASSERT_TRUE(std::holds_alternative<CompletionRequest>(parsed)) << std::get<ApiError>(parsed).message;
    EXPECT_TRUE(std::get<CompletionRequest>(parsed).echo);
    EXPECT_EQ(std::get<CompletionRequest>(parsed).fields.max_tokens, 0);
}

TEST(CompletionRequest, Refusals) {
    std::string many = "[";
    for (int i = 0; i < 1025; ++i) many += i ? ",[1]" : "[1]";
    const Refusal refusals[] = {
        {R"("model": "m")", "prompt", "prompt is required."},
        {R"("prompt": "")", "prompt", "prompt must not be empty."},
        {R"("prompt": [])", "prompt", "prompt must not be empty."},
        {R"("prompt": [[]])", "prompt[0]", "prompt[0] must not be empty."},
        {R"("prompt": ["a", ""])", "prompt[1]", "prompt[1] must not be empty."},
        {R"("prompt": ["a", 5])", "prompt[1]", "prompt[1] must be a string or an array of token ids, not integer."},
        {R"("prompt": ["a", null])", "prompt[1]", "prompt[1] must be a string or an array of token ids, not null."},
        {R"("prompt": [[1], [2, "x"]])", "prompt[1][1]", "prompt[1][1] must be an integer, not string."},
        {R"("prompt": [1, "a"])", "prompt[1]", "prompt[1] must be an integer, not string."},
        {R"("prompt": [1, [2]])", "prompt[1]", "prompt[1] must be an integer, not array."},
        {R"("prompt": [1, -5])", "prompt[1]", "Token id -5 is out of vocabulary."},
        {R"("prompt": [1.5])", "prompt[0]", "prompt[0] must be an integer, not number."},
        {R"("prompt": [99999999999])", "prompt[0]", "Token id 99999999999 is out of vocabulary."},
        {R"("prompt": [{}])", "prompt[0]", "prompt[0] must be a string or an array of token ids, not object."},
        {R"("prompt": 5)", "prompt", "prompt must be a string or an array of token ids, not integer."},
        {"\"prompt\": " + many + "]", "prompt", "prompt has 1025 items; 1024 are allowed."},
        {"\"n\": 128, \"prompt\": " + many.substr(0, 4 * 33) + "]", "n",
         "33 prompts times n make 4224 choices; 4096 are allowed."},
        {R"("prompt": "a", "logprobs": 0)", "logprobs", "logprobs is not supported by this version."},
        {R"("prompt": "a", "suffix": "b")", "suffix", "suffix is not supported: the model does not fill in."},
        {R"("prompt": "a", "max_tokens": 0)", "max_tokens", "max_tokens must be at least 1, not 0."},
        {R"("prompt": "a", "echo": true, "max_tokens": -1)", "max_tokens", "max_tokens must be at least 0, not -1."},
        {R"("prompt": "a", "echo": "yes")", "echo", "echo must be a boolean, not string."},
    };
    for (const Refusal& refusal : refusals) {
        const auto parsed = completion(refusal.fields);
        expect_refusal(std::get_if<ApiError>(&parsed), refusal);
    }
}

}  // namespace
}  // namespace glm5::api
