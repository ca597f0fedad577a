// Statements, frames and macros.
#include "chat/jinja/evaluator.h"

#include <algorithm>

#include "chat/jinja/evaluator_guards.h"

namespace glm5::chat::jinja {

Evaluator::Evaluator(const SyntaxTree& tree, const json::Object& variables, const Limits& limits)
    : tree_(tree), variables_(variables), budget_(limits), globals_(tree.globals.size()) {}

std::string Evaluator::run() {
    return capture(tree_.root);
}

Frame* Evaluator::make_frame(int num_slots) {
    if (free_frames_.empty()) {
        budget_.allocate(sizeof(Frame));
        frames_.push_back(std::make_unique<Frame>());
        free_frames_.push_back(frames_.back().get());
    }
    budget_.step();
    Frame* frame = free_frames_.back();
    free_frames_.pop_back();
    frame->parent = frame_;
    frame->slots.resize(static_cast<size_t>(num_slots));
    return frame;
}

void Evaluator::release_frame(Frame* frame) {
    if (frame->is_captured) return;  // lives on until the render ends
    frame->slots.clear();
    free_frames_.push_back(frame);
}

void Evaluator::capture_frame(Frame* frame) {
    for (; frame && !frame->is_captured; frame = frame->parent) {
        frame->is_captured = true;
        budget_.allocate(frame->slots.size() + 1, sizeof(Value));
    }
}

Namespace* Evaluator::make_namespace() {
    budget_.allocate(sizeof(Namespace) + sizeof(void*));
    namespaces_.push_back(std::make_unique<Namespace>());
    return namespaces_.back().get();
}

void Evaluator::write(std::string_view text) {
    if (text.size() > static_cast<size_t>(budget_.limits().output_bytes) - out_->size())
        fail("the output is larger than {} bytes", budget_.limits().output_bytes);
    budget_.allocate(text.size());
    out_->append(text);
}

void Evaluator::print(const Value& value) {
    if (value.is_string()) return write(value.as_string());
    if (!value.is_undefined()) write(to_string(value, budget_));
}

// What a body writes, as a text that is counted already.
std::string Evaluator::capture(const ScopedBody& scope) {
    std::string text;
    const RestoreOnExit<std::string*> restore(out_, &text);
    const FrameScope frame(*this, scope.num_slots);
    run_body(scope.body);
    return text;
}

Evaluator::Flow Evaluator::run_body(const Body& body) {
    for (const StatementPtr& statement : body) {
        const Flow flow = run_statement(*statement);
        if (flow != Flow::normal) return flow;
    }
    return Flow::normal;
}

Evaluator::Flow Evaluator::run_statement(const Statement& statement) {
    const DepthGuard guard(*this);
    budget_.step();
    line_ = statement.line;
    switch (statement.kind) {
        case StatementKind::text: write(static_cast<const TextStatement&>(statement).text); break;
        case StatementKind::print: print(evaluate(*static_cast<const PrintStatement&>(statement).value)); break;
        case StatementKind::set: run_set(static_cast<const SetStatement&>(statement)); break;
        case StatementKind::set_block: run_set_block(static_cast<const SetBlockStatement&>(statement)); break;
        case StatementKind::if_branch: return run_if(static_cast<const IfStatement&>(statement));
        case StatementKind::for_loop: return run_for(static_cast<const ForStatement&>(statement));
        case StatementKind::macro: run_macro(static_cast<const MacroStatement&>(statement)); break;
        case StatementKind::call_block: run_call_block(static_cast<const CallBlockStatement&>(statement)); break;
        case StatementKind::filter_block: run_filter_block(static_cast<const FilterBlockStatement&>(statement)); break;
        case StatementKind::with: return run_with(static_cast<const WithStatement&>(statement));
        case StatementKind::scope: {
            const ScopedBody& scope = static_cast<const ScopeStatement&>(statement).scope;
            const FrameScope frame(*this, scope.num_slots);
            return run_body(scope.body);
        }
        case StatementKind::break_loop: return Flow::break_loop;
        case StatementKind::continue_loop: return Flow::continue_loop;
    }
    return Flow::normal;
}

Evaluator::Flow Evaluator::run_if(const IfStatement& node) {
    for (const auto& [condition, body] : node.branches)
        if (is_true(evaluate(*condition))) return run_body(body);
    return run_body(node.otherwise);
}

void Evaluator::run_set(const SetStatement& node) {
    assign(node.target, evaluate(*node.value));
}

void Evaluator::run_set_block(const SetBlockStatement& node) {
    Value text = Value::string(capture(node.scope));
    if (node.filter) text = apply_filters(static_cast<const FilterExpression&>(*node.filter), std::move(text));
    assign(node.target, std::move(text));
}

void Evaluator::run_filter_block(const FilterBlockStatement& node) {
    Value text = Value::string(capture(node.scope));
    print(apply_filters(static_cast<const FilterExpression&>(*node.filter), std::move(text)));
}

void Evaluator::assign(const Target& target, Value value) {
    if (target.object) return assign_namespace(target, std::move(value));
    if (!target.is_tuple) {
        frame_->slots[static_cast<size_t>(target.slot)] = std::move(value);
        return;
    }
    const std::vector<Value> items = iterate(value, budget_);
    if (items.size() < target.parts.size())
        fail("not enough values to unpack (expected {}, got {})", target.parts.size(), items.size());
    if (items.size() > target.parts.size()) fail("too many values to unpack (expected {})", target.parts.size());
    for (size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
}

void Evaluator::assign_namespace(const Target& target, Value value) {
    const Value object = evaluate_name(*target.object);
    if (!object.is_namespace()) fail("cannot assign attribute on non-namespace object");
    budget_.allocate(sizeof(Value));
    object.as_namespace().set(target.name, std::move(value));
}

std::vector<Value> Evaluator::filter_items(const ForStatement& node, std::vector<Value> items) {
    std::vector<Value> chosen;
    const FrameScope frame(*this, node.test_slots);
    for (Value& item : items) {
        budget_.step();
        assign(node.test_target, item);
        if (is_true(evaluate(*node.test))) chosen.push_back(std::move(item));
    }
    return chosen;
}

Evaluator::Flow Evaluator::run_for(const ForStatement& node) {
    std::vector<Value> items = iterate(evaluate(*node.iterable), budget_);
    if (node.test) items = filter_items(node, std::move(items));
    const LoopGuard loop(node.loop_slot >= 0, items);
    const std::vector<Value>& sequence = loop.items(items);
    bool runs_else = true;  // as in Jinja, until one iteration ends without break or continue
    {
        const FrameScope frame(*this, node.scope.num_slots);
        for (size_t i = 0; i < sequence.size(); ++i) {
            budget_.step();
            std::fill(frame_->slots.begin(), frame_->slots.end(), Value());
            if (loop.state()) {
                loop.state()->index = i;
                frame_->slots[static_cast<size_t>(node.loop_slot)] = Value(loop.state());
            }
            line_ = node.line;
            assign(node.target, sequence[i]);
            const Flow flow = run_body(node.scope.body);
            if (flow == Flow::normal) runs_else = false;
            if (flow == Flow::break_loop) break;
        }
    }
    if (!runs_else) return Flow::normal;
    const FrameScope frame(*this, node.otherwise.num_slots);
    return run_body(node.otherwise.body);
}

Evaluator::Flow Evaluator::run_with(const WithStatement& node) {
    std::vector<Value> values;
    for (const auto& [target, value] : node.assignments) values.push_back(evaluate(*value));
    const FrameScope frame(*this, node.scope.num_slots);
    for (size_t i = 0; i < values.size(); ++i) assign(node.assignments[i].first, std::move(values[i]));
    return run_body(node.scope.body);
}

Value Evaluator::make_macro(const MacroDefinition& definition) {
    capture_frame(frame_);
    budget_.allocate(sizeof(Macro));
    return Value(std::make_shared<const Macro>(Macro{&definition, frame_}));
}

void Evaluator::run_macro(const MacroStatement& node) {
    frame_->slots[static_cast<size_t>(node.slot)] = make_macro(node.definition);
}

void Evaluator::run_call_block(const CallBlockStatement& node) {
    print(evaluate_call(*node.call, make_macro(node.definition)));
}

Value Evaluator::call_macro(const Macro& macro, Arguments arguments, Value caller) {
    const DepthGuard guard(*this);
    const MacroDefinition& definition = *macro.definition;
    if (macro_depth_ >= budget_.limits().macro_depth)
        fail("macro '{}': calls are nested deeper than {} levels", *definition.name, budget_.limits().macro_depth);
    const RestoreOnExit<int> restore_depth(macro_depth_, macro_depth_ + 1);
    const int caller_line = line_;  // an Error leaves the line inside the macro
    const RestoreOnExit<Frame*> restore_frame(frame_, macro.frame);
    std::string text;
    {
        const RestoreOnExit<std::string*> restore_out(out_, &text);
        const FrameScope frame(*this, definition.scope.num_slots);
        if (!caller.is_missing() && definition.caller_slot < 0)
            fail("macro '{}' was invoked with a call block but takes no caller", *definition.name);
        if (definition.caller_slot >= 0) {
            frame_->slots[static_cast<size_t>(definition.caller_slot)] =
                caller.is_missing() ? undefined_message("No caller defined") : std::move(caller);
        }
        bind_parameters(definition, arguments);
        run_body(definition.scope.body);
    }
    line_ = caller_line;
    return Value::string(std::move(text));  // write() counted it
}

void Evaluator::bind_parameters(const MacroDefinition& definition, Arguments& arguments) {
    const auto slot = [&](int index) -> Value& { return frame_->slots[static_cast<size_t>(index)]; };
    const size_t num_positional = std::min(arguments.positional.size(), definition.parameters.size());
    for (size_t i = 0; i < num_positional; ++i)
        slot(definition.parameters[i].slot) = std::move(arguments.positional[i]);
    auto extra = std::make_shared<Mapping>();
    for (auto& argument : arguments.keyword) {
        const StringPtr& name = argument.first;
        Value& value = argument.second;
        const auto found = std::find_if(definition.parameters.begin(), definition.parameters.end(),
                                        [&](const Parameter& parameter) { return *parameter.name == *name; });
        if (found == definition.parameters.end()) {
            if (definition.kwargs_slot < 0) fail("macro '{}' takes no keyword argument '{}'", *definition.name, *name);
            extra->set(Value(name), std::move(value));
        } else if (!slot(found->slot).is_missing()) {
            fail("macro '{}' got multiple values for argument '{}'", *definition.name, *name);
        } else {
            slot(found->slot) = std::move(value);
        }
    }
    if (definition.kwargs_slot >= 0)
        slot(definition.kwargs_slot) = Value(std::shared_ptr<const Mapping>(std::move(extra)));
    if (definition.varargs_slot >= 0) {
        std::vector<Value> rest(arguments.positional.begin() + static_cast<ptrdiff_t>(num_positional),
                                arguments.positional.end());
        slot(definition.varargs_slot) = make_list(std::move(rest), ListKind::tuple);
    } else if (arguments.positional.size() > num_positional) {
        fail("macro '{}' takes not more than {} argument(s)", *definition.name, definition.parameters.size());
    }
    for (const Parameter& parameter : definition.parameters) {
        if (!slot(parameter.slot).is_missing()) continue;
        Value value = parameter.default_value ? evaluate(*parameter.default_value) : parameter.undefined;
        slot(parameter.slot) = std::move(value);
    }
}

}  // namespace glm5::chat::jinja
