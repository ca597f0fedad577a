// Walks over expressions and statements.
#include "chat/jinja/names.h"

#include <algorithm>

namespace glm5::chat::jinja {
namespace {

using Visit = std::function<void(Name&)>;

void visit_arguments(CallArguments& arguments, const Visit& visit) {
    for (ExpressionPtr& argument : arguments.positional) visit_names(argument.get(), visit);
    for (auto& [name, argument] : arguments.keyword) visit_names(argument.get(), visit);
    visit_names(arguments.spread_positional.get(), visit);
    visit_names(arguments.spread_keyword.get(), visit);
}

bool loads_name(Expression* expression, std::string_view wanted) {
    bool found = false;
    visit_names(expression, [&](Name& name) { found = found || *name.name == wanted; });
    return found;
}

}  // namespace

void visit_names(Expression* expression, const Visit& visit) {
    if (!expression) return;
    const auto walk = [&](const ExpressionPtr& child) { visit_names(child.get(), visit); };
    switch (expression->kind) {
        case ExpressionKind::constant: return;
        case ExpressionKind::name: return visit(static_cast<Name&>(*expression));
        case ExpressionKind::list:
            for (const auto& item : static_cast<ListExpression&>(*expression).items) walk(item);
            return;
        case ExpressionKind::dict:
            for (const auto& [key, value] : static_cast<DictExpression&>(*expression).members) walk(key), walk(value);
            return;
        case ExpressionKind::attribute: return walk(static_cast<AttributeExpression&>(*expression).object);
        case ExpressionKind::item: {
            auto& item = static_cast<ItemExpression&>(*expression);
            return walk(item.object), walk(item.key);
        }
        case ExpressionKind::slice: {
            auto& slice = static_cast<SliceExpression&>(*expression);
            return walk(slice.start), walk(slice.stop), walk(slice.step);
        }
        case ExpressionKind::call: {
            auto& call = static_cast<CallExpression&>(*expression);
            walk(call.callee);
            return visit_arguments(call.arguments, visit);
        }
        case ExpressionKind::filter:
        case ExpressionKind::test: {
            auto& filter = static_cast<FilterExpression&>(*expression);
            walk(filter.subject);
            return visit_arguments(filter.arguments, visit);
        }
        case ExpressionKind::negate:
        case ExpressionKind::plus:
        case ExpressionKind::logical_not: return walk(static_cast<UnaryExpression&>(*expression).operand);
        case ExpressionKind::logical_and:
        case ExpressionKind::logical_or:
        case ExpressionKind::binary: {
            auto& binary = static_cast<BinaryExpression&>(*expression);
            return walk(binary.left), walk(binary.right);
        }
        case ExpressionKind::concat:
            for (const auto& part : static_cast<ConcatExpression&>(*expression).parts) walk(part);
            return;
        case ExpressionKind::compare: {
            auto& comparison = static_cast<CompareExpression&>(*expression);
            walk(comparison.first);
            for (const auto& [op, operand] : comparison.rest) walk(operand);
            return;
        }
        case ExpressionKind::conditional: {
            auto& conditional = static_cast<ConditionalExpression&>(*expression);
            return walk(conditional.condition), walk(conditional.then), walk(conditional.otherwise);
        }
    }
}

bool uses_name(const Body& body, std::string_view wanted) {
    const auto in = [&](const ExpressionPtr& expression) { return loads_name(expression.get(), wanted); };
    const auto in_macro = [&](const MacroDefinition& macro) {
        return uses_name(macro.scope.body, wanted) ||
               std::any_of(macro.parameters.begin(), macro.parameters.end(),
                           [&](const Parameter& p) { return in(p.default_value); });
    };
    return std::any_of(body.begin(), body.end(), [&](const StatementPtr& statement) {
        switch (statement->kind) {
            case StatementKind::text:
            case StatementKind::break_loop:
            case StatementKind::continue_loop: return false;
            case StatementKind::print: return in(static_cast<PrintStatement&>(*statement).value);
            case StatementKind::set: return in(static_cast<SetStatement&>(*statement).value);
            case StatementKind::set_block: {
                auto& node = static_cast<SetBlockStatement&>(*statement);
                return in(node.filter) || uses_name(node.scope.body, wanted);
            }
            case StatementKind::if_branch: {
                auto& node = static_cast<IfStatement&>(*statement);
                return uses_name(node.otherwise, wanted) ||
                       std::any_of(node.branches.begin(), node.branches.end(), [&](const auto& branch) {
                           return in(branch.first) || uses_name(branch.second, wanted);
                       });
            }
            case StatementKind::for_loop: {
                auto& node = static_cast<ForStatement&>(*statement);
                return in(node.iterable) || in(node.test) || uses_name(node.scope.body, wanted) ||
                       uses_name(node.otherwise.body, wanted);
            }
            case StatementKind::macro: return in_macro(static_cast<MacroStatement&>(*statement).definition);
            case StatementKind::call_block: {
                auto& node = static_cast<CallBlockStatement&>(*statement);
                return loads_name(node.call.get(), wanted) || in_macro(node.definition);
            }
            case StatementKind::filter_block: {
                auto& node = static_cast<FilterBlockStatement&>(*statement);
                return in(node.filter) || uses_name(node.scope.body, wanted);
            }
            case StatementKind::with: {
                auto& node = static_cast<WithStatement&>(*statement);
                return uses_name(node.scope.body, wanted) ||
                       std::any_of(node.assignments.begin(), node.assignments.end(),
                                   [&](const auto& a) { return in(a.second); });
            }
            case StatementKind::scope: return uses_name(static_cast<ScopeStatement&>(*statement).scope.body, wanted);
        }
        return false;
    });
}

}  // namespace glm5::chat::jinja
