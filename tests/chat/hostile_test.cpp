// Templates that mean harm: each ends soon, with a line that names the bound.
#include <gtest/gtest.h>

#include <chrono>

#include "chat/support.h"
#include "chat/template.h"

namespace glm5::chat {
namespace {

std::string repeat(std::string_view text, size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) out += text;
    return out;
}

std::string outcome(std::string_view source, const jinja::Limits& limits = {}, std::string_view variables = "{}") {
    const auto start = std::chrono::steady_clock::now();
    const Result<Template> parsed = Template::parse(source);
    std::string message;
    if (!parsed.ok()) {
        message = parsed.status().message();
    } else {
        const Result<std::string> text = parsed->render(parse_json(variables).as_object(), limits);
        message = text.ok() ? "rendered " + std::to_string(text->size()) + " bytes" : text.status().message();
    }
    // Generous: sanitizers and busy machines are slow. Without bounds these would run for ever.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60)) << source.substr(0, 100);
    return message;
}

TEST(HostileTemplate, Recursion) {
    EXPECT_EQ(outcome("{% macro m() %}\n{{ m() }}{% endmacro %}{{ m() }}"),
              "chat template line 2: macro 'm': calls are nested deeper than 200 levels");
    EXPECT_EQ(outcome("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}"),
              "chat template line 1: macro 'a': calls are nested deeper than 200 levels");
    EXPECT_EQ(outcome("{% macro m() %}" + repeat("{% if true %}", 20) + "{{ m() }}" + repeat("{% endif %}", 20) +
                      "{% endmacro %}{{ m() }}"),
              "chat template line 1: the template is evaluated deeper than 1500 levels");
    EXPECT_EQ(outcome("{% macro f() %}{{ caller() }}{% endmacro %}{% macro m() %}{% call f() %}{{ m() }}{% endcall "
                      "%}{% endmacro %}{{ m() }}"),
              "chat template line 1: macro 'caller': calls are nested deeper than 200 levels");
}

TEST(HostileTemplate, EndlessWork) {
    EXPECT_EQ(outcome("{{ range(10**18)|length }}"),
              "chat template line 1: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
    EXPECT_EQ(
        outcome("{% for a in range(100000) %}{% for b in range(100000) %}\n{% set c = a %}{% endfor %}{% endfor %}"),
        "chat template line 2: the template runs for more than 50000000 steps");
    EXPECT_EQ(outcome("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}"),
              "chat template line 1: the template runs for more than 50000000 steps");
    EXPECT_EQ(outcome("{% set s = 'ab' * 10000000 %}{% for i in range(100000) %}{{ s[5] }}{% endfor %}"),
              "chat template line 1: the template runs for more than 50000000 steps");
    EXPECT_EQ(outcome("{% set s = 'a' * 10000000 %}{% set t = 'a' * 5000000 ~ 'b' %}{{ s.rsplit(t) }}"),
              "chat template line 1: the template runs for more than 50000000 steps");
    EXPECT_EQ(outcome("{% set s = 'a' * 10000000 %}{% set t = 'a' * 5000000 ~ 'b' %}{{ t in s }}{{ s.find(t) }}"),
              "rendered 7 bytes");
}

TEST(HostileTemplate, EndlessOutput) {
    EXPECT_EQ(
        outcome("{% for a in range(100000) %}{% for b in range(100000) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}"),
        "chat template line 1: the output is larger than 67108864 bytes");
    EXPECT_EQ(outcome("{{ 'x' * 100000000 }}"), "chat template line 1: the output is larger than 67108864 bytes");
    EXPECT_EQ(outcome("{{ 'abcdef' }}", {.output_bytes = 5}),
              "chat template line 1: the output is larger than 5 bytes");
}

TEST(HostileTemplate, EndlessMemory) {
    const jinja::Limits limits{.steps = 5'000'000, .allocated_bytes = 32 << 20};
    const std::string too_much = "chat template line 1: the template makes values of more than 33554432 bytes";
    EXPECT_EQ(outcome("{{ 'x' * 10**12 }}", limits), too_much);
    EXPECT_EQ(outcome("{{ 'x' * 9223372036854775807 }}{{ '' * 9223372036854775807 }}", limits), too_much);
    EXPECT_EQ(outcome("{{ [1] * 10**12 }}", limits), too_much);
    EXPECT_EQ(outcome("{{ 'x'.center(10**12) }}", limits), too_much);
    EXPECT_EQ(outcome("{{ 'x'.zfill(10**17) }}", limits), too_much);
    EXPECT_EQ(
        outcome(
            "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            limits),
        too_much);
    EXPECT_EQ(
        outcome("{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                limits),
        too_much);
    EXPECT_EQ(outcome("{{ ('x' * 1000000).replace('', 'y' * 1000000) }}", limits), too_much);
    EXPECT_EQ(outcome("{{ ('x' * 1000000)|replace('x', 'y' * 1000000) }}", limits), too_much);
    EXPECT_EQ(outcome("{{ ('x\\n' * 1000000)|indent(' ' * 1000000) }}", limits), too_much);
    EXPECT_EQ(outcome("{{ ('x' * 1000000)|list|join('y' * 1000000) }}", limits), too_much);
    EXPECT_EQ(outcome("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor "
                      "%}{{ ns.l|tojson }}",
                      limits),
              "chat template line 1: the template runs for more than 5000000 steps");
    EXPECT_EQ(outcome("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor "
                      "%}{{ ns.l }}",
                      limits),
              too_much);
    EXPECT_EQ(outcome("{% for i in range(100000) %}{% for j in range(100) %}{% set m %}x{% endset %}{{ "
                      "namespace(a=1).b }}{% endfor %}{% endfor %}",
                      limits),
              too_much);
}

TEST(HostileTemplate, SharedValues) {
    const std::string doubled =
        "{% set ns = namespace(a=(1,), b=(1,)) %}{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}{% set ns.b = "
        "(ns.b, ns.b) %}{% endfor %}";
    EXPECT_EQ(outcome(doubled + "{{ ns.a == ns.b }}"),
              "chat template line 1: the template runs for more than 50000000 steps");
    EXPECT_EQ(outcome(doubled + "{{ ns.a < ns.b }}"),
              "chat template line 1: the template runs for more than 50000000 steps");
    EXPECT_EQ(outcome(doubled + "{{ {ns.a: 1} }}"), "chat template line 1: a mapping key holds too many values");
    EXPECT_EQ(outcome(doubled + "{{ [1][ns.a] }}"), "rendered 0 bytes");
}

TEST(HostileTemplate, DeepValues) {
    EXPECT_EQ(outcome("{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}"),
              "chat template line 1: a value is nested deeper than 400 levels");
    EXPECT_EQ(
        outcome("{% set ns = namespace(l={}) %}{% for i in range(100000) %}{% set ns.l = {'a': ns.l} %}{% endfor %}"),
        "chat template line 1: a value is nested deeper than 400 levels");
    EXPECT_EQ(outcome("{% set ns = namespace(l=none) %}{% for i in range(100000) %}{% for j in [ns.l] %}{% set ns.l = "
                      "loop %}{% endfor %}{% endfor %}"),
              "chat template line 1: a value is nested deeper than 400 levels");
    EXPECT_EQ(outcome("{% set ns = namespace(l=none) %}{% for i in range(1000) %}{% set ns.l = namespace(l=ns.l, "
                      "f=ns.l.l) %}{% endfor %}ok"),
              "rendered 2 bytes");
    EXPECT_EQ(
        outcome(
            "{% set ns = namespace(l=1) %}{% for i in range(90000) %}{% set ns.l = namespace(l=ns.l) %}{% endfor %}ok"),
        "rendered 2 bytes");
}

// Values that could own themselves: nothing may leak (the sanitizer looks) or hang.
TEST(HostileTemplate, Cycles) {
    EXPECT_EQ(
        outcome("{% set ns = namespace() %}{% set ns.a = ns %}{% set ns.b = [ns] %}{{ ns.a.a.b[0].a is defined }}"),
        "rendered 4 bytes");
    EXPECT_EQ(
        outcome(
            "{% set ns = namespace() %}{% macro m() %}{{ ns }}{% endmacro %}{% set ns.m = m %}{{ ns.m is callable }}"),
        "rendered 4 bytes");
    EXPECT_EQ(outcome("{% for i in [1] %}{{ loop.changed(loop) }}{% endfor %}"), "rendered 4 bytes");
    EXPECT_EQ(
        outcome(
            "{% set ns = namespace() %}{% for i in [1] %}{% set ns.l = loop %}{% endfor %}{{ ns.l.changed(ns.l) }}"),
        "chat template line 1: loop.changed() is called after its loop");
    EXPECT_EQ(outcome("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}"),
              "chat template line 1: a value of type Namespace cannot be printed");
    EXPECT_EQ(outcome("{% set ns = namespace() %}{% for i in range(2000) %}{{ namespace(**{'a' ~ i: 1}) is defined "
                      "}}{% endfor %}"),
              "rendered 8000 bytes");
}

TEST(HostileTemplate, DeepSyntax) {
    const std::string too_deep = "chat template line 1: the template is nested deeper than 200 levels";
    for (const std::string_view open : {"(", "[", "{1:", "-", "not ", "a[", "f(", "a|f(", "a is f("})
        EXPECT_EQ(outcome("{{ " + repeat(open, 10'000)), too_deep) << open;
    for (const std::string_view open :
         {"{% if a %}", "{% for a in b %}", "{% set a %}", "{% macro m() %}", "{% with %}", "{% filter f %}"})
        EXPECT_EQ(outcome(repeat(open, 10'000)), too_deep) << open;
    EXPECT_EQ(outcome("{% set " + repeat("(", 10'000)), too_deep);
    const std::string long_chain = "chat template line 1: an expression is nested deeper than 400 levels";
    for (const std::string_view link :
         {" + a", " or a", " and a", " if a", ".a", "[0]", "()", "|f", " * a", " is b", " ** a"})
        EXPECT_EQ(outcome("{{ a" + repeat(link, 10'000) + " }}"),
                  link == " is b" ? "chat template line 1: You cannot chain multiple tests with is" : long_chain)
            << link;
    EXPECT_EQ(outcome("{{ 1" + repeat(" ~ 1", 10'000) + " }}"), "rendered 10001 bytes");
    EXPECT_EQ(outcome("{% if a %}" + repeat("{% elif a %}", 10'000) + "{% endif %}"), "rendered 0 bytes");
}

TEST(HostileTemplate, LargeSource) {
    EXPECT_EQ(outcome(std::string(5 << 20, 'x')), "chat template line 1: the template is larger than 4194304 bytes");
    EXPECT_EQ(outcome(repeat("{%if a%}{%set b=1%}{%endif%}", 100'000)), "rendered 0 bytes");
    std::string names;
    for (int i = 0; i < 100'000; ++i) names += "{%set a" + std::to_string(i) + "=1%}{{b" + std::to_string(i) + "}}";
    EXPECT_EQ(outcome(names), "rendered 0 bytes");
    EXPECT_EQ(outcome(repeat("{", 1'000'000)), "chat template line 1: the template is nested deeper than 200 levels");
    EXPECT_EQ(outcome("\xff"), "chat template line 1: the template is not UTF-8");
}

TEST(HostileTemplate, Unterminated) {
    EXPECT_EQ(outcome("a\n{{ b"),
              "chat template line 2: unexpected end of template, expected 'end of print statement'");
    EXPECT_EQ(outcome("a\n{% if b"),
              "chat template line 2: unexpected end of template, expected 'end of statement block'");
    EXPECT_EQ(outcome("a\n{% if b %}\n\nc"),
              "chat template line 4: unexpected end of template: the block that begins in line 2 needs 'endif'");
    EXPECT_EQ(outcome("{# a"), "chat template line 1: Missing end of comment tag");
    EXPECT_EQ(outcome("{% raw %} a"), "chat template line 1: Missing end of raw directive");
    EXPECT_EQ(outcome("{{ 'a"), "chat template line 1: unexpected char ' (a string that does not end)");
    EXPECT_EQ(outcome("{{ 'a\\"), "chat template line 1: unexpected char ' (a string that does not end)");
}

TEST(HostileTemplate, NotSupportedIsSaid) {
    EXPECT_EQ(outcome("{% include 'x' %}"),
              "chat template line 1: the tag 'include' is not supported in a chat template");
    EXPECT_EQ(outcome("{% block a %}{% endblock %}"),
              "chat template line 1: the tag 'block' is not supported in a chat template");
    EXPECT_EQ(outcome("{% for a in b recursive %}{% endfor %}"),
              "chat template line 1: recursive loops are not supported");
    EXPECT_EQ(outcome("{{ strftime_now('%Y') }}"),
              "chat template line 1: strftime_now() is not supported: a prompt that holds the time is never found in "
              "the prefix cache");
    EXPECT_EQ(outcome("{{ '%s' % 1 }}"), "chat template line 1: formatting with % is not supported in a chat template");
    EXPECT_EQ(outcome("{{ 9223372036854775807 + 1 }}"),
              "chat template line 1: an integer is beyond 64 bits: the template engine does not calculate with it");
    EXPECT_EQ(outcome("{{ 2 ** 100 }}"),
              "chat template line 1: an integer is beyond 64 bits: the template engine does not calculate with it");
}

// A long conversation may not cost more than in proportion.
TEST(HostileTemplate, OrdinaryWorkIsLinear) {
    json::Array messages;
    for (int i = 0; i < 20'000; ++i)
        messages.push_back(json::Value::object({{"role", i % 2 ? "assistant" : "user"}, {"content", "text"}}));
    json::Object variables;
    variables.set("messages", std::move(messages));
    for (const std::string name : {"glm-5", "glm-5.1", "glm-5.2", "glm-5.3", "nano"}) {
        const Result<Template> parsed = Template::parse(read_template(name));
        ASSERT_TRUE(parsed.ok());
        const Result<std::string> text = parsed->render(variables);
        EXPECT_TRUE(text.ok()) << name << ": " << text.status().message();
    }
}

}  // namespace
}  // namespace glm5::chat
