// --config: YAML as people write it, precedence, errors with file and line, and hostile files.
#include "cli/config_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "cli/commands.h"
#include "json/write.h"

namespace glm5::cli {
namespace {

using Arguments = std::vector<std::string>;

std::string write_file(const std::string& text) {
    const std::string path = testing::TempDir() + fmt::format("glm5_config_{}.yaml", getpid());
    std::ofstream(path) << text;
    return path;
}

Result<ServeOptions> serve(const std::string& yaml, const Arguments& more = {}, const Environment& environment = {}) {
    Arguments arguments = {"serve", "--config", write_file(yaml)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    GLM5_ASSIGN_OR_RETURN(const CommandLine line, parse(arguments, environment));
    return serve_options(line);
}

// The error, without the folder of the file.
std::string error_of(const std::string& yaml, const Arguments& more = {}) {
    std::string message = serve(yaml, more).status().message();
    if (const size_t at = message.find(testing::TempDir()); at != std::string::npos)
        message.replace(at, write_file(yaml).size(), "config.yaml");
    return message;
}

TEST(ConfigFile, EveryKindOfValue) {
    const auto options = serve(R"(
# comment
model: org/name
served-model-name:
  - first
  - second
host: "0.0.0.0"
port: 9000
max_model_len: 200k
kv-cache-memory-bytes: 512M
enable-prefix-caching: no
disable_access_log: true
no-disable-log-stats: false
default-chat-template-kwargs:
  enable_thinking: false
  effort: "1"
  deep: {list: [1, 2.5, null, x, true]}
override-generation-config: {temperature: 0.25}
api-key: [k1, k2]
shutdown-timeout:
)");
    ASSERT_TRUE(options.ok()) << options.status().message();
    EXPECT_EQ(options->model.model, "org/name");
    EXPECT_EQ(options->served_model_names, (Arguments{"first", "second"}));
    EXPECT_EQ(options->host, "0.0.0.0");
    EXPECT_EQ(options->port, 9000);
    EXPECT_EQ(options->run.max_model_len, 200'000);
    EXPECT_EQ(options->run.kv_cache_memory_bytes, int64_t{512} << 20);
    EXPECT_FALSE(options->run.enable_prefix_caching);
    EXPECT_FALSE(options->access_log);
    EXPECT_FALSE(options->log_stats);
    EXPECT_EQ(json::write(json::Value(options->default_chat_template_kwargs)),
              R"({"enable_thinking": false, "effort": "1", "deep": {"list": [1, 2.5, null, "x", true]}})");
    EXPECT_EQ(options->default_temperature, 0.25);
    EXPECT_EQ(options->api_keys, (Arguments{"k1", "k2"}));
    EXPECT_EQ(options->shutdown_timeout_s, 300);  // a key without a value is absent
}

TEST(ConfigFile, TheCommandLineWinsAndTheEnvironmentLoses) {
    const std::string yaml =
        "port: 1\nlog-level: error\nmodel: of_the_file\ndefault-chat-template-kwargs: {a: 1, b: 2}\n";
    const Environment environment = {{"GLM5_LOG_LEVEL", "debug"}, {"GLM5_API_KEY", "k"}};
    auto options = serve(yaml, {"--port", "2"}, environment);
    ASSERT_TRUE(options.ok()) << options.status().message();
    EXPECT_EQ(options->port, 2);
    EXPECT_EQ(options->log.level, LogLevel::error);
    EXPECT_EQ(options->api_keys, Arguments{"k"});
    EXPECT_EQ(options->model.model, "of_the_file");
    options = serve(yaml, {"argument", "--default-chat-template-kwargs.b", "3"});
    ASSERT_TRUE(options.ok()) << options.status().message();
    EXPECT_EQ(options->model.model, "argument");
    EXPECT_EQ(json::write(json::Value(options->default_chat_template_kwargs)), R"({"a": 1, "b": 3})");
    EXPECT_EQ(serve(yaml, {"--model", "of_the_line"})->model.model, "of_the_line");
}

TEST(ConfigFile, IgnoredAndRefusedOptions) {
    const std::string path =
        write_file("trust_remote_code: true\nlimit-mm-per-prompt: {image: 0}\nmm-x: 1\nblock-size: 64\n");
    const auto line = parse({"serve", "--config", path}, {});
    ASSERT_TRUE(line.ok()) << line.status().message();
    EXPECT_EQ(line->warnings, (Arguments{path + ":3: mm-x has no effect here", "--trust-remote-code has no effect here",
                                         "--limit-mm-per-prompt has no effect here"}));
    EXPECT_EQ(error_of("port: 1\nenable-lora: true\n"), "config.yaml:2: --enable-lora: adapters are not supported");
}

TEST(ConfigFile, ErrorsNameFileAndLine) {
    const std::pair<const char*, const char*> cases[] = {
        {"port: 1\n\nmax-model-length: 8k\n",
         "config.yaml:3: unknown option max-model-length; did you mean max-model-len?"},
        {"completely-different-thing: 1\n", "config.yaml:1: unknown option completely-different-thing"},
        {"port: eighty\n", "config.yaml:1: --port eighty: must be an integer"},
        {"host: a\nport: [1, 2]\n", "config.yaml:2: port takes one value, found a list"},
        {"api-key: []\n", "config.yaml:1: api-key: the list is empty"},
        {"port: 1\nport: 2\n", "config.yaml:2: port: is given twice"},
        {"max-model-len: 1\nmax_model_len: 2\n", "config.yaml:2: max_model_len: --max-model-len is given twice"},
        {"disable-access-log: maybe\n", "config.yaml:1: --disable-access-log maybe: must be true or false"},
        {"default-chat-template-kwargs: 1\n", "config.yaml:1: --default-chat-template-kwargs 1: must be a JSON object"},
        {"config: other.yaml\n", "config.yaml:1: config: a file cannot name another one"},
        {"temperature: 1\n", "config.yaml:1: unknown option temperature"},
        {"- port\n", "config.yaml:1: expected options, as 'name: value'"},
        {"port\n", "config.yaml:1: expected options, as 'name: value'"},
        {"a: &x 1\nb: *x\n", "config.yaml:2: aliases are not supported"},
        {"[a, b]: 1\n", "config.yaml:1: expected a name, found a list or map"},
    };
    for (const auto& [yaml, expected] : cases) EXPECT_EQ(error_of(yaml), expected) << yaml;
    for (const char* broken : {"a: 'x\n", "a: [1\n", "\tport: 1", "a: b: c", "{a: 1", "%YAML 99\n---\na: 1\n", "!<x"})
        EXPECT_TRUE(error_of(broken).starts_with("config.yaml:")) << broken << error_of(broken);
    EXPECT_TRUE(serve("").ok());
    EXPECT_TRUE(serve("# nothing\n").ok());
}

TEST(ConfigFile, HostileFilesAreBounded) {
    const auto error = [](const std::string& text) { return parse_config_file(text, "f").status().message(); };
    EXPECT_EQ(error(std::string(300'000, 'a')), "f: more than 262144 bytes");
    EXPECT_EQ(error("a: " + std::string(100'000, '[') + std::string(100'000, ']')), "f:1: nested deeper than 16");
    EXPECT_EQ(error(std::string(100'000, '{')), "f:1: expected a name, found a list or map");
    std::string many = "a: [";
    for (int i = 0; i < 20'000; ++i) many += "1,";
    EXPECT_EQ(error(many + "]"), "f:1: more than 10000 values");
    std::string keys;
    for (int i = 0; i < 9'000; ++i) keys += fmt::format("k{}:\n", i);
    EXPECT_EQ(error(keys), "f:5001: more than 10000 values");
    const std::string nul("a: \0b\n", 6);
    EXPECT_TRUE(parse_config_file(nul, "f").ok() || !error(nul).empty());
}

}  // namespace
}  // namespace glm5::cli
