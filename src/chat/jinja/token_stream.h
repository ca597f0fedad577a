// The parser's view of the tokens.
#pragma once

#include <string_view>
#include <vector>

#include "chat/jinja/error.h"
#include "chat/jinja/lexer.h"

namespace glm5::chat::jinja {

class TokenStream {
public:
    explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) { check_current(); }

    const Token& current() const { return tokens_[position_]; }
    const Token& look() const { return tokens_[position_ + (position_ + 1 < tokens_.size())]; }
    int line() const { return current().line; }
    bool at_end() const { return current().type == TokenType::end; }

    bool at(TokenType type) const { return current().type == type; }
    bool at_symbol(std::string_view text) const { return is_symbol(current(), text); }
    bool at_name(std::string_view text) const { return is_name(current(), text); }
    bool looks_symbol(std::string_view text) const { return is_symbol(look(), text); }
    bool looks_name(std::string_view text) const { return is_name(look(), text); }

    // The current token; the stream moves behind it. The last token, the end, stays.
    Token next() {
        Token token = current();
        if (!at_end()) ++position_;
        check_current();
        return token;
    }
    bool skip_symbol(std::string_view text) { return at_symbol(text) && (next(), true); }
    bool skip_name(std::string_view text) { return at_name(text) && (next(), true); }
    void expect_symbol(std::string_view text) {
        if (!skip_symbol(text)) fail_unexpected(text);
    }
    void expect_name(std::string_view text) {
        if (!skip_name(text)) fail_unexpected(text);
    }
    Token expect(TokenType type, std::string_view what) {
        if (!at(type)) fail_unexpected(what);
        return next();
    }

    [[noreturn]] void fail_unexpected(std::string_view expected) const {
        if (at_end()) fail_at(line(), "unexpected end of template, expected '{}'", expected);
        fail_at(line(), "expected token '{}', got '{}'", expected, describe(current()));
    }

    static std::string_view describe(const Token& token) {
        switch (token.type) {
            case TokenType::data: return "template text";
            case TokenType::variable_begin: return "{{";
            case TokenType::variable_end: return "end of print statement";
            case TokenType::block_begin: return "{%";
            case TokenType::block_end: return "end of statement block";
            case TokenType::end: return "end of template";
            default: return token.text;
        }
    }

private:
    void check_current() const {
        if (at(TokenType::error)) fail_at(line(), "{}", current().text);
    }
    static bool is_symbol(const Token& token, std::string_view text) {
        return token.type == TokenType::symbol && token.text == text;
    }
    static bool is_name(const Token& token, std::string_view text) {
        return token.type == TokenType::name && token.text == text;
    }

    std::vector<Token> tokens_;
    size_t position_ = 0;
};

}  // namespace glm5::chat::jinja
