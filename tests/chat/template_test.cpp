// The template engine against jinja2: the published templates over every golden conversation, and several hundred
// snippets with their outputs or errors.
#include "chat/template.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "chat/support.h"

namespace glm5::chat {
namespace {

json::Object variables_of(const json::Value& input) {
    json::Object variables;
    variables.set("tools", nullptr);
    for (const auto& [key, value] : input.as_object()) variables.set(key, value);
    return variables;
}

// Every case of a golden file with every template that it has an output for. Returns how many prompts were compared.
int compare_goldens(std::string_view file) {
    const json::Value goldens = read_json_fixture(file);
    std::map<std::string, Template> templates;
    int num_compared = 0;
    for (const auto& [name, golden] : goldens.find("cases")->as_object()) {
        const json::Object variables = variables_of(*golden.find("input"));
        for (const auto& [template_name, expected] : golden.find("outputs")->as_object()) {
            if (!templates.contains(template_name)) {
                Result<Template> parsed = Template::parse(read_template(template_name));
                EXPECT_TRUE(parsed.ok()) << parsed.status().message();
                templates.emplace(template_name, std::move(parsed).value());
            }
            const Result<std::string> text = templates.at(template_name).render(variables);
            ++num_compared;
            if (expected.is_object()) {
                EXPECT_FALSE(text.ok()) << name << " with " << template_name;
            } else {
                EXPECT_TRUE(text.ok()) << name << " with " << template_name << ": " << text.status().message();
                EXPECT_EQ(text.ok() ? *text : "", expected.as_string()) << name << " with " << template_name;
            }
        }
    }
    return num_compared;
}

TEST(Template, GoldenConversations) {
    EXPECT_EQ(compare_goldens("chat_template_goldens.json"), 39 * 5);
}

TEST(Template, FurtherConversationsAndNano) {
    EXPECT_EQ(compare_goldens("further_goldens.json"), 50 * 6);
}

std::string outcome(std::string_view source, const json::Object& variables) {
    const Result<Template> parsed = Template::parse(source);
    if (!parsed.ok()) return "error: " + parsed.status().message();
    const Result<std::string> text = parsed->render(variables);
    return text.ok() ? *text : "error: " + text.status().message();
}

// Errors agree on being errors, on the line, and for undefined values on the words.
bool agrees(const std::string& actual, const json::Value& expected) {
    if (expected.is_string()) return actual == expected.as_string();
    if (!actual.starts_with("error: chat template line ")) return false;
    const json::Value& line = *expected.find("line");
    const std::string place = line.is_null() ? "" : " line " + line.as_number().text + ": ";
    if (actual.find(place) == std::string::npos) return false;
    const std::string& type = expected.find("error")->as_string();
    return (type != "UndefinedError" && type != "TemplateError") ||
           actual.ends_with(": " + expected.find("message")->as_string());
}

TEST(Template, SnippetsRenderAsInJinja2) {
    const json::Value fixture = read_json_fixture("jinja_snippets.json");
    const json::Object& variables = fixture.find("context")->as_object();
    int num_compared = 0;
    for (const json::Value& snippet : fixture.find("snippets")->as_array()) {
        const std::string& source = snippet.find("template")->as_string();
        const json::Value& expected = *snippet.find("result");
        const std::string actual = outcome(source, variables);
        EXPECT_TRUE(agrees(actual, expected))
            << source << "\nexpected "
            << (expected.is_string() ? expected.as_string() : expected.find("message")->as_string())
            << (expected.is_string()
                    ? ""
                    : " in line " + (expected.find("line")->is_null() ? "-" : expected.find("line")->as_number().text))
            << "\nactual   " << actual;
        ++num_compared;
    }
    EXPECT_GT(num_compared, 600);
}

TEST(Template, IsSharedBetweenThreads) {
    const Result<Template> shared = Template::parse(read_template("glm-5.3"));
    ASSERT_TRUE(shared.ok());
    const json::Value goldens = read_json_fixture("chat_template_goldens.json");
    const json::Value& golden = *goldens.find("cases")->find("tool_cycle");
    const json::Object variables = variables_of(*golden.find("input"));
    const std::string& expected = golden.find("outputs")->find("glm-5.3")->as_string();
    std::vector<std::thread> threads;
    std::vector<int> num_equal(4, 0);
    for (int& count : num_equal) {
        threads.emplace_back([&] {
            for (int i = 0; i < 200; ++i) count += *shared->render(variables) == expected;
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(num_equal, std::vector<int>(4, 200));
}

}  // namespace
}  // namespace glm5::chat
