// glm5-nano against expected values of eight prompts of 11 to 5,987 tokens: in float32 to rounding, and in the Numerics
// of CUDA runs by the tokens that greedy choice gives. Each test prefills once and decodes all prompts in one batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "json/parse.h"
#include "model/harness.h"

namespace glm5::model {
namespace {

constexpr int kVocabTokens = 4132;  // the head's rows beyond are padding, never chosen

struct Prompt {
    std::string name;
    std::vector<int32_t> ids;
    std::vector<int32_t> greedy_ids;
    double sum_logprob = 0;  // of ids 1 …
};

std::vector<int32_t> to_ids(const json::Value& value) {
    std::vector<int32_t> ids;
    for (const json::Value& id : value.as_array()) ids.push_back(static_cast<int32_t>(*id.to_int64()));
    return ids;
}

std::vector<Prompt> read_prompts() {
    std::ifstream file(source_path("tests/fixtures/nano/nano-fp8.json"));
    std::stringstream text;
    text << file.rdbuf();
    const auto document = json::parse(text.str());
    std::vector<Prompt> prompts;
    for (const json::Value& row : document.value().as_array())
        prompts.push_back({row.find("name")->as_string(), to_ids(*row.find("prompt_ids")),
                           to_ids(*row.find("greedy_ids")), *row.find("sum_logprob_of_prompt")->to_double()});
    return prompts;
}

int32_t greedy(std::span<const float> logits) {
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.begin() + kVocabTokens) - logits.begin());
}

double log_probability(std::span<const float> logits, int32_t id) {
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (float logit : logits) sum += std::exp(logit - largest);
    return logits[id] - largest - std::log(sum);
}

// What a run computes of the prompts.
struct Outcome {
    std::map<std::string, std::vector<float>> last_logits;
    std::map<std::string, double> sum_logprob;
    std::map<std::string, std::vector<int32_t>> greedy_ids;  // as many as expected
};

// Prefills each prompt in chunks of 2,048, then decodes all of them together.
Outcome run_prompts(const std::vector<Prompt>& prompts, const ops::Numerics& numerics, bool with_logprobs) {
    ModelRun run("models/glm5-nano", {.numerics = numerics, .num_pages = 224});
    const size_t vocab_size = run.config().vocab_size;
    Outcome outcome;
    std::vector<TestSequence> sequences(prompts.size());
    for (size_t p = 0; p < prompts.size(); ++p) {
        const Prompt& prompt = prompts[p];
        std::vector<float>& last = outcome.last_logits[prompt.name];
        double& sum = outcome.sum_logprob[prompt.name];
        for (size_t begin = 0; begin < prompt.ids.size(); begin += 2048) {
            const auto chunk = std::span(prompt.ids).subspan(begin, std::min<size_t>(2048, prompt.ids.size() - begin));
            const std::vector<float> logits = run.step(std::vector<ModelRun::Part>{{&sequences[p], chunk}},
                                                       with_logprobs ? ModelRun::Rows::all : ModelRun::Rows::last);
            last.assign(logits.end() - static_cast<int64_t>(vocab_size), logits.end());
            for (size_t i = 0; with_logprobs && i < chunk.size() && begin + i + 1 < prompt.ids.size(); ++i)
                sum +=
                    log_probability(std::span(logits).subspan(i * vocab_size, vocab_size), prompt.ids[begin + i + 1]);
        }
        outcome.greedy_ids[prompt.name] = {greedy(last)};
    }

    while (true) {
        std::vector<ModelRun::Part> parts;
        std::vector<std::vector<int32_t>*> outputs;
        for (size_t p = 0; p < prompts.size(); ++p) {
            auto& ids = outcome.greedy_ids[prompts[p].name];
            if (ids.size() == prompts[p].greedy_ids.size()) continue;
            parts.push_back({&sequences[p], std::span(ids).last(1)});
            outputs.push_back(&ids);
        }
        if (parts.empty()) return outcome;
        const std::vector<float> logits = run.step(parts, ModelRun::Rows::last);
        for (size_t i = 0; i < parts.size(); ++i)
            outputs[i]->push_back(greedy(std::span(logits).subspan(i * vocab_size, vocab_size)));
    }
}

float logit_difference(const Prompt& prompt, const Outcome& outcome) {
    const std::vector<float> expected =
        read_golden_f32("tests/fixtures/nano/nano-fp8.safetensors", prompt.name + ".last_logits");
    return largest_difference(outcome.last_logits.at(prompt.name), expected);
}

TEST(NanoGolden, Float32) {
    const std::vector<Prompt> prompts = read_prompts();
    ASSERT_EQ(prompts.size(), 8u);
    const Outcome outcome = run_prompts(prompts, {}, true);
    for (const Prompt& prompt : prompts) {
        const float difference = logit_difference(prompt, outcome);
        const double relative = std::fabs(outcome.sum_logprob.at(prompt.name) / prompt.sum_logprob - 1);
        EXPECT_LE(difference, 5e-3f) << prompt.name;
        EXPECT_LE(relative, 1e-5) << prompt.name;
        EXPECT_EQ(outcome.greedy_ids.at(prompt.name), prompt.greedy_ids) << prompt.name;
        RecordProperty(prompt.name,
                       fmt::format("logits {:.1e}, log probability {:.1e} relative", difference, relative));
    }
}

// The same tokens, and last logits within a bound that a wrong scale or a rounding too many exceeds.
void expect_greedy_tokens(const ops::Numerics& numerics, float logit_bound) {
    const std::vector<Prompt> prompts = read_prompts();
    const Outcome outcome = run_prompts(prompts, numerics, false);
    for (const Prompt& prompt : prompts) {
        const float difference = logit_difference(prompt, outcome);
        EXPECT_EQ(outcome.greedy_ids.at(prompt.name), prompt.greedy_ids) << prompt.name;
        EXPECT_LE(difference, logit_bound) << prompt.name;
        testing::Test::RecordProperty(prompt.name, fmt::format("logits {:.2f}", difference));
    }
}

TEST(NanoGolden, Bf16ChoosesTheSameTokens) {
    expect_greedy_tokens({.activation = ops::ActivationFormat::bf16, .latent = LatentFormat::bf16}, 0.5f);
}

TEST(NanoGolden, Fp8WithBf16LatentsChoosesTheSameTokens) {
    expect_greedy_tokens(fp8_numerics(LatentFormat::bf16), 4.0f);
}

TEST(NanoGolden, Fp8WithFp8LatentsChoosesTheSameTokens) {
    expect_greedy_tokens(fp8_numerics(LatentFormat::fp8_ds_mla), 4.0f);
}

}  // namespace
}  // namespace glm5::model
