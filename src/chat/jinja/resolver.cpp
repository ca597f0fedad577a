// Two passes per scope, as Jinja's symbol analysis: first every name that the scope itself loads or stores, in the
// order of the text; then the places of the names, once the scope is known as a whole.
#include "chat/jinja/resolver.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "chat/jinja/names.h"

namespace glm5::chat::jinja {
namespace {

enum class Origin {
    outer,      // loaded before it is stored, or first stored under an `if`: what surrounds the scope shows through
    parameter,  // always assigned
    undefined   // stored first and nowhere outside: before that it has no value, also when the caller gave one
};

struct Symbol {
    Origin origin = Origin::outer;
    int slot = -1;  // -1: only loaded here
};

class Scope {
public:
    explicit Scope(Scope* parent) : parent_(parent) {}

    void load(const StringPtr& name) {
        if (!is_known(*name)) symbols_[*name] = Symbol{};
    }
    int store(const StringPtr& name) {
        const auto [entry, is_first] = symbols_.try_emplace(*name);
        if (is_first && branches_ == 0 && !(parent_ && parent_->is_known(*name)))
            entry->second.origin = Origin::undefined;
        return give_slot(entry->second);
    }
    int declare(const StringPtr& name) {
        Symbol& symbol = symbols_[*name];
        symbol.origin = Origin::parameter;
        return give_slot(symbol);
    }
    bool is_known(std::string_view name) const {
        return symbols_.contains(name) || (parent_ && parent_->is_known(name));
    }

    // Around the alternatives of an `if`.
    void enter_branch() { ++branches_; }
    void leave_branch() { --branches_; }

    int slot_of(std::string_view name) const { return symbols_.find(name)->second.slot; }
    int num_slots() const { return num_slots_; }

    // Fills name.places. Whether a name of the caller may stand behind them.
    bool place(Name& name) const {
        int hops = 0;
        for (const Scope* scope = this; scope; scope = scope->parent_, ++hops) {
            const auto found = scope->symbols_.find(*name.name);
            if (found == scope->symbols_.end()) continue;
            if (found->second.slot >= 0) name.places.push_back({hops, found->second.slot});
            if (found->second.origin != Origin::outer) return false;
        }
        return true;
    }

private:
    int give_slot(Symbol& symbol) {
        if (symbol.slot < 0) symbol.slot = num_slots_++;
        return symbol.slot;
    }

    Scope* parent_;
    std::map<std::string, Symbol, std::less<>> symbols_;
    int num_slots_ = 0;
    int branches_ = 0;
};

class Resolver {
public:
    explicit Resolver(SyntaxTree& tree) : tree_(tree) {}

    void run() {
        Scope root(nullptr);
        resolve_scope(tree_.root, root);
    }

private:
    // ---- first pass: what one scope loads and stores

    void analyze(Scope& scope, const Body& body) {
        for (const StatementPtr& statement : body) analyze(scope, *statement);
    }
    void load(Scope& scope, const ExpressionPtr& expression) {
        visit_names(expression.get(), [&](Name& name) { scope.load(name.name); });
    }
    void store(Scope& scope, const Target& target) {
        if (target.is_tuple) {
            for (const Target& part : target.parts) store(scope, part);
        } else if (target.object) {
            scope.load(target.object->name);
        } else {
            scope.store(target.name);
        }
    }

    void analyze(Scope& scope, Statement& statement) {
        switch (statement.kind) {
            case StatementKind::text:
            case StatementKind::scope:
            case StatementKind::break_loop:
            case StatementKind::continue_loop: return;
            case StatementKind::print: return load(scope, static_cast<PrintStatement&>(statement).value);
            case StatementKind::set:
                load(scope, static_cast<SetStatement&>(statement).value);
                return store(scope, static_cast<SetStatement&>(statement).target);
            case StatementKind::set_block: return store(scope, static_cast<SetBlockStatement&>(statement).target);
            case StatementKind::for_loop: return load(scope, static_cast<ForStatement&>(statement).iterable);
            case StatementKind::macro: scope.store(static_cast<MacroStatement&>(statement).definition.name); return;
            case StatementKind::call_block: return load_call(scope, static_cast<CallBlockStatement&>(statement));
            case StatementKind::filter_block: return load(scope, static_cast<FilterBlockStatement&>(statement).filter);
            case StatementKind::with:
                for (const auto& [target, value] : static_cast<WithStatement&>(statement).assignments)
                    load(scope, value);
                return;
            case StatementKind::if_branch: return analyze_if(scope, static_cast<IfStatement&>(statement));
        }
    }

    void load_call(Scope& scope, CallBlockStatement& node) {
        visit_names(node.call.get(), [&](Name& name) { scope.load(name.name); });
    }

    void analyze_if(Scope& scope, IfStatement& node) {
        load(scope, node.branches.front().first);
        scope.enter_branch();
        for (size_t i = 0; i < node.branches.size(); ++i) {
            if (i > 0) load(scope, node.branches[i].first);
            analyze(scope, node.branches[i].second);
        }
        analyze(scope, node.otherwise);
        scope.leave_branch();
    }

    // ---- second pass: places

