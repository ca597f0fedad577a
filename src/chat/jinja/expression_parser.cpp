// Operators by precedence: conditional, or, and, not, comparison, sum, concatenation, product, power, unary.
#include "chat/jinja/expression_parser.h"

#include <algorithm>

#include "chat/jinja/parser.h"

namespace glm5::chat::jinja {

NestingGuard::NestingGuard(int& depth, int line) : depth_(depth) {
    if (++depth_ > kMaxSyntaxDepth) {
        --depth_;
        fail_at(line, "the template is nested deeper than {} levels", kMaxSyntaxDepth);
    }
}

Name::Name(StringPtr text, int at_line)
    : Expression(ExpressionKind::name, at_line), name(std::move(text)), undefined(undefined_variable(name)) {}

void adopt(Expression& parent, const ExpressionPtr& child) {
    if (!child) return;
    parent.depth = std::max(parent.depth, child->depth + 1);
    if (parent.depth > 2 * kMaxSyntaxDepth)
        fail_at(parent.line, "an expression is nested deeper than {} levels", 2 * kMaxSyntaxDepth);
}

ExpressionPtr make_unary(ExpressionKind kind, ExpressionPtr operand, int line) {
    auto node = std::make_unique<UnaryExpression>(kind, line);
    adopt(*node, operand);
    node->operand = std::move(operand);
    return node;
}

namespace {

ExpressionPtr make_binary(ExpressionKind kind, BinaryOperator op, ExpressionPtr left, ExpressionPtr right) {
    auto node = std::make_unique<BinaryExpression>(kind, left->line);
    node->op = op;
    adopt(*node, left);
    adopt(*node, right);
    node->left = std::move(left);
    node->right = std::move(right);
    return node;
}

}  // namespace

ExpressionPtr ExpressionParser::parse_expression(bool with_conditional) {
    const NestingGuard guard(nesting_, stream_.line());
    ExpressionPtr expression = parse_or();
    while (with_conditional && stream_.skip_name("if")) {
        auto node = std::make_unique<ConditionalExpression>(expression->line);
        node->then = std::move(expression);
        node->condition = parse_or();
        if (stream_.skip_name("else")) node->otherwise = parse_expression();
        adopt(*node, node->then);
        adopt(*node, node->condition);
        adopt(*node, node->otherwise);
        expression = std::move(node);
    }
    return expression;
}

ExpressionPtr ExpressionParser::parse_or() {
    ExpressionPtr left = parse_and();
    while (stream_.skip_name("or"))
        left = make_binary(ExpressionKind::logical_or, BinaryOperator::add, std::move(left), parse_and());
    return left;
}

ExpressionPtr ExpressionParser::parse_and() {
    ExpressionPtr left = parse_not();
    while (stream_.skip_name("and"))
        left = make_binary(ExpressionKind::logical_and, BinaryOperator::add, std::move(left), parse_not());
    return left;
}

ExpressionPtr ExpressionParser::parse_not() {
    const int line = stream_.line();
    if (!stream_.skip_name("not")) return parse_comparison();
    const NestingGuard guard(nesting_, line);
    return make_unary(ExpressionKind::logical_not, parse_not(), line);
}

ExpressionPtr ExpressionParser::parse_comparison() {
    static constexpr std::pair<std::string_view, CompareOperator> kOperators[] = {
        {"==", CompareOperator::equal},  {"!=", CompareOperator::not_equal},
        {"<", CompareOperator::less},    {"<=", CompareOperator::less_equal},
        {">", CompareOperator::greater}, {">=", CompareOperator::greater_equal}};
    auto node = std::make_unique<CompareExpression>(stream_.line());
    node->first = parse_sum();
    while (true) {
        const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                         [&](const auto& entry) { return stream_.at_symbol(entry.first); });
        CompareOperator op;
        if (found != std::end(kOperators)) {
            op = found->second;
        } else if (stream_.at_name("in")) {
            op = CompareOperator::in;
        } else if (stream_.at_name("not") && stream_.looks_name("in")) {
            op = CompareOperator::not_in;
            stream_.next();
        } else {
            break;
        }
        stream_.next();
        node->rest.emplace_back(op, parse_sum());
    }
    if (node->rest.empty()) return std::move(node->first);
    adopt(*node, node->first);
    for (const auto& [op, operand] : node->rest) adopt(*node, operand);
    return node;
}

ExpressionPtr ExpressionParser::parse_sum() {
    ExpressionPtr left = parse_concat();
    while (stream_.at_symbol("+") || stream_.at_symbol("-")) {
        const BinaryOperator op = stream_.next().text == "+" ? BinaryOperator::add : BinaryOperator::subtract;
        left = make_binary(ExpressionKind::binary, op, std::move(left), parse_concat());
    }
    return left;
}

ExpressionPtr ExpressionParser::parse_concat() {
    ExpressionPtr first = parse_product();
    if (!stream_.at_symbol("~")) return first;
    auto node = std::make_unique<ConcatExpression>(first->line);
    node->parts.push_back(std::move(first));
    while (stream_.skip_symbol("~")) node->parts.push_back(parse_product());
    for (const ExpressionPtr& part : node->parts) adopt(*node, part);
    return node;
}

ExpressionPtr ExpressionParser::parse_product() {
    ExpressionPtr left = parse_power();
    while (true) {
        BinaryOperator op;
        if (stream_.at_symbol("*"))
            op = BinaryOperator::multiply;
        else if (stream_.at_symbol("/"))
            op = BinaryOperator::divide;
        else if (stream_.at_symbol("//"))
            op = BinaryOperator::floor_divide;
        else if (stream_.at_symbol("%"))
            op = BinaryOperator::modulo;
        else
            return left;
        stream_.next();
        left = make_binary(ExpressionKind::binary, op, std::move(left), parse_power());
    }
}

ExpressionPtr ExpressionParser::parse_power() {
    ExpressionPtr left = parse_unary();
    while (stream_.skip_symbol("**"))
        left = make_binary(ExpressionKind::binary, BinaryOperator::power, std::move(left), parse_unary());
    return left;
}

ExpressionPtr ExpressionParser::parse_unary(bool with_filters) {
    const int line = stream_.line();
    ExpressionPtr node;
    if (stream_.at_symbol("-") || stream_.at_symbol("+")) {
        const NestingGuard guard(nesting_, line);
        const ExpressionKind kind = stream_.next().text == "-" ? ExpressionKind::negate : ExpressionKind::plus;
        node = make_unary(kind, parse_unary(false), line);
    } else {
        node = parse_primary();
    }
    node = parse_postfix(std::move(node));
    return with_filters ? parse_filters_and_tests(std::move(node)) : std::move(node);
}

}  // namespace glm5::chat::jinja
