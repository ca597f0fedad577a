#include "chat/support.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "base/check.h"
#include "json/parse.h"

namespace glm5::chat {
namespace {

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    GLM5_CHECK(file.good(), "{}", path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

std::string read_fixture(std::string_view name) {
    return read_file(fmt::format("{}/tests/fixtures/chat/{}", GLM5_SOURCE_DIR, name));
}

json::Value read_json_fixture(std::string_view name) {
    return parse_json(read_fixture(name));
}

std::string read_template(std::string_view name) {
    if (name == "nano") return read_file(std::string(GLM5_SOURCE_DIR) + "/models/glm5-nano/chat_template.jinja");
    const std::string_view revision = name == "glm-5.3-flash" ? "_04c4e9e9" : "";
    return read_fixture(fmt::format("{}_chat_template{}.jinja", name, revision));
}

json::Value parse_json(std::string_view text) {
    Result<json::Value> value = json::parse(text);
    GLM5_CHECK(value.ok(), "{}", value.status().message());
    return std::move(value).value();
}

}  // namespace glm5::chat
