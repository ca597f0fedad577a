// The configuration files of tests/fixtures/configs and the checkpoints, read and changed for one test.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "config/config.h"
#include "json/parse.h"

namespace glm5::config {

inline json::Value read_json(const std::string& path_in_source) {
    std::ifstream file(std::string(GLM5_SOURCE_DIR "/") + path_in_source);
    std::stringstream text;
    text << file.rdbuf();
    auto value = json::parse(text.str());
    EXPECT_TRUE(value.ok()) << path_in_source;
    return value.ok() ? *std::move(value) : json::Value();
}

inline json::Value read_config_file(const std::string& name) {
    return read_json("tests/fixtures/configs/" + name + ".json");
}

inline Result<Config> parse_config(const json::Value& config) {
    std::vector<std::string> warnings;
    return Config::parse(config, nullptr, nullptr, warnings);
}

}  // namespace glm5::config
