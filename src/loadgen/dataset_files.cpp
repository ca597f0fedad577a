// Prompts from files: conversations in the format of ShareGPT, and JSON lines.
#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "json/parse.h"
#include "loadgen/dataset.h"

namespace glm5::loadgen {
namespace {

constexpr uintmax_t kMaxFileBytes = uintmax_t{4} << 30;
constexpr size_t kMaxValues = 100'000'000;
// Of the conversations of ShareGPT, those within these bounds are taken.
constexpr int64_t kLeastTokens = 4, kMostPromptTokens = 1024, kMostTokens = 2048;
constexpr int64_t kDefaultCustomOutput = 256;

Result<std::string> read_dataset(const std::string& path) {
    if (path.empty()) return invalid_argument("this dataset is a file: --dataset-path is needed");
    std::error_code error;
    const uintmax_t size = std::filesystem::file_size(path, error);
    if (error) return not_found("--dataset-path {}: {}", path, error.message());
    if (size > kMaxFileBytes) return invalid_argument("--dataset-path {}: {} bytes are too many", path, size);
    std::ifstream file(path, std::ios::binary);
    std::string content(size, '\0');
    if (!file.read(content.data(), static_cast<std::streamsize>(size)))
        return io_error("--dataset-path {}: cannot be read", path);
    return content;
}

int64_t count_tokens(const text::Tokenizer& tokenizer, std::string_view text) {
    return static_cast<int64_t>(tokenizer.encode(text).size());
}

// Repeats samples at random until there are as many as were asked for.
Result<std::vector<Sample>> oversampled(std::vector<Sample> samples, const BenchmarkOptions& options) {
    if (samples.empty())
        return invalid_argument("--dataset-path {}: there is no prompt in it that can be used", options.dataset.path);
    const auto present = static_cast<int>(samples.size());
    if (present >= options.num_prompts) return samples;
    log_info("{} prompts are repeated to make {}", present, options.num_prompts);
    PythonRandom random(options.seed);
    // Each draw is among the prompts of the file; the copies come behind them.
    std::vector<Sample> copies;
    for (int i = present; i < options.num_prompts; ++i)
        copies.push_back(samples[random.below(static_cast<uint32_t>(present))]);
    samples.insert(samples.end(), copies.begin(), copies.end());
    return samples;
}

// The text of turn `index`; nullptr when the entry has none.
const std::string* turn_text(const json::Value& entry, size_t index) {
    const json::Value* turns = entry.find("conversations");
    if (!turns || !turns->is_array() || turns->as_array().size() < 2) return nullptr;
    const json::Value* text = turns->as_array()[index].find("value");
    return text && text->is_string() ? &text->as_string() : nullptr;
}

}  // namespace

Result<std::vector<Sample>> sharegpt_dataset(const BenchmarkOptions& options, const text::Tokenizer& tokenizer) {
    const DatasetOptions& dataset = options.dataset;
    GLM5_ASSIGN_OR_RETURN(const std::string content, read_dataset(dataset.path));
    const auto parsed = json::parse(content, {.max_values = kMaxValues});
    if (!parsed.ok()) return parsed.status().with_context(dataset.path);
    if (!parsed->is_array())
        return invalid_argument("{}: expected an array of conversations, found {}", dataset.path, parsed->type_name());
    std::vector<const json::Value*> entries;
    for (const json::Value& entry : parsed->as_array())
        if (turn_text(entry, 0) && turn_text(entry, 1)) entries.push_back(&entry);
    if (!dataset.disable_shuffle) PythonRandom(options.seed).shuffle(entries);

    std::vector<Sample> samples;
    for (const json::Value* entry : entries) {
        if (static_cast<int>(samples.size()) >= options.num_prompts) break;
        const std::string& prompt = *turn_text(*entry, 0);
        const int64_t prompt_tokens = count_tokens(tokenizer, prompt);
        const int64_t output_tokens =
            dataset.fixed_output_len ? *dataset.fixed_output_len : count_tokens(tokenizer, *turn_text(*entry, 1));
        if (prompt_tokens < kLeastTokens || prompt_tokens > kMostPromptTokens ||
            (output_tokens < kLeastTokens && !dataset.fixed_output_len) || prompt_tokens + output_tokens > kMostTokens)
            continue;
        samples.push_back({prompt, prompt_tokens, output_tokens});
    }
    return oversampled(std::move(samples), options);
}

// Lines {"prompt": "…", "output_tokens": N}; the number is optional.
Result<std::vector<Sample>> custom_dataset(const BenchmarkOptions& options, const text::Tokenizer* tokenizer) {
    const DatasetOptions& dataset = options.dataset;
    GLM5_ASSIGN_OR_RETURN(const std::string content, read_dataset(dataset.path));
    std::vector<Sample> samples;
    int line_number = 0;
    for (size_t at = 0; at < content.size();) {
        const size_t end = std::min(content.find('\n', at), content.size());
        const std::string_view line = std::string_view(content).substr(at, end - at);
        at = end + 1;
        ++line_number;
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        const auto parsed = json::parse(line);
        if (!parsed.ok()) return parsed.status().with_context(fmt::format("{}:{}", dataset.path, line_number));
        const json::Value* prompt = parsed->find("prompt");
        if (!prompt || !prompt->is_string())
            return invalid_argument("{}:{}: expected an object with a string \"prompt\"", dataset.path, line_number);
        Sample sample{.prompt = prompt->as_string(), .output_tokens = kDefaultCustomOutput};
        const json::Value* output = parsed->find("output_tokens");
        if (output && !output->to_int64())
            return invalid_argument("{}:{}: output_tokens must be an integer", dataset.path, line_number);
        if (output) sample.output_tokens = *output->to_int64();
        if (dataset.fixed_output_len) sample.output_tokens = *dataset.fixed_output_len;
        if (sample.output_tokens < 1)
            return invalid_argument("{}:{}: output_tokens must be at least 1", dataset.path, line_number);
        samples.push_back(std::move(sample));
    }
    if (!dataset.disable_shuffle) PythonRandom(options.seed).shuffle(samples);
    if (samples.size() > static_cast<size_t>(options.num_prompts))
        samples.resize(static_cast<size_t>(options.num_prompts));
    if (tokenizer)
        for (Sample& sample : samples) sample.prompt_tokens = count_tokens(*tokenizer, sample.prompt);
    return oversampled(std::move(samples), options);
}

}  // namespace glm5::loadgen
