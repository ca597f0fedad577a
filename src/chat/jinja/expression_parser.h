// The expression half of the parser: operators in expression_parser.cpp, operands in operand_parser.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "chat/jinja/ast.h"
#include "chat/jinja/token_stream.h"

namespace glm5::chat::jinja {

// Counts recursion while it lives; throws Error beyond kMaxSyntaxDepth.
class NestingGuard {
public:
    NestingGuard(int& depth, int line);
    ~NestingGuard() { --depth_; }
    NestingGuard(const NestingGuard&) = delete;

private:
    int& depth_;
};

// Counts `child` (which may be null) into the depth of `parent`. Chains such as a + b + c nest to the left without
// recursion of the parser, so the tree's own depth is bounded too: throws Error beyond twice kMaxSyntaxDepth.
void adopt(Expression& parent, const ExpressionPtr& child);
ExpressionPtr make_unary(ExpressionKind kind, ExpressionPtr operand, int line);

class ExpressionParser {
public:
    explicit ExpressionParser(TokenStream& stream, int& nesting) : stream_(stream), nesting_(nesting) {}

    // One expression; with_conditional: `a if b else c` is allowed.
    ExpressionPtr parse_expression(bool with_conditional = true);
    // One expression, or several between commas as a tuple. `end_name` is a name that ends it (as in `for x in y
    // recursive`).
    ExpressionPtr parse_tuple(bool with_conditional = true, std::string_view end_name = {},
                              bool in_parentheses = false);
    // `| name(arguments) | …` applied to `subject`, which may be null. starts_inline: the first bar is absent.
    ExpressionPtr parse_filters(ExpressionPtr subject, bool starts_inline = false);
    // What `set`, `for` and `with` assign to.
    Target parse_target(std::string_view end_name, bool with_namespace);
    StringPtr parse_name();

private:
    ExpressionPtr parse_or();
    ExpressionPtr parse_and();
    ExpressionPtr parse_not();
    ExpressionPtr parse_comparison();
    ExpressionPtr parse_sum();
    ExpressionPtr parse_concat();
    ExpressionPtr parse_product();
    ExpressionPtr parse_power();
    ExpressionPtr parse_unary(bool with_filters = true);
    ExpressionPtr parse_primary();
    ExpressionPtr parse_named();
    ExpressionPtr parse_string();
    ExpressionPtr parse_list();
    ExpressionPtr parse_dict();
    ExpressionPtr parse_postfix(ExpressionPtr object);
    ExpressionPtr parse_filters_and_tests(ExpressionPtr subject);
    ExpressionPtr parse_subscript(ExpressionPtr object);
    ExpressionPtr parse_subscript_key();
    ExpressionPtr parse_call(ExpressionPtr callee);
    ExpressionPtr parse_test(ExpressionPtr subject);
    StringPtr parse_dotted_name();  // of a filter or test
    CallArguments parse_arguments();
    void parse_argument(CallArguments& arguments, int line);
    Target parse_single_target(bool with_namespace);
    bool at_tuple_end(std::string_view end_name) const;

    TokenStream& stream_;
    int& nesting_;
};

}  // namespace glm5::chat::jinja
