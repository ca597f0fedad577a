// Random and prefix-repetition prompts: token ids are chosen, decoded, and encoded again until their number is right.
#include "loadgen/dataset.h"

#include <cmath>
#include <functional>
#include <numeric>

#include "base/log.h"

namespace glm5::loadgen {
namespace {

constexpr int kMostTries = 10;

struct ExactPrompt {
    std::string text;
    std::vector<int32_t> tokens;
    int64_t mismatch = 0;  // tokens too many
};

// Text that encodes to `length` tokens, made from `tokens`: too many are cut, too few filled up with draws.
ExactPrompt fit_to_length(const text::Tokenizer& tokenizer, std::vector<int32_t> tokens, size_t length,
                          const std::function<int64_t()>& draw) {
    ExactPrompt prompt;
    for (int tries_left = kMostTries;; --tries_left) {
        prompt.text = tokenizer.decode(tokens, false);
        tokens = tokenizer.encode(prompt.text);
        if (tokens.size() == length || tries_left == 0) break;
        if (tokens.size() > length) tokens.resize(length);
        while (tokens.size() < length) tokens.push_back(static_cast<int32_t>(draw()));
    }
    prompt.mismatch = static_cast<int64_t>(tokens.size()) - static_cast<int64_t>(length);
    prompt.tokens = std::move(tokens);
    return prompt;
}

void warn_of_mismatch(int64_t mismatch) {
    if (mismatch != 0)
        log_warning("the prompts together have {} {} tokens than asked for: not every text is read back as it was made",
                    std::abs(mismatch), mismatch > 0 ? "more" : "fewer");
}

}  // namespace

RandomLengths draw_random_lengths(const BenchmarkOptions& options, int64_t vocabulary_size, NumpyGenerator& generator) {
    const DatasetOptions& dataset = options.dataset;
    const auto draw = [&](int64_t low, int64_t high) {  // both included
        std::vector<int64_t> values(static_cast<size_t>(options.num_prompts));
        for (int64_t& value : values) value = generator.integers(low, high + 1);
        return values;
    };
    const auto lowest = [](int64_t length, double ratio) {
        return static_cast<int64_t>(std::floor(static_cast<double>(length) * (1 - ratio)));
    };
    const auto highest = [](int64_t length, double ratio) {
        return static_cast<int64_t>(std::ceil(static_cast<double>(length) * (1 + ratio)));
    };
    RandomLengths lengths;
    lengths.input_lens = draw(lowest(dataset.input_len, dataset.input_range_ratio),
                              highest(dataset.input_len, dataset.input_range_ratio));
    lengths.output_lens = draw(std::max<int64_t>(1, lowest(dataset.output_len, dataset.output_range_ratio)),
                               std::max<int64_t>(1, highest(dataset.output_len, dataset.output_range_ratio)));
    lengths.offsets = draw(0, vocabulary_size - 1);
    return lengths;
}

Result<std::vector<Sample>> random_dataset(const BenchmarkOptions& options, const text::Tokenizer& tokenizer) {
    const DatasetOptions& dataset = options.dataset;
    const int64_t vocabulary_size = tokenizer.vocabulary_size();
    NumpyGenerator generator(options.seed);
    const RandomLengths lengths = draw_random_lengths(options, vocabulary_size, generator);

    std::vector<int32_t> allowed;
    for (int32_t id = 0; id < vocabulary_size; ++id)
        if (!tokenizer.is_special(id)) allowed.push_back(id);
    if (allowed.empty()) return invalid_argument("the tokenizer has special tokens only; random prompts need others");
    std::vector<int32_t> prefix(static_cast<size_t>(dataset.prefix_len));
    for (int32_t& token : prefix)
        token = allowed[static_cast<size_t>(generator.integers(0, static_cast<int64_t>(allowed.size())))];

    std::vector<Sample> samples;
    int64_t mismatch = 0;
    for (size_t i = 0; i < lengths.offsets.size(); ++i) {
        std::vector<int32_t> tokens = prefix;
        const size_t begin = static_cast<size_t>(lengths.offsets[i]) + i;
        for (size_t j = 0; j < static_cast<size_t>(lengths.input_lens[i]); ++j)
            tokens.push_back(allowed[(begin + j) % allowed.size()]);
        const size_t length = tokens.size();
        if (length == 0)
            return invalid_argument(
                "a random prompt of 0 tokens: a larger --random-input-len or --random-prefix-len, or a "
                "smaller --random-range-ratio is needed");
        ExactPrompt prompt =
            fit_to_length(tokenizer, std::move(tokens), length, [&] { return generator.integers(0, vocabulary_size); });
        mismatch += prompt.mismatch;
        samples.push_back({std::move(prompt.text), static_cast<int64_t>(prompt.tokens.size()), lengths.output_lens[i]});
    }
    warn_of_mismatch(mismatch);
    return samples;
}

Result<std::vector<Sample>> prefix_repetition_dataset(const BenchmarkOptions& options, const text::Tokenizer& tokenizer,
                                                      NumpyLegacyRandom& random) {
    const DatasetOptions& dataset = options.dataset;
    const int64_t per_prefix = options.num_prompts / dataset.num_prefixes;
    if (per_prefix == 0)
        return invalid_argument("--num-prompts {}: must be at least the number of prefixes, {}", options.num_prompts,
                                dataset.num_prefixes);
    int64_t mismatch = 0;
    const auto draw = [&] { return random.integer(tokenizer.vocabulary_size()); };
    const auto random_tokens = [&](int64_t length) {
        std::vector<int32_t> tokens(static_cast<size_t>(length));
        for (int32_t& token : tokens) token = static_cast<int32_t>(draw());
        ExactPrompt prompt = fit_to_length(tokenizer, std::move(tokens), static_cast<size_t>(length), draw);
        mismatch += prompt.mismatch;
        return std::move(prompt.tokens);
    };
    std::vector<Sample> samples;
    for (int64_t i = 0; i < dataset.num_prefixes; ++i) {
        const std::vector<int32_t> prefix = random_tokens(dataset.repeated_prefix_len);
        for (int64_t j = 0; j < per_prefix; ++j) {
            std::vector<int32_t> tokens = prefix;
            const std::vector<int32_t> suffix = random_tokens(dataset.suffix_len);
            tokens.insert(tokens.end(), suffix.begin(), suffix.end());
            samples.push_back(
                {tokenizer.decode(tokens, false), static_cast<int64_t>(tokens.size()), dataset.repeated_output_len});
        }
    }
    warn_of_mismatch(mismatch);
    if (!dataset.disable_shuffle) PythonRandom(options.seed).shuffle(samples);
    return samples;
}

Result<std::vector<Sample>> make_dataset(const BenchmarkOptions& options, const text::Tokenizer* tokenizer,
                                         NumpyLegacyRandom& random) {
    if (options.dataset.kind == DatasetKind::custom) return custom_dataset(options, tokenizer);
    if (!tokenizer) return invalid_argument("this dataset needs a tokenizer; see --tokenizer");
    switch (options.dataset.kind) {
        case DatasetKind::sharegpt: return sharegpt_dataset(options, *tokenizer);
        case DatasetKind::prefix_repetition: return prefix_repetition_dataset(options, *tokenizer, random);
        default: return random_dataset(options, *tokenizer);
    }
}

}  // namespace glm5::loadgen
