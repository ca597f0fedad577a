// Reading fixtures.
#include "text/support.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "json/parse.h"
#include "json/write.h"

namespace glm5::text {

std::string read_source_file(const std::string& path) {
    std::ifstream stream(std::string(GLM5_SOURCE_DIR) + "/" + path, std::ios::binary);
    EXPECT_TRUE(stream.good()) << path;
    std::ostringstream content;
    content << stream.rdbuf();
    return content.str();
}

json::Value read_fixture(const std::string& name) {
    return json::parse(read_source_file("tests/fixtures/text/" + name)).value();
}

std::vector<int32_t> ids_of(const json::Value& array) {
    std::vector<int32_t> ids;
    for (const json::Value& id : array.as_array()) ids.push_back(static_cast<int32_t>(id.to_int64().value()));
    return ids;
}

json::Value nano_json() {
    return json::parse(read_source_file("models/glm5-nano/tokenizer.json")).value();
}

const Tokenizer& nano_tokenizer() {
    static const Tokenizer tokenizer =
        Tokenizer::load(std::string(GLM5_SOURCE_DIR) + "/models/glm5-nano/tokenizer.json").value();
    return tokenizer;
}

Tokenizer make_tokenizer(const json::Value& document) {
    return Tokenizer::from_json(json::write(document)).value();
}

std::vector<std::string> pieces_of(std::string_view text, const std::vector<uint32_t>& ends) {
    std::vector<std::string> pieces;
    uint32_t start = 0;
    for (const uint32_t end : ends) {
        pieces.emplace_back(text.substr(start, end - start));
        start = end;
    }
    EXPECT_EQ(start, text.size());
    return pieces;
}

}  // namespace glm5::text
