// Operands: literals and names, what follows them (attributes, subscripts, calls, filters, tests), and targets.
#include "chat/jinja/callable.h"
#include "chat/jinja/expression_parser.h"
#include "json/number.h"

namespace glm5::chat::jinja {
namespace {

void adopt(Expression& parent, const CallArguments& arguments) {
    for (const auto& argument : arguments.positional) adopt(parent, argument);
    for (const auto& [name, argument] : arguments.keyword) adopt(parent, argument);
    adopt(parent, arguments.spread_positional);
    adopt(parent, arguments.spread_keyword);
}

StringPtr shared(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}

}  // namespace

ExpressionPtr ExpressionParser::parse_primary() {
    const int line = stream_.line();
    switch (stream_.current().type) {
        case TokenType::name: return parse_named();
        case TokenType::string: return parse_string();
        case TokenType::integer: return std::make_unique<Constant>(Value::integer(stream_.next().text), line);
        case TokenType::real: return std::make_unique<Constant>(Value(json::parse_double(stream_.next().text)), line);
        default: break;
    }
    if (stream_.skip_symbol("(")) {
        ExpressionPtr node = parse_tuple(true, {}, true);
        stream_.expect_symbol(")");
        return node;
    }
    if (stream_.at_symbol("[")) return parse_list();
    if (stream_.at_symbol("{")) return parse_dict();
    if (stream_.at_end()) fail_at(line, "unexpected end of template in an expression");
    fail_at(line, "unexpected '{}'", TokenStream::describe(stream_.current()));
}

ExpressionPtr ExpressionParser::parse_named() {
    const int line = stream_.line();
    std::string text = stream_.next().text;
    if (text == "true" || text == "True") return std::make_unique<Constant>(Value(true), line);
    if (text == "false" || text == "False") return std::make_unique<Constant>(Value(false), line);
    if (text == "none" || text == "None") return std::make_unique<Constant>(Value(None{}), line);
    return std::make_unique<Name>(shared(std::move(text)), line);
}

ExpressionPtr ExpressionParser::parse_string() {
    const int line = stream_.line();
    std::string text;
    while (stream_.at(TokenType::string)) text += stream_.next().text;  // adjacent literals join
    return std::make_unique<Constant>(Value::string(std::move(text)), line);
}

bool ExpressionParser::at_tuple_end(std::string_view end_name) const {
    return stream_.at(TokenType::variable_end) || stream_.at(TokenType::block_end) || stream_.at_symbol(")") ||
           (!end_name.empty() && stream_.at_name(end_name));
}

ExpressionPtr ExpressionParser::parse_tuple(bool with_conditional, std::string_view end_name, bool in_parentheses) {
    auto node = std::make_unique<ListExpression>(ListKind::tuple, stream_.line());
    bool is_tuple = false;
    while (!at_tuple_end(end_name)) {
        node->items.push_back(parse_expression(with_conditional));
        adopt(*node, node->items.back());
        if (!stream_.skip_symbol(",")) break;
        is_tuple = true;
    }
    if (is_tuple) return node;
    if (!node->items.empty()) return std::move(node->items.front());
    if (!in_parentheses)
        fail_at(stream_.line(), "Expected an expression, got '{}'", TokenStream::describe(stream_.current()));
    return node;
}

ExpressionPtr ExpressionParser::parse_list() {
    auto node = std::make_unique<ListExpression>(ListKind::list, stream_.line());
    stream_.expect_symbol("[");
    while (!stream_.at_symbol("]")) {
        if (!node->items.empty()) {
            stream_.expect_symbol(",");
            if (stream_.at_symbol("]")) break;
        }
        node->items.push_back(parse_expression());
        adopt(*node, node->items.back());
    }
    stream_.expect_symbol("]");
    return node;
}

ExpressionPtr ExpressionParser::parse_dict() {
    auto node = std::make_unique<DictExpression>(stream_.line());
    stream_.expect_symbol("{");
    while (!stream_.at_symbol("}")) {
        if (!node->members.empty()) {
            stream_.expect_symbol(",");
            if (stream_.at_symbol("}")) break;
        }
        ExpressionPtr key = parse_expression();
        stream_.expect_symbol(":");
        ExpressionPtr value = parse_expression();
        adopt(*node, key);
        adopt(*node, value);
        node->members.emplace_back(std::move(key), std::move(value));
    }
    stream_.expect_symbol("}");
    return node;
}

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr object) {
    while (true) {
        if (stream_.at_symbol(".") || stream_.at_symbol("["))
            object = parse_subscript(std::move(object));
        else if (stream_.at_symbol("("))
            object = parse_call(std::move(object));
        else
            return object;
    }
}

