// Expressions, attribute access and calls.
#include <algorithm>

#include "chat/jinja/evaluator.h"
#include "chat/jinja/evaluator_guards.h"

namespace glm5::chat::jinja {

Value Evaluator::evaluate(const Expression& expression) {
    const DepthGuard guard(*this);
    budget_.step();
    line_ = expression.line;
    switch (expression.kind) {
        case ExpressionKind::constant: return static_cast<const Constant&>(expression).value;
        case ExpressionKind::name: return evaluate_name(static_cast<const Name&>(expression));
        case ExpressionKind::list: {
            const auto& node = static_cast<const ListExpression&>(expression);
            std::vector<Value> items;
            items.reserve(node.items.size());
            for (const ExpressionPtr& item : node.items) items.push_back(evaluate(*item));
            return make_list(std::move(items), node.list_kind);
        }
        case ExpressionKind::dict: return evaluate_dict(static_cast<const DictExpression&>(expression));
        case ExpressionKind::attribute: {
            const auto& node = static_cast<const AttributeExpression&>(expression);
            return get_attribute(evaluate(*node.object), node.name);
        }
        case ExpressionKind::item: return evaluate_item(static_cast<const ItemExpression&>(expression));
        case ExpressionKind::slice: fail("a slice stands where a value is needed");
        case ExpressionKind::call: return evaluate_call(static_cast<const CallExpression&>(expression), Value());
        case ExpressionKind::filter: {
            const auto& node = static_cast<const FilterExpression&>(expression);
            return evaluate_filter(node, evaluate(*node.subject));
        }
        case ExpressionKind::test: return evaluate_test(static_cast<const FilterExpression&>(expression));
        case ExpressionKind::negate: return negate(evaluate(*static_cast<const UnaryExpression&>(expression).operand));
        case ExpressionKind::plus: return plus(evaluate(*static_cast<const UnaryExpression&>(expression).operand));
        case ExpressionKind::logical_not:
            return Value(!is_true(evaluate(*static_cast<const UnaryExpression&>(expression).operand)));
        case ExpressionKind::logical_and: {
            const auto& node = static_cast<const BinaryExpression&>(expression);
            Value left = evaluate(*node.left);
            return is_true(left) ? evaluate(*node.right) : left;
        }
        case ExpressionKind::logical_or: {
            const auto& node = static_cast<const BinaryExpression&>(expression);
            Value left = evaluate(*node.left);
            return is_true(left) ? left : evaluate(*node.right);
        }
        case ExpressionKind::binary: {
            const auto& node = static_cast<const BinaryExpression&>(expression);
            const Value left = evaluate(*node.left);
            const Value right = evaluate(*node.right);
            return calculate(node.op, left, right, budget_);
        }
        case ExpressionKind::concat: return evaluate_concat(static_cast<const ConcatExpression&>(expression));
        case ExpressionKind::compare: return evaluate_compare(static_cast<const CompareExpression&>(expression));
        case ExpressionKind::conditional:
            return evaluate_conditional(static_cast<const ConditionalExpression&>(expression));
    }
    return Value();
}

Value Evaluator::evaluate_name(const Name& name) {
    Frame* frame = frame_;
    int hops = 0;
    for (const Place& place : name.places) {
        for (; hops < place.hops; ++hops) frame = frame->parent;
        const Value& held = frame->slots[static_cast<size_t>(place.slot)];
        if (!held.is_missing()) return held;
    }
    if (name.global >= 0) {
        Value value = global_value(name.global);
        if (!value.is_missing()) return value;
    }
    return name.undefined;
}

// What render() was given, else a function of the engine; converted when first read.
Value Evaluator::global_value(int index) {
    Value& held = globals_[static_cast<size_t>(index)];
    if (!held.is_missing()) return held;
    const std::string& name = *tree_.globals[static_cast<size_t>(index)];
    if (const json::Value* given = variables_.find(name))
        held = from_json(*given);
    else if (const Builtin* builtin = find_global(name))
        held = Value(std::make_shared<const Callable>(*builtin, Value()));
    return held;
}

Value Evaluator::evaluate_dict(const DictExpression& node) {
    auto mapping = std::make_shared<Mapping>();
    budget_.allocate(node.members.size() + 1, 4 * sizeof(Value));
    for (const auto& [key, value] : node.members) {
        Value evaluated_key = evaluate(*key);
        mapping->set(std::move(evaluated_key), evaluate(*value));
    }
    return Value(std::shared_ptr<const Mapping>(std::move(mapping)));
}

Value Evaluator::evaluate_item(const ItemExpression& node) {
    const Value object = evaluate(*node.object);
    if (node.key->kind != ExpressionKind::slice) return get_item(object, evaluate(*node.key));
    const auto& bounds = static_cast<const SliceExpression&>(*node.key);
    const auto bound = [&](const ExpressionPtr& expression) {
        return expression ? evaluate(*expression) : Value(None{});
    };
    const Value start = bound(bounds.start);
    const Value stop = bound(bounds.stop);
    const Value step = bound(bounds.step);
    return slice(object, start, stop, step, budget_);
}

Value Evaluator::get_attribute(const Value& object, const Value& name) {
    const std::string& text = name.as_string();
    if (object.is_undefined()) fail("{}", object.as_undefined().message());
    if (object.is_loop()) {
        Value value = object.as_loop().attribute(text);
        if (!value.is_missing()) return value;
    }
    if (object.is_namespace()) {
        if (const Value* held = object.as_namespace().find(text)) return *held;
        return undefined_member(object, name);
    }
    if (const Builtin* method = find_method(object, text)) {
        budget_.allocate(sizeof(Callable));
        return Value(std::make_shared<const Callable>(*method, object));
    }
    if (is_unsafe_member(object, text))
        return undefined_message(
            fmt::format("access to attribute '{}' of '{}' object is unsafe.", text, object.type_name()));
    if (object.is_mapping()) {
        if (const Value* held = object.as_mapping().find(text)) return *held;
    }
    return undefined_member(object, name);
}

Value Evaluator::get_item(const Value& object, const Value& key) {
    if (object.is_undefined()) fail("{}", object.as_undefined().message());
    Value found = find_item(object, key, budget_);
    if (!found.is_missing()) return found;
    return key.is_string() ? get_attribute(object, key) : undefined_member(object, key);
}

Arguments Evaluator::evaluate_arguments(const CallArguments& given) {
    Arguments arguments;
    arguments.positional.reserve(given.positional.size());
    for (const ExpressionPtr& argument : given.positional) arguments.positional.push_back(evaluate(*argument));
    if (given.spread_positional) {
        for (Value& item : iterate(evaluate(*given.spread_positional), budget_))
            arguments.positional.push_back(std::move(item));
    }
    for (const auto& [name, argument] : given.keyword) arguments.keyword.emplace_back(name, evaluate(*argument));
    if (given.spread_keyword) {
        const Value spread = evaluate(*given.spread_keyword);
        if (!spread.is_mapping()) fail("argument after ** must be a mapping, not {}", spread.type_name());
        budget_.allocate(spread.as_mapping().members().size(), 2 * sizeof(Value));
        for (const auto& [key, value] : spread.as_mapping().members()) {
            if (!key.is_string()) fail("keywords must be strings");
            arguments.keyword.emplace_back(key.as_string_pointer(), value);
        }
    }
    return arguments;
}

// A method is called where it stands, without a value for it.
Value Evaluator::evaluate_call(const CallExpression& node, Value caller) {
    if (node.callee->kind == ExpressionKind::attribute && caller.is_missing()) {
        const auto& attribute = static_cast<const AttributeExpression&>(*node.callee);
        const Value object = evaluate(*attribute.object);
        if (const Builtin* method = find_method(object, attribute.name.as_string())) {
            Arguments arguments = evaluate_arguments(node.arguments);
            line_ = node.line;
            return call_builtin(*this, *method, object, std::move(arguments));
        }
        const Value callee = get_attribute(object, attribute.name);
        Arguments arguments = evaluate_arguments(node.arguments);
        line_ = node.line;
        return call(callee, std::move(arguments));
    }
    const Value callee = evaluate(*node.callee);
    Arguments arguments = evaluate_arguments(node.arguments);
    line_ = node.line;
    if (caller.is_missing()) return call(callee, std::move(arguments));
    if (!callee.is_macro()) fail("a call block needs a macro, not {}", callee.type_name());
    return call_macro(callee.as_macro(), std::move(arguments), std::move(caller));
}

Value Evaluator::call(const Value& callee, Arguments arguments) {
    if (callee.is_undefined()) fail("{}", callee.as_undefined().message());
    if (callee.is_macro()) return call_macro(callee.as_macro(), std::move(arguments), Value());
    if (!callee.is_callable()) fail("'{}' object is not callable", callee.type_name());
    const Callable& callable = callee.as_callable();
    return call_builtin(*this, *callable.builtin, callable.subject, std::move(arguments));
}

Value Evaluator::evaluate_filter(const FilterExpression& node, Value subject) {
    if (!node.builtin) fail_at(node.line, "No filter named '{}'.", *node.name);
    Arguments arguments = evaluate_arguments(node.arguments);
    line_ = node.line;
    return call_builtin(*this, *node.builtin, subject, std::move(arguments));
}

Value Evaluator::apply_filters(const FilterExpression& node, Value text) {
    if (node.subject) text = apply_filters(static_cast<const FilterExpression&>(*node.subject), std::move(text));
    return evaluate_filter(node, std::move(text));
}

Value Evaluator::evaluate_test(const FilterExpression& node) {
    if (!node.builtin) fail_at(node.line, "No test named '{}'.", *node.name);
    const Value subject = evaluate(*node.subject);
    Arguments arguments = evaluate_arguments(node.arguments);
    line_ = node.line;
    return call_builtin(*this, *node.builtin, subject, std::move(arguments));
}

Value Evaluator::call_filter(std::string_view name, const Value& subject, Arguments arguments) {
    const Builtin* builtin = find_filter(name);
    if (!builtin) fail("No filter named '{}'.", name);
    return call_builtin(*this, *builtin, subject, std::move(arguments));
}

bool Evaluator::call_test(std::string_view name, const Value& subject, Arguments arguments) {
    const Builtin* builtin = find_test(name);
    if (!builtin) fail("No test named '{}'.", name);
    return is_true(call_builtin(*this, *builtin, subject, std::move(arguments)));
}

Value Evaluator::evaluate_concat(const ConcatExpression& node) {
    std::string text;
    for (const ExpressionPtr& part : node.parts) {
        const Value value = evaluate(*part);
        const size_t before = text.size();
        append_string(text, value, budget_);
        budget_.allocate(text.size() - before);
    }
    return Value::string(std::move(text));
}

Value Evaluator::evaluate_compare(const CompareExpression& node) {
    Value left = evaluate(*node.first);
    for (const auto& [op, operand] : node.rest) {
        Value right = evaluate(*operand);
        if (!compare(op, left, right, budget_)) return Value(false);
        left = std::move(right);
    }
    return Value(true);
}

Value Evaluator::evaluate_conditional(const ConditionalExpression& node) {
    if (is_true(evaluate(*node.condition))) return evaluate(*node.then);
    if (node.otherwise) return evaluate(*node.otherwise);
    return undefined_message(fmt::format(
        "the inline if-expression on line {} evaluated to false and no else section was defined.", node.line));
}

}  // namespace glm5::chat::jinja
