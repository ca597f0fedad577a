// Commands written for `vllm serve`: what is taken over, ignored with one warning, and refused with a reason.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "cli/commands.h"
#include "json/write.h"

namespace glm5::cli {
namespace {

using Arguments = std::vector<std::string>;

Result<CommandLine> parse_serve(Arguments arguments) {
    arguments.insert(arguments.begin(), "serve");
    return parse(arguments, {});
}

ServeOptions serve(const Arguments& arguments) {
    auto line = parse_serve(arguments);
    EXPECT_TRUE(line.ok()) << line.status().message();
    auto options = serve_options(*line);
    EXPECT_TRUE(options.ok()) << options.status().message();
    return *options;
}

TEST(Vllm, EveryIgnoredOptionGivesExactlyOneWarning) {
    for (const Option& option : option_table()) {
        if (option.treatment != Treatment::ignored || !(option.commands & kServe)) continue;
        Arguments arguments = {std::string(option.name)};
        switch (option.type) {
            case OptionType::flag:
                if (option.neutral == "true") arguments[0].replace(0, 2, "--no-");
                break;
            case OptionType::real: arguments.push_back("0.5"); break;
            case OptionType::integer: arguments.push_back("7"); break;
            case OptionType::choice: arguments.emplace_back(option.choices.back()); break;
            case OptionType::object: arguments.push_back("{}"); break;
            default: arguments.push_back("word");
        }
        arguments.insert(arguments.end(), arguments.begin(), arguments.end());  // twice: still one warning
        const auto line = parse_serve(arguments);
        ASSERT_TRUE(line.ok()) << line.status().message();
        ASSERT_EQ(line->warnings.size(), 1u) << option.name;
        EXPECT_TRUE(line->warnings[0].starts_with(option.name)) << line->warnings[0];
    }
}

TEST(Vllm, EveryRefusedOptionSaysWhy) {
    for (const Option& option : option_table()) {
        if (option.treatment != Treatment::refused) continue;
        Arguments arguments = {std::string(option.name)};
        if (option.type == OptionType::flag && option.neutral == "true")
            arguments[0].replace(0, 2, "--no-");
        else if (option.type != OptionType::flag)
            arguments.push_back("{}");
        const auto line = parse_serve(arguments);
        ASSERT_FALSE(line.ok()) << option.name;
        EXPECT_TRUE(line.status().message().starts_with(option.name)) << line.status().message();
        EXPECT_TRUE(line.status().message().ends_with(option.help)) << line.status().message();
        EXPECT_FALSE(option.help.empty()) << option.name;
    }
}

TEST(Vllm, NothingIsSaidOfWhatIsDoneAnyway) {
    const Arguments cases[] = {{"--enable-chunked-prefill"},
                               {"--block-size", "64"},
                               {"--reasoning-parser", "glm45"},
                               {"--load-format", "auto"},
                               {"--scheduling-policy=fcfs"},
                               {"--no-enable-expert-parallel"},
                               {"--runner", "generate"},
                               {"--stream-interval", "1"},
                               {"--enable-prompt-tokens-details"},
                               {"--cpu-offload-gb", "0"},
                               {"-tp", "1"},
                               {"-pp", "1"},
                               {"-dp", "1"},
                               {"--enable-prefix-caching"},
                               {"--no-enable-prefix-caching"},
                               {"--generation-config", "auto"}};
    for (const Arguments& arguments : cases) {
        const auto line = parse_serve(arguments);
        ASSERT_TRUE(line.ok()) << line.status().message();
        EXPECT_TRUE(line->warnings.empty()) << line->warnings[0];
    }
}

TEST(Vllm, ErrorsAndWarningsWordForWord) {
    const std::pair<Arguments, std::string> refused[] = {
        {{"--no-enable-chunked-prefill"},
         "--enable-chunked-prefill: prompts are always computed in chunks; leave this option out"},
        {{"-ep"}, "--enable-expert-parallel: this version runs on one device"},
        {{"--enable-lora"}, "--enable-lora: adapters are not supported"},
        {{"--runner", "pooling"}, "--runner pooling: this server generates text only"},
        {{"--task=embed"}, "--task embed: this server generates text only"},
        {{"--scheduling-policy", "random"}, "--scheduling-policy random: must be fcfs, priority"},
        {{"--quantization", "awq"}, "--quantization awq: must be fp8, modelopt, modelopt_fp4, nvfp4"},
        {{"--load-format", "gguf"}, "--load-format gguf: checkpoints are safetensors; leave this option out"},
        {{"--speculative-config", R"({"method": "mtp"})"}, "--speculative-config: this version does not support it"},
        {{"--speculative-config.method", "mtp"}, "--speculative-config: this version does not support it"},
        {{"--speculative_config.num_speculative_tokens=3"}, "--speculative-config: this version does not support it"},
    };
    for (const auto& [arguments, expected] : refused) EXPECT_EQ(parse_serve(arguments).status().message(), expected);
    const std::pair<Arguments, std::string> ignored[] = {
        {{"--trust-remote-code"}, "--trust-remote-code has no effect here"},
        {{"-O3"}, "-O3 has no effect here"},
        {{"-O", "3"}, "--optimization-level has no effect here"},
        {{"-cc.mode=3", "-cc.level", "2"}, "--compilation-config has no effect here"},
        {{"-cc", "{broken"}, "--compilation-config has no effect here"},
        {{"--mm-processor-cache-gb", "4"}, "--mm-processor-cache-gb has no effect here"},
        {{"--block-size", "16"}, "--block-size: pages hold 64 tokens; another value has no effect"},
        {{"--reasoning-parser", "glm47"},
         "--reasoning-parser: glm47 names a parser of tool calls; reasoning is split as by glm45"},
    };
    for (const auto& [arguments, expected] : ignored) {
        const auto line = parse_serve(arguments);
        ASSERT_TRUE(line.ok()) << line.status().message();
        EXPECT_EQ(line->warnings, Arguments{expected});
        EXPECT_TRUE(line->arguments.empty());
    }
}

TEST(Vllm, ValuesArriveInTheOptions) {
    EXPECT_FALSE(serve({"--no-enable-prefix-caching"}).run.enable_prefix_caching);
    EXPECT_TRUE(serve({}).run.enable_prefix_caching);
    EXPECT_EQ(serve({"--kv-cache-memory-bytes", "2G"}).run.kv_cache_memory_bytes, int64_t{2} << 30);
    EXPECT_EQ(serve({"--kv-cache-memory-bytes", "512M"}).run.kv_cache_memory_bytes, int64_t{512} << 20);
    for (const char* name : {"fp8", "fp8_e4m3", "fp8_ds_mla"})
        EXPECT_EQ(serve({"--kv-cache-dtype", name}).run.kv_cache_dtype, "fp8_ds_mla");
    EXPECT_EQ(serve({"--max-queue-size", "7"}).run.max_queue_size, 7);
    EXPECT_EQ(serve({"--max-model-len", "1M"}).run.max_model_len, 1 << 20);
    EXPECT_FALSE(serve({"--disable-log-stats"}).log_stats);
    EXPECT_TRUE(serve({"--scheduling-policy", "priority"}).priority_scheduling);
    EXPECT_FALSE(serve({"--scheduling-policy", "fcfs"}).priority_scheduling);
    EXPECT_TRUE(serve({"--metrics-require-key"}).metrics_require_key);
    EXPECT_EQ(serve({"-q", "fp8"}).model.quantization, "fp8");
    EXPECT_EQ(serve({"--quantization", "modelopt_fp4"}).model.quantization, "nvfp4");
    EXPECT_FALSE(serve({"--generation-config", "vllm"}).use_generation_config);
    const ServeOptions options = serve({"--override-generation-config", R"({"temperature": 0.6, "top_p": 1})"});
    EXPECT_EQ(options.default_temperature, 0.6);
    EXPECT_EQ(options.default_top_p, 1.0);
    EXPECT_TRUE(options.use_generation_config);
}

TEST(Vllm, DottedJson) {
    const std::string name = "--default-chat-template-kwargs";
    const auto kwargs = [](const Arguments& arguments) {
        return json::write(json::Value(serve(arguments).default_chat_template_kwargs));
    };
    EXPECT_EQ(kwargs({name + ".enable_thinking", "false"}), R"({"enable_thinking": false})");
    EXPECT_EQ(kwargs({"--default_chat_template_kwargs.enable_thinking=false"}), R"({"enable_thinking": false})");
    EXPECT_EQ(kwargs({name + ".a.b", "1", name + ".a.c", "x y", "m"}), R"({"a": {"b": 1, "c": "x y"}})");
    EXPECT_EQ(kwargs({name, R"({"a": {"b": 1}, "d": 2})", name + ".a.c", "[3]"}),
              R"({"a": {"b": 1, "c": [3]}, "d": 2})");
    EXPECT_EQ(kwargs({name + ".l+", "a,2", name + ".l+=[true, null]"}), R"({"l": ["a", 2, true, null]})");
    std::string deep = name;
    for (int i = 0; i < 100'000; ++i) deep += ".a";
    EXPECT_FALSE(parse_serve({deep, "1"}).ok());
    EXPECT_TRUE(parse({"generate", "m", "p", name + ".a", "1"}, {})
                    .status()
                    .message()
                    .ends_with("is not an option of 'glm5 generate'"));
}

TEST(ApiKeys, AreInNoLog) {
    const auto line =
        parse({"serve", "m", "--api-key", "secret", "--port=1", "--served-model-name", "a", "b", "-O3"}, {});
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(line->given, (Arguments{"--served-model-name a b", "--port 1", "--api-key …"}));
}

TEST(ApiKeys, ComeFromOptionsAndFile) {
    const std::string path = testing::TempDir() + fmt::format("glm5_keys_{}", getpid());
    std::ofstream(path) << "one\n\n  \ntwo \r\nthree";
    EXPECT_EQ(serve({"--api-key", "a", "b", "--api-key", "c", "--api-key-file", path}).api_keys,
              (Arguments{"a", "b", "c", "one", "two", "three"}));
    std::ofstream(path) << "\n\n";
    EXPECT_EQ(serve_options(*parse_serve({"--api-key-file", path})).status().message(),
              "--api-key-file " + path + ": there is no key in it");
    std::ofstream(path) << std::string(5000, 'x');
    EXPECT_EQ(serve_options(*parse_serve({"--api-key-file", path})).status().message(),
              "--api-key-file " + path + ": cannot be read, or a line is longer than 4096 bytes");
    EXPECT_EQ(parse_serve({"--api-key", ""}).status().message(), "--api-key: must not be empty");
}

}  // namespace
}  // namespace glm5::cli
