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
    end,
    error
};

struct Token {
    TokenType type;
    std::string text;  // data and strings as they print; numbers without underscores; symbols and names as written;
                       // what is wrong at an error
    int line;
};

// The last token is the end, or an error where the text makes no token: it counts once the parser gets there, so that
// the first mistake of a template is the one that is told.
std::vector<Token> tokenize(std::string_view source);

}  // namespace glm5::chat::jinja