    void place(const Scope& scope, Expression* expression) {
        visit_names(expression, [&](Name& name) { place(scope, name); });
    }
    void place(const Scope& scope, Name& name) {
        if (!scope.place(name)) return;
        const auto [entry, is_first] =
            globals_.try_emplace(std::string_view(*name.name), static_cast<int>(tree_.globals.size()));
        if (is_first) tree_.globals.push_back(name.name);
        name.global = entry->second;
    }
    void place(const Scope& scope, const ExpressionPtr& expression) { place(scope, expression.get()); }
    void place(const Scope& scope, Target& target) {
        for (Target& part : target.parts) place(scope, part);
        if (target.is_tuple) return;
        if (target.object)
            place(scope, *target.object);
        else
            target.slot = scope.slot_of(*target.name);
    }
    void declare(Scope& scope, const Target& target) {
        for (const Target& part : target.parts) declare(scope, part);
        if (!target.is_tuple) scope.declare(target.name);
    }

    void resolve_scope(ScopedBody& scoped, Scope& scope) {
        analyze(scope, scoped.body);
        resolve(scope, scoped.body);
        scoped.num_slots = scope.num_slots();
    }
    void resolve_child(ScopedBody& scoped, Scope& parent) {
        Scope scope(&parent);
        resolve_scope(scoped, scope);
    }

    void resolve(Scope& scope, const Body& body) {
        for (const StatementPtr& statement : body) resolve(scope, *statement);
    }

    void resolve(Scope& scope, Statement& statement) {
        switch (statement.kind) {
            case StatementKind::text:
            case StatementKind::break_loop:
            case StatementKind::continue_loop: return;
            case StatementKind::print: return place(scope, static_cast<PrintStatement&>(statement).value);
            case StatementKind::set:
                place(scope, static_cast<SetStatement&>(statement).value);
                return place(scope, static_cast<SetStatement&>(statement).target);
            case StatementKind::set_block: {
                auto& node = static_cast<SetBlockStatement&>(statement);
                resolve_child(node.scope, scope);
                place(scope, node.filter);
                return place(scope, node.target);
            }
            case StatementKind::for_loop: return resolve_for(scope, static_cast<ForStatement&>(statement));
            case StatementKind::macro: {
                auto& node = static_cast<MacroStatement&>(statement);
                node.slot = scope.slot_of(*node.definition.name);
                return resolve_macro(scope, node.definition);
            }
            case StatementKind::call_block: {
                auto& node = static_cast<CallBlockStatement&>(statement);
                place(scope, node.call.get());
                return resolve_macro(scope, node.definition);
            }
            case StatementKind::filter_block: {
                auto& node = static_cast<FilterBlockStatement&>(statement);
                resolve_child(node.scope, scope);
                return place(scope, node.filter);
            }
            case StatementKind::with: return resolve_with(scope, static_cast<WithStatement&>(statement));
            case StatementKind::scope: return resolve_child(static_cast<ScopeStatement&>(statement).scope, scope);
            case StatementKind::if_branch: {
                auto& node = static_cast<IfStatement&>(statement);
                for (auto& [condition, body] : node.branches) {
                    place(scope, condition);
                    resolve(scope, body);
                }
                return resolve(scope, node.otherwise);
            }
        }
    }

    void resolve_for(Scope& scope, ForStatement& node) {
        place(scope, node.iterable);
        if (node.test) {
            Scope test(&scope);
            node.test_target = copy_names(node.target);
            declare(test, node.test_target);
            load(test, node.test);
            place(test, node.test);
            place(test, node.test_target);
            node.test_slots = test.num_slots();
        }
        Scope body(&scope);
        if (uses_name(node.scope.body, "loop"))
            node.loop_slot = body.declare(std::make_shared<const std::string>("loop"));
        declare(body, node.target);
        resolve_scope(node.scope, body);
        place(body, node.target);
        resolve_child(node.otherwise, scope);
    }

    static Target copy_names(const Target& target) {
        Target copy;
        copy.name = target.name;
        copy.is_tuple = target.is_tuple;
        for (const Target& part : target.parts) copy.parts.push_back(copy_names(part));
        return copy;
    }

    // The slot of a name that a macro has without declaring it; -1 when the body does not use it.
    static int declare_implicit(Scope& scope, const MacroDefinition& macro, const char* name) {
        const bool is_parameter = std::any_of(macro.parameters.begin(), macro.parameters.end(),
                                              [name](const Parameter& parameter) { return *parameter.name == name; });
        if (is_parameter || !uses_name(macro.scope.body, name)) return -1;
        return scope.declare(std::make_shared<const std::string>(name));
    }

    void resolve_macro(Scope& parent, MacroDefinition& macro) {
        Scope scope(&parent);
        for (Parameter& parameter : macro.parameters) parameter.slot = scope.declare(parameter.name);
        for (const Parameter& parameter : macro.parameters) load(scope, parameter.default_value);
        macro.caller_slot = declare_implicit(scope, macro, "caller");
        macro.varargs_slot = declare_implicit(scope, macro, "varargs");
        macro.kwargs_slot = declare_implicit(scope, macro, "kwargs");
        resolve_scope(macro.scope, scope);
        for (const Parameter& parameter : macro.parameters) place(scope, parameter.default_value);
    }

    void resolve_with(Scope& scope, WithStatement& node) {
        Scope inner(&scope);
        for (auto& [target, value] : node.assignments) {
            place(scope, value);
            declare(inner, target);
        }
        resolve_scope(node.scope, inner);
        for (auto& [target, value] : node.assignments) place(inner, target);
    }

    SyntaxTree& tree_;
    std::map<std::string_view, int> globals_;  // the keys are owned by tree_.globals
};

}  // namespace

void resolve_names(SyntaxTree& tree) {
    Resolver(tree).run();
}

}  // namespace glm5::chat::jinja
