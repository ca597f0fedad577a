// The fields that chat and completion requests share: limits, stop conditions, streaming, and what is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/field_reader.h"

namespace glm5::api {

struct GenerationFields {
    std::string model;  // empty: the first served name
    std::optional<int64_t> max_tokens;
    std::vector<std::string> stop;
    std::vector<int32_t> stop_token_ids;
    bool ignore_eos = false;
    bool include_stop_str_in_output = false;
    bool skip_special_tokens = true;
    bool stream = false;
    bool include_usage = false;
    bool continuous_usage_stats = false;
    std::string request_id;  // empty: none in the body
};

GenerationFields read_generation_fields(FieldReader& reader);

// Checks the fields that this version knows and does not do: a value that asks for nothing passes, any other is an
// error that names the field. Fields without an influence on the answer are checked for their type.
void refuse_unsupported(FieldReader& reader);

// A field that the OpenAI API has and that never needs a warning when it is ignored.
bool is_silently_ignored(std::string_view field);

}  // namespace glm5::api
