// Shared fields, and the table of what is refused.
#include "api/generation_fields.h"

#include <algorithm>
#include <array>

#include "http/message.h"

namespace glm5::api {
namespace {

constexpr size_t kMaxStops = 64, kMaxStopBytes = 1024, kMaxRequestIdLength = 256;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

enum class Neutral {
    number,  // the number `neutral`; others are in minimum … maximum or wrong
    integer,
    off,      // false
    nothing,  // "", [], {}
    absent    // only null
};

struct UnsupportedField {
    std::string_view name;
    Neutral kind;
    double neutral = 0, minimum = 0, maximum = 0;
    std::string_view hint = "";
};

constexpr UnsupportedField kUnsupported[] = {
    {"length_penalty", Neutral::number, 1, -kInfinity, kInfinity},
    {"top_logprobs", Neutral::integer, 0, 0, 20},
    {"use_beam_search", Neutral::off},
    {"return_prompt_text", Neutral::off},
    {"bad_words", Neutral::nothing},
    {"documents", Neutral::nothing},
    {"logits_processors", Neutral::nothing},
    {"lora", Neutral::nothing},
    {"functions", Neutral::nothing, 0, 0, 0, "use tools"},
    {"function_call", Neutral::nothing, 0, 0, 0, "use tool_choice"},
    {"prompt_logprobs", Neutral::absent},
    {"allowed_token_ids", Neutral::absent},
    {"thinking_token_budget", Neutral::absent},
    {"truncate_prompt_tokens", Neutral::absent},
    {"prompt_embeds", Neutral::absent},
    {"structured_outputs", Neutral::absent},
    {"guided_json", Neutral::absent},
    {"guided_regex", Neutral::absent},
    {"guided_choice", Neutral::absent},
    {"guided_grammar", Neutral::absent},
    {"guided_whitespace_pattern", Neutral::absent},
    {"regex", Neutral::absent},
    {"ebnf", Neutral::absent},
    {"json_schema", Neutral::absent},
    {"grammar", Neutral::absent},
    {"structural_tag", Neutral::absent},
};

bool is_nothing(const json::Value& value) {
    return (value.is_string() && value.as_string().empty()) || (value.is_array() && value.as_array().empty()) ||
           (value.is_object() && value.as_object().empty());
}

void check(FieldReader& reader, const UnsupportedField& field) {
    bool neutral = true;
    switch (field.kind) {
        case Neutral::number:
            neutral = reader.number(field.name, field.minimum, field.maximum).value_or(field.neutral) == field.neutral;
            break;
        case Neutral::integer:
            neutral =
                static_cast<double>(
                    reader.integer(field.name, static_cast<int64_t>(field.minimum), static_cast<int64_t>(field.maximum))
                        .value_or(static_cast<int64_t>(field.neutral))) == field.neutral;
            break;
        case Neutral::off: neutral = !reader.boolean(field.name).value_or(false); break;
        case Neutral::nothing: {
            const json::Value* value = reader.any(field.name);
            neutral = !value || is_nothing(*value);
            break;
        }
        case Neutral::absent: neutral = reader.any(field.name) == nullptr; break;
    }
    if (!neutral) reader.fail(not_supported(field.name, field.hint));
}

void read_stop(FieldReader& reader, GenerationFields& fields) {
    const json::Value* stop = reader.any("stop");
    if (!stop) return;
    auto add = [&](const json::Value& value, const std::string& path) {
        if (!value.is_string()) return reader.fail_type(path, "a string", value);
        const std::string& text = value.as_string();
        if (text.empty()) return reader.fail(invalid_request(path, "{} must not be empty.", path));
        if (text.size() > kMaxStopBytes)
            return reader.fail(invalid_request(path, "{} is longer than {} bytes.", path, kMaxStopBytes));
        fields.stop.push_back(text);
    };
    if (!stop->is_array()) {
        if (!stop->is_string()) return reader.fail_type("stop", "a string or an array of strings", *stop);
        return add(*stop, "stop");
    }
    if (stop->as_array().size() > kMaxStops)
        return reader.fail(
            invalid_request("stop", "stop has {} strings; {} are allowed.", stop->as_array().size(), kMaxStops));
    for (size_t i = 0; i < stop->as_array().size(); ++i) add(stop->as_array()[i], fmt::format("stop[{}]", i));
}

void read_stream_options(FieldReader& reader, GenerationFields& fields) {
    const json::Object* object = reader.object("stream_options");
    if (!object) return;
    if (!fields.stream)
        return reader.fail(invalid_request("stream_options", "stream_options needs stream to be true."));
    FieldReader options(*object);
    fields.include_usage = options.boolean("include_usage").value_or(false);
    fields.continuous_usage_stats = options.boolean("continuous_usage_stats").value_or(false);
    if (options.error()) {
        ApiError error = *options.error();
        error.param = "stream_options." + error.param.value_or("");
        return reader.fail(std::move(error));
    }
    if (fields.continuous_usage_stats && !fields.include_usage)
        reader.fail(invalid_request("stream_options.continuous_usage_stats",
                                    "continuous_usage_stats needs include_usage to be true."));
}

}  // namespace

ApiError not_supported(std::string_view field, std::string_view hint) {
    return invalid_request(std::string(field), "{} is not supported by this version{}{}.", field,
                           hint.empty() ? "" : ": ", hint);
}

GenerationFields read_generation_fields(FieldReader& reader, int64_t least_max_tokens) {
    GenerationFields fields;
    fields.model = reader.text("model").value_or("");
    const auto max_tokens = reader.integer("max_tokens", least_max_tokens);
    const auto max_completion_tokens = reader.integer("max_completion_tokens", least_max_tokens);
    fields.max_tokens = max_completion_tokens ? max_completion_tokens : max_tokens;
    read_stop(reader, fields);
    fields.sampling = read_sampling_fields(reader);
    fields.include_stop_str_in_output = reader.boolean("include_stop_str_in_output").value_or(false);
    fields.skip_special_tokens = reader.boolean("skip_special_tokens").value_or(true);
    fields.stream = reader.boolean("stream").value_or(false);
    read_stream_options(reader, fields);
    fields.return_token_ids = reader.boolean("return_token_ids").value_or(false);
    fields.priority = reader.integer("priority").value_or(0);
    fields.request_id = reader.text("request_id").value_or("");
    if (!fields.request_id.empty() && !http::is_header_token(fields.request_id, kMaxRequestIdLength))
        reader.fail(
            invalid_request("request_id", "request_id must be 1 to {} visible ASCII characters.", kMaxRequestIdLength));
    return fields;
}

void refuse_unsupported(FieldReader& reader) {
    for (const UnsupportedField& field : kUnsupported) check(reader, field);
    if (const json::Object* format = reader.object("response_format")) {
        const json::Value* type = format->find("type");
        if (!type || !type->is_string())
            reader.fail(invalid_request("response_format.type", "response_format.type must be a string."));
        else if (type->as_string() != "text")
            reader.fail(not_supported("response_format", "only the type text is"));
    }
    // These change the answer only together with fields that are refused above.
    reader.boolean("spaces_between_special_tokens");
    reader.boolean("return_tokens_as_token_ids");
    if (const auto salt = reader.text("cache_salt"); salt && salt->empty())
        reader.fail(invalid_request("cache_salt", "cache_salt must not be empty."));
}

bool is_silently_ignored(std::string_view field) {
    constexpr std::array<std::string_view, 11> kSilent = {"user",
                                                          "store",
                                                          "metadata",
                                                          "service_tier",
                                                          "safety_identifier",
                                                          "prompt_cache_key",
                                                          "prompt_cache_retention",
                                                          "verbosity",
                                                          "web_search_options",
                                                          "modalities",
                                                          "stream_interval"};
    return std::find(kSilent.begin(), kSilent.end(), field) != kSilent.end();
}

}  // namespace glm5::api
