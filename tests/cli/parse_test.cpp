// Command lines as people type them: spellings, values, errors, suggestions, help.
#include "cli/parse.h"

#include <gtest/gtest.h>

#include <map>

#include "cli/commands.h"

namespace glm5::cli {
namespace {

Result<CommandLine> parse(std::vector<std::string> arguments) {
    return cli::parse(arguments, {});
}

ServeOptions serve(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "serve");
    auto line = parse(arguments);
    EXPECT_TRUE(line.ok()) << line.status().message();
    auto options = serve_options(*line);
    EXPECT_TRUE(options.ok()) << options.status().message();
    return *options;
}

std::string error_of(std::vector<std::string> arguments) {
    auto line = parse(arguments);
    if (!line.ok()) return line.status().message();
    const Status status = line->command == kServe      ? serve_options(*line).status()
                          : line->command == kGenerate ? generate_options(*line).status()
                          : line->command == kChat     ? chat_options(*line).status()
                                                       : inspect_options(*line).status();
    return status.message();
}

TEST(Serve, Defaults) {
    const ServeOptions options = serve({});
    EXPECT_EQ(options.model.model, "");
    EXPECT_EQ(options.host, "127.0.0.1");
    EXPECT_EQ(options.port, 8000);
    EXPECT_EQ(options.run.max_model_len, 0);
    EXPECT_EQ(options.run.max_num_batched_tokens, 2048);
    EXPECT_EQ(options.run.kv_cache_memory_bytes, 0);
    EXPECT_EQ(options.run.device, "auto");
    EXPECT_TRUE(options.served_model_names.empty());
    EXPECT_TRUE(options.access_log);
    EXPECT_EQ(options.log.level, LogLevel::info);
}

TEST(Serve, EverySpellingOfAnOption) {
    for (const std::vector<std::string>& spelling : {std::vector<std::string>{"--max-model-len", "8k"},
                                                     {"--max_model_len", "8k"},
                                                     {"--max-model-len=8k"},
                                                     {"--max_model_len=8000"},
                                                     {"--max-model_len=8000"}})
        EXPECT_EQ(serve(spelling).run.max_model_len, 8000) << spelling[0];
    EXPECT_EQ(serve({"--port", "1", "--port=2"}).port, 2);
    EXPECT_EQ(serve({"zai-org/GLM-5-FP8", "-tp", "1", "--trust-remote-code"}).model.model, "zai-org/GLM-5-FP8");
    EXPECT_EQ(serve({"--model", "a_b"}).model.model, "a_b");
    EXPECT_EQ(serve({"a/b", "--revision", "main"}).model.model, "a/b@main");
    EXPECT_EQ(serve({"m", "--served-model-name", "a", "b"}).served_model_names, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(serve({"--max-model-len", "-1"}).run.max_model_len, 0);
    EXPECT_EQ(serve({"--max-model-len", "auto"}).run.max_model_len, 0);
    EXPECT_EQ(
        serve({"--default-chat-template-kwargs", R"({"enable_thinking": false})"}).default_chat_template_kwargs.size(),
        1u);
}

TEST(Serve, FlagsAndTheirOpposites) {
    EXPECT_FALSE(serve({"--disable-access-log"}).access_log);
    EXPECT_TRUE(serve({"--no-disable-access-log"}).access_log);
    EXPECT_TRUE(serve({"--disable-access-log=false"}).access_log);
    EXPECT_FALSE(serve({"--disable-uvicorn-access-log"}).access_log);
}

TEST(Serve, CountsWithUnits) {
    const std::pair<const char*, std::optional<int64_t>> cases[] = {
        {"8192", 8192},
        {"8k", 8000},
        {"8K", 8192},
        {"200k", 200'000},
        {"1M", 1 << 20},
        {"1m", 1'000'000},
        {"1.5g", 1'500'000'000},
        {"2GiB", int64_t{2} << 30},
        {"2GB", 2'000'000'000},
        {"100B", 100},
        {"auto", 0},
        {"-1", 0},
        {"", {}},
        {"k", {}},
        {"8kk", {}},
        {"-8", {}},
        {"8 k", {}},
        {"1.5", {}},
        {"nan", {}},
        {"inf", {}},
        {"1e3", {}},
        {"9999999999999999999T", {}},
        {"0x10", {}},
    };
    for (const auto& [text, expected] : cases) EXPECT_EQ(parse_count(text), expected) << text;
}

TEST(Errors, NameTheOptionTheValueAndWhatIsAllowed) {
    const std::pair<std::vector<std::string>, std::string> cases[] = {
        {{"serve", "--prot", "80"}, "unknown option --prot; did you mean --port? See 'glm5 serve --help'"},
        {{"serve", "--max_model_length=8k"},
         "unknown option --max-model-length; did you mean --max-model-len? See 'glm5 serve --help'"},
        {{"serve", "--completely-different-thing"},
         "unknown option --completely-different-thing. See 'glm5 serve --help'"},
        {{"serve", "-x"}, "unknown option -x. See 'glm5 serve --help'"},
        {{"generate", "m", "p", "--port", "1"}, "--port is not an option of 'glm5 generate'"},
        {{"srve"}, "unknown command 'srve'; did you mean serve? See 'glm5 --help'"},
        {{"train"}, "unknown command 'train'. See 'glm5 --help'"},
        {{"serve", "--port", "eighty"}, "--port eighty: must be an integer"},
        {{"serve", "--port", "70000"}, "--port 70000: must be 0 to 65535"},
        {{"serve", "--port"}, "--port needs a value. See 'glm5 serve --help'"},
        {{"serve", "--port="}, "--port needs a value. See 'glm5 serve --help'"},
        {{"serve", "--max-model-len", "long"}, "--max-model-len long: must be a number such as 8192, 8k, 1M or 2GiB"},
        {{"serve", "--max-model-len", "8T"}, "--max-model-len 8T: too large"},
        {{"serve", "--max-num-batched-tokens", "0"}, "--max-num-batched-tokens 0: must be 1 to 65536"},
        {{"serve", "--max-num-batched-tokens", "auto"}, "--max-num-batched-tokens auto: must be 1 to 65536"},
        {{"serve", "--kv-cache-memory-bytes", "0"}, "--kv-cache-memory-bytes 0: must be at least 1"},
        {{"serve", "--device", "tpu"}, "--device tpu: must be auto, cpu, cuda"},
        {{"serve", "--dtype", "float16"}, "--dtype float16: must be auto, bfloat16, float32"},
        {{"serve", "-tp", "8"}, "--tensor-parallel-size 8: only 1 is possible: this version runs on one device"},
        {{"serve", "-tp=8"}, "--tensor-parallel-size 8: only 1 is possible: this version runs on one device"},
        {{"serve", "--default-chat-template-kwargs", "[1]"},
         "--default-chat-template-kwargs [1]: must be a JSON object"},
        {{"serve", "--enable-lora"}, "--enable-lora: adapters are not supported"},
        {{"serve", "a", "b"}, "unexpected argument 'b'; usage: glm5 serve [MODEL] [OPTIONS]"},
        {{"serve", "a", "--model", "b"}, "--model b: the model is given twice, as 'a' too"},
        {{"serve", "--disable-access-log=maybe"}, ""},
        {{"generate", "m"}, "usage: glm5 generate MODEL \"prompt\" [OPTIONS]"},
        {{"generate", "m", "p", "--temperature", "-1"}, "--temperature -1: must be 0 to 100"},
        {{"generate", "m", "p", "--temperature", "warm"}, "--temperature warm: must be a number"},
        {{"generate", "m", "p", "--temperature", "nan"}, "--temperature nan: must be a number"},
        {{"generate", "m", "p", "--top-p", "0"}, "--top-p 0: must be above 0, at most 1"},
        {{"generate", "m", "p", "--top-k", "-2"}, "--top-k -2: must be -1 to 2147483647"},
        {{"generate", "m", "p", "-n", "0"}, "--num-choices 0: must be 1 to 128"},
        {{"chat", "m", "p"}, "unexpected argument 'p'; usage: glm5 chat [MODEL] [OPTIONS]"},
        {{"serve", "--generation-config", "dir"}, "--generation-config dir: must be auto, vllm"},
        {{"serve", "--override-generation-config", R"({"top_k": 1})"},
         "--override-generation-config: top_k is not one of temperature, top_p"},
        {{"serve", "--override-generation-config.top_p", "2"},
         "--override-generation-config: top_p must be a number above 0, at most 1"},
        {{"serve", "--port.a", "1"}, "--port.a: --port does not take a JSON object"},
        {{"serve", "--default-chat-template-kwargs.a"}, "--default-chat-template-kwargs.a needs a value"},
        {{"serve", "--default-chat-template-kwargs..a", "1"}, "--default-chat-template-kwargs..a: a key is empty"},
        {{"serve", "--default-chat-template-kwargs.a", "1", "--default-chat-template-kwargs.a.b", "1"},
         "--default-chat-template-kwargs.a.b: 'a' is integer already"},
        {{"serve", "--gpu-memory-utilization", "1.5"}, "--gpu-memory-utilization 1.5: must be above 0, at most 1"},
        {{"serve", "--block-size", "x"}, "--block-size x: must be an integer"},
        {{"serve", "--reasoning-parser", "deepseek_r1"}, "--reasoning-parser deepseek_r1: must be glm45, glm47"},
        {{"serve", "--help=nothing-like-it"},
         "no option of 'glm5 serve' mentions 'nothing-like-it'. See 'glm5 serve --help=all'"},
        {{"help", "srve"}, "unknown command 'srve'; did you mean serve? See 'glm5 --help'"},
        {{"completion", "fish"}, "usage: glm5 completion bash"},
        {{"serve", "--config", "/nonexistent/x.yaml"}, "--config /nonexistent/x.yaml: cannot be opened"},
        {{"serve", "--api-key-file", "/nonexistent/keys"}, "--api-key-file /nonexistent/keys: cannot be opened"},
        {{"inspect"}, "usage: glm5 inspect MODEL [OPTIONS]"},
    };
    for (const auto& [arguments, expected] : cases) {
        const std::string message = error_of(arguments);
        if (expected.empty())
            EXPECT_NE(message, "") << fmt::format("{}", fmt::join(arguments, " "));
        else
            EXPECT_EQ(message, expected) << fmt::format("{}", fmt::join(arguments, " "));
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
}

TEST(Environment, IsUsedWhenTheFlagIsAbsent) {
    const Environment environment = {{"VLLM_LOGGING_LEVEL", "DEBUG"}, {"GLM5_API_KEY", ""}, {"VLLM_API_KEY", "Secret"}};
    auto line = cli::parse({"serve"}, environment);
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(serve_options(*line)->log.level, LogLevel::debug);
    EXPECT_EQ(serve_options(*line)->api_keys, std::vector<std::string>{"Secret"});
    EXPECT_TRUE(line->warnings.empty());
    line = cli::parse({"serve", "--log-level", "error", "--api-key", "a", "--api-key", "b"}, environment);
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(serve_options(*line)->log.level, LogLevel::error);
    EXPECT_EQ(serve_options(*line)->api_keys, (std::vector<std::string>{"a", "b"}));
    const auto wrong = cli::parse({"serve"}, {{"GLM5_LOG_LEVEL", "loud"}, {"VLLM_LOGGING_LEVEL", "debug"}});
    EXPECT_EQ(wrong.status().message(), "GLM5_LOG_LEVEL: --log-level loud: must be debug, info, warning, error");
}

TEST(Environment, VariablesOfVllmAreNamedInOneWarning) {
    const auto line = cli::parse(
        {"serve"}, {{"VLLM_DEEP_GEMM_WARMUP", "skip"}, {"VLLM_API_KEY", "k"}, {"VLLM_USE_V1", "1"}, {"A", ""}});
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(line->warnings,
              std::vector<std::string>{"environment: VLLM_DEEP_GEMM_WARMUP, VLLM_USE_V1 have no effect here"});
}

TEST(Generate, TakesAPromptThatLooksLikeAnOption) {
    EXPECT_EQ(parse({"generate", "m", "[1, 2]"})->arguments[1], "[1, 2]");
    auto line = parse({"generate", "m", "--chat", "--", "--what is this"});
    ASSERT_TRUE(line.ok()) << line.status().message();
    const auto options = generate_options(*line);
    ASSERT_TRUE(options.ok()) << options.status().message();
    EXPECT_EQ(options->prompt, "--what is this");
    EXPECT_TRUE(options->chat);
}

TEST(Table, NamesAreUniqueAndDefaultsAreValid) {
    std::map<std::string_view, unsigned> commands;  // of the rows with one name
    for (const Option& option : option_table()) {
        EXPECT_EQ(commands[option.name] & option.commands, 0u) << option.name;
        commands[option.name] |= option.commands;
        EXPECT_TRUE(option.name.starts_with("--")) << option.name;
        EXPECT_TRUE(option.treatment != Treatment::used || !(option.help.empty() || option.group.empty()))
            << option.name;
    }
    for (const CommandInfo& command : command_table()) EXPECT_TRUE(parse({std::string(command.name)}).ok());
}

TEST(NearestName, FindsSwapsAndMissingLetters) {
    const std::vector<std::string_view> known = {"--host", "--port", "--max-model-len"};
    EXPECT_EQ(nearest_name("--prot", known), "--port");
    EXPECT_EQ(nearest_name("--maxmodellen", known), "--max-model-len");
    EXPECT_EQ(nearest_name("--zzzzzzzz", known), std::nullopt);
}

}  // namespace
}  // namespace glm5::cli
