// What the text tests share: the fixtures, and the nano tokenizer with parts of its file replaced.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"
#include "text/tokenizer.h"

namespace glm5::text {

// A file of the checkout, its path relative to the root.
std::string read_source_file(const std::string& path);
json::Value read_fixture(const std::string& name);
std::vector<int32_t> ids_of(const json::Value& array);

json::Value nano_json();
const Tokenizer& nano_tokenizer();
// The tokenizer of `document`; the test fails when there is none.
Tokenizer make_tokenizer(const json::Value& document);

// The pieces that end where `ends` says.
std::vector<std::string> pieces_of(std::string_view text, const std::vector<uint32_t>& ends);

}  // namespace glm5::text
