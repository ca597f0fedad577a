// The sampling fields: what is read, what is refused with which words, and the defaults.
#include <gtest/gtest.h>

#include <cmath>

#include "api/sampling_fields.h"
#include "json/parse.h"

namespace glm5::api {
namespace {

constexpr int kNumVocabTokens = 1000, kMaxTokens = 50;

std::variant<SamplingFields, ApiError> read(const std::string& fields) {
    const auto body = json::parse("{" + fields + "}");
    EXPECT_TRUE(body.ok()) << fields;
    FieldReader reader(body->as_object());
    SamplingFields read = read_sampling_fields(reader);
    if (reader.error()) return *reader.error();
    EXPECT_TRUE(reader.unknown().empty()) << fields;
    return read;
}

std::variant<Sampling, ApiError> resolve(const std::string& fields, const SamplingDefaults& defaults = {}) {
    auto read_fields = read(fields);
    if (auto* error = std::get_if<ApiError>(&read_fields)) return *error;
    return resolve_sampling(std::get<SamplingFields>(read_fields), defaults, kNumVocabTokens, kMaxTokens);
}

Sampling sampling(const std::string& fields, const SamplingDefaults& defaults = {}) {
    auto resolved = resolve(fields, defaults);
    if (const auto* error = std::get_if<ApiError>(&resolved)) {
        ADD_FAILURE() << fields << ": " << error->message;
        return {};
    }
    return std::get<Sampling>(resolved);
}

TEST(Sampling, ReadsEveryField) {
    const Sampling read = sampling(
        R"("temperature": 0.5, "top_p": 0.25, "top_k": 40.0, "min_p": 0.125, "repetition_penalty": 1.5,
        "presence_penalty": -2, "frequency_penalty": 2, "logit_bias": {"5": -100, "999": 1.5}, "seed": 7,
        "min_tokens": 50, "ignore_eos": true, "stop_token_ids": [3, 999])");
    EXPECT_EQ(read.temperature, 0.5F);
    EXPECT_EQ(read.top_p, 0.25F);
    EXPECT_EQ(read.top_k, 40);
    EXPECT_EQ(read.min_p, 0.125F);
    EXPECT_EQ(read.repetition_penalty, 1.5F);
    EXPECT_EQ(read.presence_penalty, -2);
    EXPECT_EQ(read.frequency_penalty, 2);
    using Biases = std::vector<std::pair<int32_t, float>>;
    EXPECT_EQ(read.logit_bias, (Biases{{5, -100.F}, {999, 1.5F}}));
    EXPECT_EQ(read.seed, 7u);
    EXPECT_EQ(read.min_tokens, 50);
    EXPECT_EQ(read.max_tokens, kMaxTokens);
    EXPECT_TRUE(read.ignore_eos);
    EXPECT_EQ(read.stop_token_ids, (std::vector<int32_t>{3, 999}));
}

TEST(Sampling, FieldsThatAreAbsentTakeTheDefaults) {
    const Sampling plain = sampling("");
    EXPECT_EQ(plain.temperature, 1);
    EXPECT_EQ(plain.top_p, 1);
    const Sampling models = sampling(R"("temperature": null)", {.temperature = 0.75F, .top_p = 0.5F});
    EXPECT_EQ(models.temperature, 0.75F);
    EXPECT_EQ(models.top_p, 0.5F);
    EXPECT_EQ(sampling(R"("temperature": 0, "top_p": 1)", {.temperature = 0.75F, .top_p = 0.5F}).temperature, 0);
    const Sampling neutral;
    for (const Sampling& read : {plain, models}) {
        EXPECT_EQ(read.top_k, neutral.top_k);
        EXPECT_EQ(read.min_p, neutral.min_p);
        EXPECT_EQ(read.repetition_penalty, neutral.repetition_penalty);
        EXPECT_EQ(read.presence_penalty, neutral.presence_penalty);
        EXPECT_EQ(read.frequency_penalty, neutral.frequency_penalty);
        EXPECT_EQ(read.min_tokens, neutral.min_tokens);
    }
}

TEST(Sampling, SeedsAreRandomUnlessGiven) {
    EXPECT_NE(sampling("").seed, sampling("").seed);
    EXPECT_NE(sampling(R"("seed": -1)").seed, sampling(R"("seed": -1)").seed);
    EXPECT_EQ(sampling(R"("seed": 0)").seed, 0u);
    EXPECT_EQ(sampling(R"("seed": -2)").seed, 0xFFFFFFFFFFFFFFFEu);
    EXPECT_EQ(sampling(R"("seed": 9223372036854775807)").seed, 0x7FFFFFFFFFFFFFFFu);
}

TEST(Sampling, SmallAndLargeValuesStayInTheRangeOfTheSampler) {
    EXPECT_EQ(sampling(R"("temperature": 0.001)").temperature, 0.01F);
    EXPECT_EQ(sampling(R"("temperature": 1e-300)").temperature, 0.01F);
    EXPECT_EQ(sampling(R"("temperature": 0.01)").temperature, 0.01F);
    EXPECT_TRUE(std::isfinite(sampling(R"("temperature": 1e300)").temperature));
    EXPECT_GT(sampling(R"("top_p": 1e-300)").top_p, 0);
    EXPECT_GT(sampling(R"("repetition_penalty": 1e-300)").repetition_penalty, 0);
    EXPECT_TRUE(std::isfinite(sampling(R"("repetition_penalty": 1e300)").repetition_penalty));
    EXPECT_EQ(sampling(R"("top_k": -1)").top_k, 0);
    EXPECT_EQ(sampling(R"("top_k": 0)").top_k, 0);
    EXPECT_EQ(sampling(R"("top_k": 99999999999)").top_k, std::numeric_limits<int>::max());
}

TEST(Sampling, Choices) {
    EXPECT_EQ(std::get<SamplingFields>(read(R"("n": 128, "best_of": 128)")).num_choices, 128);
    EXPECT_EQ(std::get<SamplingFields>(read("")).num_choices, 1);
    sampling(R"("n": 1, "temperature": 0)");
    sampling(R"("n": 2, "temperature": 0.001)");
}

TEST(Sampling, Refusals) {
    const struct {
        const char* fields;
        const char* param;
        const char* message;
    } refusals[] = {
        {R"("temperature": -0.1)", "temperature", "temperature must be at least 0, not -0.1."},
        {R"("temperature": "hot")", "temperature", "temperature must be a number, not string."},
        {R"("temperature": true)", "temperature", "temperature must be a number, not boolean."},
        {R"("temperature": 1e999)", "temperature", "temperature must be a finite number, not 1e999."},
        {R"("top_p": 0)", "top_p", "top_p must be above 0 and at most 1, not 0."},
        {R"("top_p": 1.01)", "top_p", "top_p must be above 0 and at most 1, not 1.01."},
        {R"("top_p": [])", "top_p", "top_p must be a number, not array."},
        {R"("top_k": -2)", "top_k", "top_k must be at least -1, not -2."},
        {R"("top_k": 1.5)", "top_k", "top_k must be an integer, not 1.5."},
        {R"("min_p": -0.1)", "min_p", "min_p must be 0 to 1, not -0.1."},
        {R"("min_p": 2)", "min_p", "min_p must be 0 to 1, not 2."},
        {R"("repetition_penalty": 0)", "repetition_penalty", "repetition_penalty must be above 0, not 0."},
        {R"("presence_penalty": 2.1)", "presence_penalty", "presence_penalty must be -2 to 2, not 2.1."},
        {R"("frequency_penalty": -3)", "frequency_penalty", "frequency_penalty must be -2 to 2, not -3."},
        {R"("seed": 1.5)", "seed", "seed must be an integer, not 1.5."},
        {R"("seed": 9223372036854775808)", "seed", "seed must be an integer, not 9223372036854775808."},
        {R"("seed": "x")", "seed", "seed must be an integer, not string."},
        {R"("n": 0)", "n", "n must be 1 to 128, not 0."},
        {R"("n": 129)", "n", "n must be 1 to 128, not 129."},
        {R"("n": 2, "best_of": 3)", "best_of", "best_of must equal n, which is 2: choices are not ranked."},
        {R"("n": 2, "temperature": 0)", "n", "n must be 1 when temperature is 0, not 2: all choices would be alike."},
        {R"("min_tokens": -1)", "min_tokens", "min_tokens must be at least 0, not -1."},
        {R"("min_tokens": 51)", "min_tokens", "min_tokens must be at most max_tokens, which is 50, not 51."},
        {R"("ignore_eos": 1)", "ignore_eos", "ignore_eos must be a boolean, not integer."},
        {R"("logit_bias": [])", "logit_bias", "logit_bias must be an object, not array."},
        {R"("logit_bias": {"a": 1})", "logit_bias", "The keys of logit_bias must be token ids, not 'a'."},
        {R"("logit_bias": {"05": 1})", "logit_bias", "The keys of logit_bias must be token ids, not '05'."},
        {R"("logit_bias": {"": 1})", "logit_bias", "The keys of logit_bias must be token ids, not ''."},
        {R"("logit_bias": {"-1": 1})", "logit_bias.-1", "Token id -1 is out of vocabulary."},
        {R"("logit_bias": {"1000": 1})", "logit_bias.1000", "Token id 1000 is out of vocabulary."},
        {R"("logit_bias": {"5": 100.5})", "logit_bias.5", "logit_bias.5 must be -100 to 100, not 100.5."},
        {R"("logit_bias": {"5": "x"})", "logit_bias.5", "logit_bias.5 must be a number, not string."},
        {R"("stop_token_ids": 5)", "stop_token_ids", "stop_token_ids must be an array, not integer."},
        {R"("stop_token_ids": [1, -1])", "stop_token_ids[1]", "Token id -1 is out of vocabulary."},
        {R"("stop_token_ids": [1, 1000])", "stop_token_ids[1]", "Token id 1000 is out of vocabulary."},
        {R"("stop_token_ids": ["a"])", "stop_token_ids[0]", "stop_token_ids[0] must be an integer, not string."},
    };
    for (const auto& refusal : refusals) {
        const auto resolved = resolve(refusal.fields);
        const auto* error = std::get_if<ApiError>(&resolved);
        ASSERT_NE(error, nullptr) << refusal.fields;
        EXPECT_EQ(error->status, 400) << refusal.fields;
        EXPECT_EQ(error->param.value_or("none"), refusal.param) << refusal.fields;
        EXPECT_EQ(error->message, refusal.message) << refusal.fields;
    }
}

}  // namespace
}  // namespace glm5::api
