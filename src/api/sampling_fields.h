// The fields that say how tokens are chosen, of every request that generates; and their meaning for one model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/field_reader.h"
#include "glm5/types.h"

namespace glm5::api {

struct SamplingFields {
    std::optional<float> temperature, top_p;  // none: the server's default
    std::optional<int64_t> seed;              // none: another one for each request
    int64_t num_choices = 1;
    int64_t min_tokens = 0;
    Sampling others;  // all that is not above; max_tokens is not set
};

SamplingFields read_sampling_fields(FieldReader& reader);

// The fields with the defaults filled in. `max_tokens` is the limit that has been worked out. Errors: token ids out of
// the vocabulary, min_tokens above max_tokens, and several choices where all would be alike.
std::variant<Sampling, ApiError> resolve_sampling(const SamplingFields& fields, const SamplingDefaults& defaults,
                                                  int num_vocab_tokens, int max_tokens);

// A list of ids from 0 to the largest int32. Errors name `path` and the place in it.
std::vector<int32_t> read_token_ids(FieldReader& reader, const json::Array& ids, const std::string& path);
// The first id that is not below `num_vocab_tokens`.
std::optional<ApiError> check_vocabulary(const std::vector<int32_t>& ids, const std::string& path,
                                         int num_vocab_tokens);

}  // namespace glm5::api