ExpressionPtr ExpressionParser::parse_filters_and_tests(ExpressionPtr subject) {
    while (true) {
        if (stream_.at_symbol("|"))
            subject = parse_filters(std::move(subject));
        else if (stream_.at_name("is"))
            subject = parse_test(std::move(subject));
        else if (stream_.at_symbol("("))
            subject = parse_call(std::move(subject));
        else
            return subject;
    }
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr object) {
    const int line = stream_.line();
    if (stream_.skip_symbol(".") && stream_.at(TokenType::name)) {
        auto node = std::make_unique<AttributeExpression>(line);
        node->name = Value(shared(stream_.next().text));
        adopt(*node, object);
        node->object = std::move(object);
        return node;
    }
    auto node = std::make_unique<ItemExpression>(line);
    if (stream_.at(TokenType::integer)) {
        node->key = std::make_unique<Constant>(Value::integer(stream_.next().text), line);
    } else {
        if (!stream_.at_symbol("[")) fail_at(stream_.line(), "expected name or number");
        node->key = parse_subscript_key();
    }
    adopt(*node, object);
    adopt(*node, node->key);
    node->object = std::move(object);
    return node;
}

// `[key]`, `[start:stop:step]` or `[a, b]`, which is a tuple.
ExpressionPtr ExpressionParser::parse_subscript_key() {
    const int line = stream_.line();
    stream_.expect_symbol("[");
    auto slice = std::make_unique<SliceExpression>(line);
    const auto at_bound_end = [&] {
        return stream_.at_symbol(":") || stream_.at_symbol("]") || stream_.at_symbol(",");
    };
    if (!stream_.at_symbol(":")) {
        ExpressionPtr key = parse_expression();
        if (!stream_.at_symbol(":")) {
            auto tuple = std::make_unique<ListExpression>(ListKind::tuple, line);
            const bool is_tuple = stream_.at_symbol(",");
            if (is_tuple) tuple->items.push_back(std::move(key));
            while (stream_.skip_symbol(",")) tuple->items.push_back(parse_expression());
            stream_.expect_symbol("]");
            for (const ExpressionPtr& item : tuple->items) adopt(*tuple, item);
            return is_tuple ? std::move(tuple) : std::move(key);
        }
        slice->start = std::move(key);
    }
    stream_.expect_symbol(":");
    if (!at_bound_end()) slice->stop = parse_expression();
    if (stream_.skip_symbol(":") && !at_bound_end()) slice->step = parse_expression();
    stream_.expect_symbol("]");
    adopt(*slice, slice->start);
    adopt(*slice, slice->stop);
    adopt(*slice, slice->step);
    return slice;
}

ExpressionPtr ExpressionParser::parse_call(ExpressionPtr callee) {
    auto node = std::make_unique<CallExpression>(stream_.line());
    node->arguments = parse_arguments();
    adopt(*node, callee);
    adopt(*node, node->arguments);
    node->callee = std::move(callee);
    return node;
}

CallArguments ExpressionParser::parse_arguments() {
    const int line = stream_.line();
    CallArguments arguments;
    stream_.expect_symbol("(");
    bool needs_comma = false;
    while (!stream_.at_symbol(")")) {
        if (needs_comma) {
            stream_.expect_symbol(",");
            if (stream_.at_symbol(")")) break;
        }
        parse_argument(arguments, line);
        needs_comma = true;
    }
    stream_.expect_symbol(")");
    return arguments;
}

