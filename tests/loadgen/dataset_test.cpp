// Prompts against those that the Hugging Face tokenizers library and Python make, and files that are wrong.
#include "loadgen/dataset.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include "support.h"

namespace glm5::loadgen {
namespace {

using ::testing::HasSubstr;

BenchmarkOptions options_of(const json::Value& row, DatasetKind kind) {
    BenchmarkOptions options;
    options.seed = static_cast<uint32_t>(integer(row, "seed"));
    options.num_prompts = static_cast<int>(integer(row, "count"));
    options.dataset.kind = kind;
    return options;
}

void expect_samples(const BenchmarkOptions& options, const json::Value& row, NumpyLegacyRandom& random) {
    const auto samples = make_dataset(options, &nano_tokenizer(), random);
    ASSERT_TRUE(samples.ok()) << samples.status().message();
    const json::Array& expected = row.find("samples")->as_array();
    ASSERT_EQ(samples->size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
        const Sample& sample = (*samples)[i];
        EXPECT_EQ(sample.prompt, expected[i].as_array()[0].as_string()) << i;
        EXPECT_EQ(sample.prompt_tokens, *expected[i].as_array()[1].to_int64()) << i;
        EXPECT_EQ(sample.output_tokens, *expected[i].as_array()[2].to_int64()) << i;
    }
}

TEST(Datasets, Random) {
    EXPECT_EQ(nano_tokenizer().vocabulary_size(), 4096);  // 36 added tokens lie above
    const json::Value fixture = read_fixture("datasets.json");
    for (const json::Value& row : fixture.find("random")->as_array()) {
        BenchmarkOptions options = options_of(row, DatasetKind::random);
        options.dataset.input_len = integer(row, "input_len");
        options.dataset.output_len = integer(row, "output_len");
        options.dataset.input_range_ratio = number(row, "input_ratio");
        options.dataset.output_range_ratio = number(row, "output_ratio");
        options.dataset.prefix_len = integer(row, "prefix_len");
        NumpyLegacyRandom random(options.seed);
        expect_samples(options, row, random);
    }
}

TEST(Datasets, PrefixRepetition) {
    const json::Value fixture = read_fixture("datasets.json");
    for (const json::Value& row : fixture.find("prefix_repetition")->as_array()) {
        BenchmarkOptions options = options_of(row, DatasetKind::prefix_repetition);
        options.dataset.repeated_prefix_len = integer(row, "prefix_len");
        options.dataset.suffix_len = integer(row, "suffix_len");
        options.dataset.num_prefixes = integer(row, "num_prefixes");
        options.dataset.repeated_output_len = integer(row, "output_len");
        NumpyLegacyRandom random(options.seed);
        expect_samples(options, row, random);
        EXPECT_NEAR(random.gamma(1, 1), number(row, "next_gamma"), 1e-12);  // the arrivals go on from there
    }
}

TEST(Datasets, Sharegpt) {
    const json::Value fixture = read_fixture("datasets.json");
    for (const json::Value& row : fixture.find("sharegpt")->as_array()) {
        BenchmarkOptions options = options_of(row, DatasetKind::sharegpt);
        options.dataset.path = fixture_path("conversations.json");
        options.dataset.fixed_output_len = row.find("output_len")->to_int64();
        NumpyLegacyRandom random(0);
        expect_samples(options, row, random);
    }
}

TEST(Datasets, Custom) {
    const json::Value fixture = read_fixture("datasets.json");
    for (const json::Value& row : fixture.find("custom")->as_array()) {
        BenchmarkOptions options = options_of(row, DatasetKind::custom);
        options.dataset.path = fixture_path("prompts.jsonl");
        NumpyLegacyRandom random(0);
        expect_samples(options, row, random);
    }
}

std::string error_of(const BenchmarkOptions& options, const text::Tokenizer* tokenizer = &nano_tokenizer()) {
    NumpyLegacyRandom random(0);
    const auto samples = make_dataset(options, tokenizer, random);
    return samples.ok() ? "no error" : samples.status().message();
}

// The error of a file with this content.
std::string file_error(DatasetKind kind, std::string_view content) {
    BenchmarkOptions options;
    options.dataset.kind = kind;
    options.dataset.path = testing::TempDir() + fmt::format("loadgen_dataset_test_{}", getpid());
    std::ofstream(options.dataset.path) << content;
    std::string error = error_of(options);
    if (const size_t at = error.find(options.dataset.path); at != std::string::npos)
        error.replace(at, options.dataset.path.size(), "FILE");
    return error;
}

TEST(Datasets, WrongFilesAreNamed) {
    using enum DatasetKind;
    EXPECT_EQ(file_error(sharegpt, "[]"), "--dataset-path FILE: there is no prompt in it that can be used");
    EXPECT_EQ(file_error(sharegpt, "{}"), "FILE: expected an array of conversations, found object");
    EXPECT_THAT(file_error(sharegpt, "[{]"), HasSubstr("FILE: line 1, column 3"));
    EXPECT_EQ(file_error(sharegpt, R"([{"conversations": 5}, 7, {"conversations": [{"value": 1}, {"value": "b"}]}])"),
              "--dataset-path FILE: there is no prompt in it that can be used");
    EXPECT_EQ(file_error(custom, "{\"prompt\": \"a\"}\n\n{\"text\": \"a\"}\n"),
              "FILE:3: expected an object with a string \"prompt\"");
    EXPECT_EQ(file_error(custom, "{\"prompt\": \"a\", \"output_tokens\": \"b\"}"),
              "FILE:1: output_tokens must be an integer");
    EXPECT_EQ(file_error(custom, "{\"prompt\": \"a\", \"output_tokens\": 0}"),
              "FILE:1: output_tokens must be at least 1");
    EXPECT_THAT(file_error(custom, "{\"prompt\"\n"), HasSubstr("FILE:1: line 1"));
}

TEST(Datasets, OptionsThatDoNotFit) {
    BenchmarkOptions options;
    options.dataset.input_len = 0;
    EXPECT_THAT(error_of(options), HasSubstr("a random prompt of 0 tokens"));
    EXPECT_EQ(error_of(options, nullptr), "this dataset needs a tokenizer; see --tokenizer");
    options.dataset.kind = DatasetKind::prefix_repetition;
    options.num_prompts = 9;
    EXPECT_EQ(error_of(options), "--num-prompts 9: must be at least the number of prefixes, 10");
    options.dataset.kind = DatasetKind::custom;
    EXPECT_EQ(error_of(options), "this dataset is a file: --dataset-path is needed");
    options.dataset.path = "/does/not/exist";
    EXPECT_EQ(error_of(options), "--dataset-path /does/not/exist: No such file or directory");
}

}  // namespace
}  // namespace glm5::loadgen
