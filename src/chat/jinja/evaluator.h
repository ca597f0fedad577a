// Walks a syntax tree with the values of one render. Single use; single thread. Throws Error.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/jinja/ast.h"
#include "chat/jinja/budget.h"
#include "chat/jinja/callable.h"
#include "json/value.h"

namespace glm5::chat::jinja {

// The variables of one scope while it runs.
struct Frame {
    Frame* parent = nullptr;
    std::vector<Value> slots;  // missing where not assigned
    bool is_captured = false;  // a macro refers to it
};

class Evaluator {
public:
    Evaluator(const SyntaxTree& tree, const json::Object& variables, const Limits& limits);

    std::string run();
    // Where it stands, for an Error without a line.
    int line() const { return line_; }

    // ---- for the builtins
    Budget& budget() { return budget_; }
    Value call(const Value& callee, Arguments arguments);
    Value call_filter(std::string_view name, const Value& subject, Arguments arguments);
    bool call_test(std::string_view name, const Value& subject, Arguments arguments);
    // x.name: a method first, then the key. x[key]: the key first, then a method.
    Value get_attribute(const Value& object, const Value& name);
    Value get_item(const Value& object, const Value& key);
    Namespace* make_namespace();
    Value make_string(std::string text) { return new_string(std::move(text), budget_); }
    Value make_list(std::vector<Value> items, ListKind kind = ListKind::list) {
        return new_list(std::move(items), kind, budget_);
    }

private:
    enum class Flow { normal, break_loop, continue_loop };
    class FrameScope;
    class DepthGuard;

    // ---- statements (evaluator.cpp)
    Flow run_body(const Body& body);
    Flow run_statement(const Statement& statement);
    Flow run_if(const IfStatement& node);
    Flow run_for(const ForStatement& node);
    Flow run_with(const WithStatement& node);
    void run_set(const SetStatement& node);
    void run_set_block(const SetBlockStatement& node);
    void run_macro(const MacroStatement& node);
    void run_call_block(const CallBlockStatement& node);
    void run_filter_block(const FilterBlockStatement& node);
    std::vector<Value> filter_items(const ForStatement& node, std::vector<Value> items);
    void assign(const Target& target, Value value);
    void assign_namespace(const Target& target, Value value);
    void write(std::string_view text);
    void print(const Value& value);
    std::string capture(const ScopedBody& scope);
    Value make_macro(const MacroDefinition& definition);
    Value call_macro(const Macro& macro, Arguments arguments, Value caller);
    void bind_parameters(const MacroDefinition& definition, Arguments& arguments);

    // ---- expressions (expressions.cpp)
    Value evaluate(const Expression& expression);
    Value evaluate_name(const Name& name);
    Value evaluate_dict(const DictExpression& node);
    Value evaluate_item(const ItemExpression& node);
    Value evaluate_call(const CallExpression& node, Value caller);
    Value evaluate_filter(const FilterExpression& node, Value subject);
    Value evaluate_test(const FilterExpression& node);
    Value evaluate_concat(const ConcatExpression& node);
    Value evaluate_compare(const CompareExpression& node);
    Value evaluate_conditional(const ConditionalExpression& node);
    // A block filter: its innermost subject is `text`.
    Value apply_filters(const FilterExpression& node, Value text);
    Arguments evaluate_arguments(const CallArguments& arguments);
    Value global_value(int index);

    Frame* make_frame(int num_slots);
    void release_frame(Frame* frame);
    void capture_frame(Frame* frame);

    const SyntaxTree& tree_;
    const json::Object& variables_;
    Budget budget_;
    std::vector<Value> globals_;  // missing until first read
    std::vector<std::unique_ptr<Frame>> frames_;
    std::vector<Frame*> free_frames_;
    std::vector<std::unique_ptr<Namespace>> namespaces_;
    Frame* frame_ = nullptr;
    std::string* out_ = nullptr;
    int line_ = 1;
    int depth_ = 0;
    int macro_depth_ = 0;
};

}  // namespace glm5::chat::jinja