void ExpressionParser::parse_argument(CallArguments& arguments, int line) {
    const auto ensure = [line](bool allowed) {
        if (!allowed) fail_at(line, "invalid syntax for function call expression");
    };
    if (stream_.skip_symbol("*")) {
        ensure(!arguments.spread_positional && !arguments.spread_keyword);
        arguments.spread_positional = parse_expression();
    } else if (stream_.skip_symbol("**")) {
        ensure(!arguments.spread_keyword);
        arguments.spread_keyword = parse_expression();
    } else if (stream_.at(TokenType::name) && stream_.looks_symbol("=")) {
        ensure(!arguments.spread_keyword);
        StringPtr name = parse_name();
        stream_.next();
        arguments.keyword.emplace_back(std::move(name), parse_expression());
    } else {
        ensure(!arguments.spread_positional && !arguments.spread_keyword && arguments.keyword.empty());
        arguments.positional.push_back(parse_expression());
    }
}

ExpressionPtr ExpressionParser::parse_filters(ExpressionPtr subject, bool starts_inline) {
    while (starts_inline || stream_.skip_symbol("|")) {
        starts_inline = false;
        auto node = std::make_unique<FilterExpression>(ExpressionKind::filter, stream_.line());
        node->name = parse_dotted_name();
        node->builtin = find_filter(*node->name);
        if (stream_.at_symbol("(")) node->arguments = parse_arguments();
        adopt(*node, subject);
        adopt(*node, node->arguments);
        node->subject = std::move(subject);
        subject = std::move(node);
    }
    return subject;
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr subject) {
    auto node = std::make_unique<FilterExpression>(ExpressionKind::test, stream_.line());
    stream_.expect_name("is");
    const bool negated = stream_.skip_name("not");
    node->name = parse_dotted_name();
    node->builtin = find_test(*node->name);
    const TokenType type = stream_.current().type;
    const bool ends = stream_.at_name("else") || stream_.at_name("or") || stream_.at_name("and");
    if (stream_.at_symbol("(")) {
        node->arguments = parse_arguments();
    } else if (!ends && (type == TokenType::name || type == TokenType::string || type == TokenType::integer ||
                         type == TokenType::real || stream_.at_symbol("[") || stream_.at_symbol("{"))) {
        if (stream_.at_name("is")) fail_at(stream_.line(), "You cannot chain multiple tests with is");
        node->arguments.positional.push_back(parse_postfix(parse_primary()));
    }
    adopt(*node, subject);
    adopt(*node, node->arguments);
    const int line = node->line;
    node->subject = std::move(subject);
    return negated ? make_unary(ExpressionKind::logical_not, std::move(node), line) : std::move(node);
}

StringPtr ExpressionParser::parse_name() {
    return shared(stream_.expect(TokenType::name, "name").text);
}

StringPtr ExpressionParser::parse_dotted_name() {
    std::string name = *parse_name();
    while (stream_.skip_symbol(".")) (name += ".") += *parse_name();
    return shared(std::move(name));
}

Target ExpressionParser::parse_target(std::string_view end_name, bool with_namespace) {
    Target tuple;
    const int line = stream_.line();
    while (!at_tuple_end(end_name)) {
        tuple.parts.push_back(parse_single_target(with_namespace));
        if (!stream_.skip_symbol(",")) break;
        tuple.is_tuple = true;
    }
    if (tuple.parts.empty())
        fail_at(line, "Expected an expression, got '{}'", TokenStream::describe(stream_.current()));
    if (tuple.is_tuple) return tuple;
    Target single = std::move(tuple.parts.front());
    return single;
}

Target ExpressionParser::parse_single_target(bool with_namespace) {
    const int line = stream_.line();
    const NestingGuard guard(nesting_, line);
    if (stream_.skip_symbol("(")) {
        Target inner = parse_target({}, with_namespace);
        stream_.expect_symbol(")");
        return inner;
    }
    if (!stream_.at(TokenType::name)) fail_at(line, "can't assign to '{}'", TokenStream::describe(stream_.current()));
    Target target;
    target.name = parse_name();
    for (const std::string_view reserved : {"true", "false", "none", "True", "False", "None"})
        if (*target.name == reserved) fail_at(line, "can't assign to '{}'", reserved);
    if (with_namespace && stream_.skip_symbol(".")) {
        target.object = std::make_unique<Name>(target.name, line);
        target.name = parse_name();
    }
    return target;
}

}  // namespace glm5::chat::jinja
