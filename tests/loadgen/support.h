// What several tests of the bench client need: fixtures, the nano tokenizer, numbers of fixtures.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "json/parse.h"
#include "text/tokenizer.h"

namespace glm5::loadgen {

inline std::string fixture_path(const std::string& name) {
    return std::string(GLM5_SOURCE_DIR) + "/tests/fixtures/loadgen/" + name;
}

inline json::Value read_fixture(const std::string& name) {
    std::ifstream file(fixture_path(name));
    std::stringstream text;
    text << file.rdbuf();
    auto value = json::parse(text.str());
    EXPECT_TRUE(value.ok()) << name;
    return value.ok() ? *std::move(value) : json::Value();
}

inline const text::Tokenizer& nano_tokenizer() {
    static const text::Tokenizer tokenizer =
        text::Tokenizer::load(std::string(GLM5_SOURCE_DIR) + "/models/glm5-nano/tokenizer.json").value();
    return tokenizer;
}

inline int64_t integer(const json::Value& object, std::string_view key) {
    return object.find(key)->to_int64().value();
}

inline double number(const json::Value& object, std::string_view key) {
    return object.find(key)->to_double().value();
}

}  // namespace glm5::loadgen
