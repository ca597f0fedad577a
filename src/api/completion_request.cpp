// Fields that only completions have.
#include "api/completion_request.h"

namespace glm5::api {
namespace {

constexpr size_t kMaxPrompts = 1024;
constexpr size_t kMaxChoices = 4096;  // of all prompts together

void read_one_prompt(FieldReader& reader, const json::Value& prompt, std::string path, CompletionRequest& request) {
    if (prompt.is_string()) {
        if (prompt.as_string().empty()) return reader.fail(invalid_request(path, "{} must not be empty.", path));
        request.prompts.push_back({std::move(path), prompt.as_string()});
        return;
    }
    if (!prompt.is_array()) return reader.fail_type(path, "a string or an array of token ids", prompt);
    if (prompt.as_array().empty()) return reader.fail(invalid_request(path, "{} must not be empty.", path));
    std::vector<int32_t> ids = read_token_ids(reader, prompt.as_array(), path);
    request.prompts.push_back({std::move(path), std::move(ids)});
}

// A string, token ids, or a list of either. A list that begins with a number is one prompt of token ids.
void read_prompts(FieldReader& reader, CompletionRequest& request) {
    const json::Value* prompt = reader.any("prompt");
    if (!prompt) return reader.fail(invalid_request("prompt", "prompt is required."));
    const bool is_list = prompt->is_array() && !prompt->as_array().empty() && !prompt->as_array()[0].is_number();
    if (!is_list) return read_one_prompt(reader, *prompt, "prompt", request);
    const json::Array& prompts = prompt->as_array();
    if (prompts.size() > kMaxPrompts)
        return reader.fail(
            invalid_request("prompt", "prompt has {} items; {} are allowed.", prompts.size(), kMaxPrompts));
    for (size_t i = 0; i < prompts.size() && !reader.error(); ++i)
        read_one_prompt(reader, prompts[i], fmt::format("prompt[{}]", i), request);
}

}  // namespace

std::variant<CompletionRequest, ApiError> parse_completion_request(const json::Value& body) {
    if (!body.is_object())
        return ApiError{400, fmt::format("The body must be an object, not {}.", body.type_name()), {}};
    FieldReader reader(body.as_object());
    CompletionRequest request;
    read_prompts(reader, request);
    request.echo = reader.boolean("echo").value_or(false);
    request.fields = read_generation_fields(reader, request.echo ? 0 : 1);
    refuse_unsupported(reader);
    if (reader.any("logprobs")) reader.fail(not_supported("logprobs"));
    if (const auto suffix = reader.text("suffix"); suffix && !suffix->empty())
        reader.fail(invalid_request("suffix", "suffix is not supported: the model does not fill in."));
    reader.boolean("add_special_tokens");  // the family adds none
    const size_t num_choices = request.prompts.size() * static_cast<size_t>(request.fields.sampling.num_choices);
    if (num_choices > kMaxChoices)
        reader.fail(invalid_request("n", "{} prompts times n make {} choices; {} are allowed.", request.prompts.size(),
                                    num_choices, kMaxChoices));
    if (reader.error()) return *reader.error();
    request.unknown_fields = reader.unknown();
    return request;
}

}  // namespace glm5::api
