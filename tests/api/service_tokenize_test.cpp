// Tokenizing and detokenizing over HTTP.
#include "api/service_fixture.h"

namespace glm5::api {
namespace {

using ServiceTokenizeTest = ServiceTest;

TEST_F(ServiceTokenizeTest, Tokenize) {
    load();
    const std::vector<int32_t> ids = tokenizer_->encode("good day<|user|>");
    for (const char* path : {"/tokenize", "/v1/tokenize"}) {
        const json::Value answer =
            body_of(*ask(path, R"({"prompt": "good day<|user|>", "return_token_strs": true, "model": "alias"})"));
        EXPECT_EQ(member(answer, "tokens"), json::write(json::Array(ids.begin(), ids.end())));
        EXPECT_EQ(answer.find("count")->to_int64(), static_cast<int64_t>(ids.size()));
        EXPECT_EQ(member(answer, "max_model_len"), "100");
        ASSERT_EQ(answer.find("token_strs")->as_array().size(), ids.size());
        EXPECT_EQ(answer.find("token_strs")->as_array().back().as_string(), "<|user|>");
    }
    EXPECT_EQ(member(body_of(*ask("/tokenize", R"({"prompt": ""})")), "tokens"), "[]");
    EXPECT_EQ(member(body_of(*ask("/tokenize", R"({"prompt": "a"})")), "token_strs"), "null");
    const json::Value chat = body_of(
        *ask("/tokenize", R"({"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": false})"));
    const std::vector<int32_t> rendered = tokenizer_->encode("[gMASK]<sop><|user|>hi");
    EXPECT_EQ(member(chat, "tokens"), json::write(json::Array(rendered.begin(), rendered.end())));
}

TEST_F(ServiceTokenizeTest, Detokenize) {
    load();
    const std::vector<int32_t> ids = tokenizer_->encode("good day<|user|>");
    const std::string body = R"({"tokens": )" + json::write(json::Array(ids.begin(), ids.end())) + "}";
    for (const char* path : {"/detokenize", "/v1/detokenize"})
        EXPECT_EQ(member(body_of(*ask(path, body)), "prompt"), "\"good day<|user|>\"");
    EXPECT_EQ(member(body_of(*ask("/detokenize", R"({"tokens": []})")), "prompt"), "\"\"");
}

TEST_F(ServiceTokenizeTest, RefusalsOfTheTokenizerRoutes) {
    load();
    const struct {
        const char* path;
        const char* body;
        int status;
        const char* param;
        const char* message;
    } cases[] = {
        {"/tokenize", "{}", 400, "\"prompt\"", "prompt or messages is required."},
        {"/tokenize", R"({"prompt": 5})", 400, "\"prompt\"", "prompt must be a string, not integer."},
        {"/tokenize", R"({"prompt": "a", "messages": []})", 400, "\"prompt\"",
         "prompt and messages cannot both be given."},
        {"/tokenize", R"({"messages": []})", 400, "\"messages\"", "messages must not be empty."},
        {"/tokenize", R"({"prompt": "a", "return_token_strs": 1})", 400, "\"return_token_strs\"",
         "return_token_strs must be a boolean, not integer."},
        {"/tokenize", R"({"prompt": "a", "model": "x"})", 404, "\"model\"", "The model `x` does not exist."},
        {"/tokenize", "[]", 400, "null", "The body must be an object, not array."},
        {"/detokenize", "{}", 400, "\"tokens\"", "tokens is required."},
        {"/detokenize", R"({"tokens": "a"})", 400, "\"tokens\"", "tokens must be an array, not string."},
        {"/detokenize", R"({"tokens": [1, "a"]})", 400, "\"tokens[1]\"", "tokens[1] must be an integer, not string."},
        {"/detokenize", R"({"tokens": [4132]})", 400, "\"tokens[0]\"", "Token id 4132 is out of vocabulary."},
    };
    for (const auto& expected : cases) {
        const auto exchange = ask(expected.path, expected.body);
        EXPECT_EQ(exchange->response.status, expected.status) << expected.body;
        const json::Value error = *body_of(*exchange).find("error");
        EXPECT_EQ(member(error, "param"), expected.param) << expected.body;
        EXPECT_EQ(error.find("message")->as_string(), expected.message);
    }
}

}  // namespace
}  // namespace glm5::api
