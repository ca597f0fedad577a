// Ranges of the sampling fields, and their defaults.
#include "api/sampling_fields.h"

#include <algorithm>
#include <limits>
#include <random>

#include "base/log.h"
#include "json/number.h"

namespace glm5::api {
namespace {

constexpr int64_t kMaxChoices = 128;
constexpr size_t kMaxStopTokenIds = 1024;
constexpr double kMaxLogitBias = 100;
constexpr float kLeastTemperature = 0.01F;  // below, logits divided by it leave the range in which they differ
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Positive values stay positive and finite.
float to_float(double value) {
    if (value == 0) return 0;
    const double size = std::clamp<double>(value < 0 ? -value : value, std::numeric_limits<float>::min(),
                                           std::numeric_limits<float>::max());
    return static_cast<float>(value < 0 ? -size : size);
}

std::optional<float> read_float(FieldReader& reader, std::string_view name, double minimum, double maximum,
                                Bound bound = Bound::inclusive) {
    const auto value = reader.number(name, minimum, maximum, bound);
    return value ? std::optional(to_float(*value)) : std::nullopt;
}

void read_logit_bias(FieldReader& reader, Sampling& sampling) {
    const json::Object* biases = reader.object("logit_bias");
    if (!biases) return;
    sampling.logit_bias.reserve(biases->size());
    for (const auto& [key, value] : *biases) {
        const auto id = json::parse_int64(key);
        if (!id || std::to_string(*id) != key)  // one text for each id, so that none comes twice
            return reader.fail(invalid_request("logit_bias", "The keys of logit_bias must be token ids, not '{}'.",
                                               key.substr(0, 64)));
        const std::string path = "logit_bias." + key;
        if (*id < 0 || *id > std::numeric_limits<int32_t>::max())
            return reader.fail(invalid_request(path, "Token id {} is out of vocabulary.", *id));
        const auto bias = value.to_double();
        if (!bias) return reader.fail_type(path, "a number", value);
        if (*bias < -kMaxLogitBias || *bias > kMaxLogitBias)
            return reader.fail(invalid_request(path, "{} must be {} to {}, not {}.", path, -kMaxLogitBias,
                                               kMaxLogitBias, value.as_number().text.substr(0, 32)));
        sampling.logit_bias.emplace_back(static_cast<int32_t>(*id), to_float(*bias));
    }
}

void read_stop_token_ids(FieldReader& reader, Sampling& sampling) {
    const json::Array* ids = reader.array("stop_token_ids");
    if (!ids) return;
    if (ids->size() > kMaxStopTokenIds)
        return reader.fail(invalid_request("stop_token_ids", "stop_token_ids has {} ids; {} are allowed.", ids->size(),
                                           kMaxStopTokenIds));
    sampling.stop_token_ids = read_token_ids(reader, *ids, "stop_token_ids");
}

void read_num_choices(FieldReader& reader, SamplingFields& fields) {
    fields.num_choices = reader.integer("n", 1, kMaxChoices).value_or(1);
    const auto best_of = reader.integer("best_of", 1, kMaxChoices);
    if (best_of && *best_of != fields.num_choices)
        reader.fail(invalid_request("best_of", "best_of must equal n, which is {}: choices are not ranked.",
                                    fields.num_choices));
}

uint64_t random_seed() {
    static thread_local std::random_device device;
    return static_cast<uint64_t>(device()) << 32 | device();
}

}  // namespace

SamplingFields read_sampling_fields(FieldReader& reader) {
    SamplingFields fields;
    read_num_choices(reader, fields);
    fields.temperature = read_float(reader, "temperature", 0, kInfinity);
    fields.top_p = read_float(reader, "top_p", 0, 1, Bound::above_minimum);
    const auto seed = reader.integer("seed");
    if (seed && *seed != -1) fields.seed = seed;
    Sampling& others = fields.others;
    const int64_t top_k = reader.integer("top_k", -1).value_or(0);
    others.top_k = static_cast<int>(std::clamp<int64_t>(top_k, 0, std::numeric_limits<int>::max()));
    others.min_p = read_float(reader, "min_p", 0, 1).value_or(0);
    others.repetition_penalty =
        read_float(reader, "repetition_penalty", 0, kInfinity, Bound::above_minimum).value_or(1);
    others.presence_penalty = read_float(reader, "presence_penalty", -2, 2).value_or(0);
    others.frequency_penalty = read_float(reader, "frequency_penalty", -2, 2).value_or(0);
    read_logit_bias(reader, others);
    fields.min_tokens = reader.integer("min_tokens", 0).value_or(0);
    others.ignore_eos = reader.boolean("ignore_eos").value_or(false);
    read_stop_token_ids(reader, others);
    return fields;
}

std::variant<Sampling, ApiError> resolve_sampling(const SamplingFields& fields, const SamplingDefaults& defaults,
                                                  int num_vocab_tokens, int max_tokens) {
    Sampling sampling = fields.others;
    if (auto error = check_vocabulary(sampling.stop_token_ids, "stop_token_ids", num_vocab_tokens))
        return std::move(*error);
    for (const auto& [id, bias] : sampling.logit_bias)
        if (id >= num_vocab_tokens)
            return invalid_request(fmt::format("logit_bias.{}", id), "Token id {} is out of vocabulary.", id);
    if (fields.min_tokens > max_tokens)
        return invalid_request("min_tokens", "min_tokens must be at most max_tokens, which is {}, not {}.", max_tokens,
                               fields.min_tokens);
    sampling.min_tokens = static_cast<int>(fields.min_tokens);
    sampling.max_tokens = max_tokens;
    sampling.temperature = fields.temperature.value_or(defaults.temperature);
    sampling.top_p = fields.top_p.value_or(defaults.top_p);
    if (sampling.temperature == 0 && fields.num_choices > 1)
        return invalid_request("n", "n must be 1 when temperature is 0, not {}: all choices would be alike.",
                               fields.num_choices);
    if (sampling.temperature > 0 && sampling.temperature < kLeastTemperature) {
        log_warning("temperature {} is raised to {}; 0 asks for greedy decoding", sampling.temperature,
                    kLeastTemperature);
        sampling.temperature = kLeastTemperature;
    }
    sampling.seed = fields.seed ? static_cast<uint64_t>(*fields.seed) : random_seed();
    return sampling;
}

std::vector<int32_t> read_token_ids(FieldReader& reader, const json::Array& ids, const std::string& path) {
    std::vector<int32_t> tokens;
    tokens.reserve(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
        const auto id = ids[i].to_int64();
        if (!id) {
            reader.fail_type(fmt::format("{}[{}]", path, i), "an integer", ids[i]);
            return {};
        }
        if (*id < 0 || *id > std::numeric_limits<int32_t>::max()) {
            reader.fail(invalid_request(fmt::format("{}[{}]", path, i), "Token id {} is out of vocabulary.", *id));
            return {};
        }
        tokens.push_back(static_cast<int32_t>(*id));
    }
    return tokens;
}

std::optional<ApiError> check_vocabulary(const std::vector<int32_t>& ids, const std::string& path,
                                         int num_vocab_tokens) {
    for (size_t i = 0; i < ids.size(); ++i)
        if (ids[i] >= num_vocab_tokens)
            return invalid_request(fmt::format("{}[{}]", path, i), "Token id {} is out of vocabulary.", ids[i]);
    return std::nullopt;
}

}  // namespace glm5::api
