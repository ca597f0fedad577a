// Fields that only completions have.
#include "api/completion_request.h"

namespace glm5::api {
namespace {

void read_token_ids(FieldReader& reader, const json::Array& ids, const std::string& path, CompletionRequest& request) {
    std::vector<int32_t> tokens;
    tokens.reserve(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
        const auto id = ids[i].to_int64();
        if (!id) return reader.fail_type(fmt::format("{}[{}]", path, i), "an integer", ids[i]);
        if (*id < 0 || *id > std::numeric_limits<int32_t>::max())
            return reader.fail(
                invalid_request(fmt::format("{}[{}]", path, i), "Token id {} is out of vocabulary.", *id));
        tokens.push_back(static_cast<int32_t>(*id));
    }
    request.prompt = std::move(tokens);
}

// A string, token ids, or a list with one of them.
void read_prompt(FieldReader& reader, CompletionRequest& request) {
    const json::Value* prompt = reader.any("prompt");
    if (!prompt) return reader.fail(invalid_request("prompt", "prompt is required."));
    std::string path = "prompt";
    if (prompt->is_array() && !prompt->as_array().empty() && !prompt->as_array()[0].is_number()) {
        if (prompt->as_array().size() > 1)
            return reader.fail(invalid_request(
                "prompt", "Several prompts in one request are not supported yet by this version; send one."));
        prompt = &prompt->as_array()[0];
        path = "prompt[0]";
    }
    if (prompt->is_string()) {
        if (prompt->as_string().empty()) return reader.fail(invalid_request(path, "{} must not be empty.", path));
        request.prompt = prompt->as_string();
        return;
    }
    if (!prompt->is_array()) return reader.fail_type(path, "a string or an array of token ids", *prompt);
    if (prompt->as_array().empty()) return reader.fail(invalid_request(path, "{} must not be empty.", path));
    read_token_ids(reader, prompt->as_array(), path, request);
}

}  // namespace

std::variant<CompletionRequest, ApiError> parse_completion_request(const json::Value& body) {
    if (!body.is_object())
        return ApiError{400, fmt::format("The body must be an object, not {}.", body.type_name()), {}};
    FieldReader reader(body.as_object());
    CompletionRequest request;
    read_prompt(reader, request);
    request.fields = read_generation_fields(reader);
    refuse_unsupported(reader);
    if (reader.any("logprobs"))
        reader.fail(invalid_request("logprobs", "logprobs is not supported yet by this version."));
    if (const auto suffix = reader.text("suffix"); suffix && !suffix->empty())
        reader.fail(invalid_request("suffix", "suffix is not supported: the model does not fill in."));
    request.add_special_tokens = reader.boolean("add_special_tokens").value_or(true);
    if (reader.error()) return *reader.error();
    request.unknown_fields = reader.unknown();
    return request;
}

}  // namespace glm5::api
