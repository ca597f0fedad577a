// The fields that chat and completion requests share: limits, sampling, stop strings, streaming, and what is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/sampling_fields.h"

namespace glm5::api {

struct GenerationFields {
    std::string model;  // empty: the first served name
    std::optional<int64_t> max_tokens;
    SamplingFields sampling;
    std::vector<std::string> stop;
    bool include_stop_str_in_output = false;
    bool skip_special_tokens = true;
    bool stream = false;
    bool include_usage = false;
    bool continuous_usage_stats = false;
    bool return_token_ids = false;
    int64_t priority = 0;
    std::string request_id;  // empty: none in the body
};

// `least_max_tokens` is 0 where a request may ask for its prompt alone.
GenerationFields read_generation_fields(FieldReader& reader, int64_t least_max_tokens);

// Checks the fields that this version knows and does not do: a value that asks for nothing passes, any other is an
// error that names the field. Fields without an influence on the answer are checked for their type.
void refuse_unsupported(FieldReader& reader);

// The error of a field that this version knows and does not do.
ApiError not_supported(std::string_view field, std::string_view hint = "");

// A field that the OpenAI API has and that never needs a warning when it is ignored.
bool is_silently_ignored(std::string_view field);

}  // namespace glm5::api
