// Template text → tokens, with Jinja's white-space rules as transformers sets them: trim_blocks and lstrip_blocks on,
// keep_trailing_newline off. Comments and raw blocks are settled here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace glm5::chat::jinja {

enum class TokenType {
    data,
    variable_begin,
    variable_end,
    block_begin,
    block_end,
    name,
    string,
    integer,
    real,
    symbol,
    end
};

struct Token {
    TokenType type;
    std::string text;  // data and strings as they print; numbers without underscores; symbols and names as written
    int line;
};

// Throws Error naming the line.
std::vector<Token> tokenize(std::string_view source);

}  // namespace glm5::chat::jinja
