// What a template can call: filters, tests, methods and global functions (Builtin), and macros.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/jinja/value.h"

namespace glm5::chat::jinja {

class Evaluator;
struct Frame;
struct MacroDefinition;

struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<StringPtr, Value>> keyword;

    const Value* find_keyword(std::string_view name) const;
};

// A function of the engine. `subject` is what stands before the bar, `is` or the dot; missing for a global function.
struct Builtin {
    using Function = Value (*)(Evaluator& evaluator, const Value& subject, const Arguments& arguments);

    std::string_view name;
    Function function;
    // Parameter names; the function then receives one positional value per name, missing where none was given.
    std::array<std::string_view, 4> parameters{};
    int num_required = 0;
    bool takes_anything = false;  // the function receives the arguments as they were given
};

// The entries of the tables in filters.cpp, tests.cpp, globals.cpp and methods_*.cpp; nullptr when there is none.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_global(std::string_view name);
const Builtin* find_method(const Value& subject, std::string_view name);
// A member of Python's type that a template must not reach, such as list.append or __class__.
bool is_unsafe_member(const Value& subject, std::string_view name);

// Binds the arguments to the parameters and calls. `kind` ("filter", "function" …) is for messages.
Value call_builtin(Evaluator& evaluator, const Builtin& builtin, const Value& subject, Arguments arguments);

// A builtin as a value: a global function, or a method with its subject.
struct Callable {
    const Builtin* builtin;
    Value subject;
    int depth;

    Callable(const Builtin& function, Value bound)
        : builtin(&function), subject(std::move(bound)), depth(subject.depth() + 1) {}
};

// A macro and the variables around its definition, which the render keeps alive.
struct Macro {
    const MacroDefinition* definition;
    Frame* frame;
};

// The `loop` variable of one running loop.
struct LoopState {
    std::vector<Value> items;
    size_t index = 0;  // of the current item
    int depth = 1;     // of the value: its items'
    bool is_running = true;
    Arguments last_changed;  // what loop.changed() saw; emptied when the loop ends
    bool has_changed = false;

    // loop.index and the like; missing when there is no such attribute.
    Value attribute(std::string_view name) const;
};

}  // namespace glm5::chat::jinja
