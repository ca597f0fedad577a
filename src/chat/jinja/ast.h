// The syntax tree of a template: what the parser makes, the resolver completes with places of names, and the evaluator
// walks. It is immutable once resolved and shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/jinja/value.h"
#include "chat/jinja/value_operations.h"

namespace glm5::chat::jinja {

struct Builtin;

enum class ExpressionKind {
    constant,
    name,
    list,
    dict,
    attribute,
    item,
    slice,
    call,
    filter,
    test,
    negate,
    plus,
    logical_not,
    logical_and,
    logical_or,
    binary,
    concat,
    compare,
    conditional
};

struct Expression {
    ExpressionKind kind;
    int line;
    int depth = 1;  // of the tree below, itself included

    Expression(ExpressionKind expression_kind, int at_line) : kind(expression_kind), line(at_line) {}
    virtual ~Expression() = default;
};
using ExpressionPtr = std::unique_ptr<Expression>;

struct Constant : Expression {
    Value value;
    Constant(Value constant, int at_line) : Expression(ExpressionKind::constant, at_line), value(std::move(constant)) {}
};

// A variable of a frame: `hops` frames outwards, at `slot`.
struct Place {
    int hops;
    int slot;
};

struct Name : Expression {
    StringPtr name;
    Value undefined;            // what it is when it has no value
    std::vector<Place> places;  // the first that holds a value is the variable
    int global = -1;            // else this entry of SyntaxTree::globals; -1: none
    Name(StringPtr text, int at_line);
};

struct ListExpression : Expression {
    ListKind list_kind;
    std::vector<ExpressionPtr> items;
    ListExpression(ListKind made_kind, int at_line) : Expression(ExpressionKind::list, at_line), list_kind(made_kind) {}
};

struct DictExpression : Expression {
    std::vector<std::pair<ExpressionPtr, ExpressionPtr>> members;
    explicit DictExpression(int at_line) : Expression(ExpressionKind::dict, at_line) {}
};

struct AttributeExpression : Expression {
    ExpressionPtr object;
    Value name;  // a string
    AttributeExpression(int at_line) : Expression(ExpressionKind::attribute, at_line) {}
};

struct ItemExpression : Expression {
    ExpressionPtr object, key;
    explicit ItemExpression(int at_line) : Expression(ExpressionKind::item, at_line) {}
};

// Only as the key of an ItemExpression; a null bound is absent.
struct SliceExpression : Expression {
    ExpressionPtr start, stop, step;
    explicit SliceExpression(int at_line) : Expression(ExpressionKind::slice, at_line) {}
};

struct CallArguments {
    std::vector<ExpressionPtr> positional;
    std::vector<std::pair<StringPtr, ExpressionPtr>> keyword;
    ExpressionPtr spread_positional, spread_keyword;  // *x and **x; null when absent
};

struct CallExpression : Expression {
    ExpressionPtr callee;
    CallArguments arguments;
    explicit CallExpression(int at_line) : Expression(ExpressionKind::call, at_line) {}
};

// subject | name(arguments), or subject is name(arguments). A block filter's first subject is null: the block's text.
struct FilterExpression : Expression {
    ExpressionPtr subject;
    StringPtr name;
    const Builtin* builtin = nullptr;  // null: unknown, an error once it is reached
    CallArguments arguments;
    using Expression::Expression;
};

struct UnaryExpression : Expression {
    ExpressionPtr operand;
    using Expression::Expression;
};

struct BinaryExpression : Expression {  // binary, logical_and, logical_or
    BinaryOperator op = BinaryOperator::add;
    ExpressionPtr left, right;
    using Expression::Expression;
};

struct ConcatExpression : Expression {
    std::vector<ExpressionPtr> parts;
    explicit ConcatExpression(int at_line) : Expression(ExpressionKind::concat, at_line) {}
};

struct CompareExpression : Expression {  // a < b < c …
    ExpressionPtr first;
    std::vector<std::pair<CompareOperator, ExpressionPtr>> rest;
    explicit CompareExpression(int at_line) : Expression(ExpressionKind::compare, at_line) {}
};

struct ConditionalExpression : Expression {
    ExpressionPtr condition, then, otherwise;  // otherwise may be null: undefined
    explicit ConditionalExpression(int at_line) : Expression(ExpressionKind::conditional, at_line) {}
};

enum class StatementKind {
    text,
    print,
    set,
    set_block,
    if_branch,
    for_loop,
    macro,
    call_block,
    filter_block,
    with,
    scope,
    break_loop,
    continue_loop
};

struct Statement {
    StatementKind kind;
    int line;
    Statement(StatementKind statement_kind, int at_line) : kind(statement_kind), line(at_line) {}
    virtual ~Statement() = default;
};
using StatementPtr = std::unique_ptr<Statement>;
using Body = std::vector<StatementPtr>;

// What is assigned to: a variable, an attribute of a namespace, or several targets.
struct Target {
    StringPtr name;                // the variable, or the attribute when `object` is there
    int slot = -1;                 // of the frame in which the assignment stands
    std::unique_ptr<Name> object;  // the namespace
    std::vector<Target> parts;     // not empty: a tuple
    bool is_tuple = false;
};

struct TextStatement : Statement {
    std::string text;
    TextStatement(std::string data, int at_line) : Statement(StatementKind::text, at_line), text(std::move(data)) {}
};

struct PrintStatement : Statement {
    ExpressionPtr value;
    PrintStatement(ExpressionPtr printed, int at_line)
        : Statement(StatementKind::print, at_line), value(std::move(printed)) {}
};

struct SetStatement : Statement {
    Target target;
    ExpressionPtr value;
    explicit SetStatement(int at_line) : Statement(StatementKind::set, at_line) {}
};

// A body with variables of its own.
struct ScopedBody {
    Body body;
    int num_slots = 0;
};

struct SetBlockStatement : Statement {
    Target target;
    ExpressionPtr filter;  // may be null
    ScopedBody scope;
    explicit SetBlockStatement(int at_line) : Statement(StatementKind::set_block, at_line) {}
};

struct IfStatement : Statement {
    std::vector<std::pair<ExpressionPtr, Body>> branches;
    Body otherwise;
    explicit IfStatement(int at_line) : Statement(StatementKind::if_branch, at_line) {}
};

struct ForStatement : Statement {
    Target target;
    ExpressionPtr iterable;
    ExpressionPtr test;  // may be null
    Target test_target;  // the same names in the frame of the test
    int test_slots = 0;
    ScopedBody scope;
    int loop_slot = -1;    // of `loop`; -1 when the body does not use it
    ScopedBody otherwise;  // when nothing was iterated
    explicit ForStatement(int at_line) : Statement(StatementKind::for_loop, at_line) {}
};

struct Parameter {
    StringPtr name;
    ExpressionPtr default_value;  // may be null
    Value undefined;              // its value when neither given nor defaulted
    int slot = -1;
};

// A macro, or the body of a call block (named "caller").
struct MacroDefinition {
    StringPtr name;
    std::vector<Parameter> parameters;
    ScopedBody scope;
    int line = 0;
    // Slots of the names that a body may use without declaring them; -1 when it does not.
    int caller_slot = -1, varargs_slot = -1, kwargs_slot = -1;
};

struct MacroStatement : Statement {
    MacroDefinition definition;
    int slot = -1;  // of the macro's name
    explicit MacroStatement(int at_line) : Statement(StatementKind::macro, at_line) {}
};

struct CallBlockStatement : Statement {
    std::unique_ptr<CallExpression> call;
    MacroDefinition definition;
    explicit CallBlockStatement(int at_line) : Statement(StatementKind::call_block, at_line) {}
};

struct FilterBlockStatement : Statement {
    ExpressionPtr filter;
    ScopedBody scope;
    explicit FilterBlockStatement(int at_line) : Statement(StatementKind::filter_block, at_line) {}
};

struct WithStatement : Statement {
    std::vector<std::pair<Target, ExpressionPtr>> assignments;
    ScopedBody scope;
    explicit WithStatement(int at_line) : Statement(StatementKind::with, at_line) {}
};

// {% generation %}: marks what the model wrote; renders its body.
struct ScopeStatement : Statement {
    ScopedBody scope;
    explicit ScopeStatement(int at_line) : Statement(StatementKind::scope, at_line) {}
};

struct SyntaxTree {
    ScopedBody root;
    std::vector<StringPtr> globals;  // the names that are looked up in what render() is given
};

}  // namespace glm5::chat::jinja
