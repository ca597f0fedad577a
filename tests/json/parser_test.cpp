// The parser on good and hostile text, and Value's lookups, conversions and equality.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "json/parse.h"
#include "json/write.h"

namespace glm5::json {
namespace {

Value must_parse(std::string_view text) {
    auto value = parse(text);
    EXPECT_TRUE(value.ok()) << text << ": " << (value.ok() ? "" : value.status().message());
    return value.ok() ? *std::move(value) : Value();
}

std::string error_of(std::string_view text, const ParseOptions& options = {}) {
    const auto value = parse(text, options);
    return value.ok() ? "no error" : value.status().message();
}

std::string nested(int depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

TEST(JsonParser, KeepsKeyOrderAndNumberText) {
    const Value value = must_parse(R"({"z": 1.50, "a": 100000000000000000000000, "m": {"y": -0, "x": 1E5}})");
    std::string keys;
    for (const auto& [key, member] : value.as_object()) keys += key;
    EXPECT_EQ(keys, "zam");
    EXPECT_EQ(value.find("z")->as_number().text, "1.50");
    EXPECT_EQ(value.find("a")->as_number().text, "100000000000000000000000");
    EXPECT_EQ(value.find("m")->find("x")->as_number().text, "1E5");
    EXPECT_EQ(value.find("absent"), nullptr);
    EXPECT_EQ(Value(1).find("z"), nullptr);
}

TEST(JsonParser, LongTextAcrossItsParts) {
    const std::string letters(100000, 'x');
    EXPECT_EQ(must_parse("\"" + letters + "\\n" + letters + "\"").as_string(), letters + "\n" + letters);
    const std::string digits(10000, '7');
    EXPECT_EQ(must_parse("[" + digits + "]").as_array()[0].as_number().text, digits);
}

TEST(JsonParser, ErrorsNameThePlace) {
    EXPECT_EQ(error_of("{\n  \"a\": 1,\n  \"é\": x\n}"), "line 3, column 8: syntax error");
    EXPECT_EQ(error_of("[1, 2"), "line 1, column 6: the text ends inside a value");
    EXPECT_EQ(error_of(""), "line 1, column 1: the text ends inside a value");
    EXPECT_EQ(error_of("1 2"), "line 1, column 3: text follows the value");
    EXPECT_EQ(error_of(nested(129)), "line 1, column 129: more than 128 arrays and objects inside one another");
    EXPECT_EQ(error_of(nested(4), {.max_depth = 3}),
              "line 1, column 4: more than 3 arrays and objects inside one another");
    EXPECT_EQ(error_of(nested(128)), "no error");
    EXPECT_EQ(error_of("[1e99999999999]"), "line 1, column 13: exponent overflow");
}

TEST(JsonParser, RefusesWhatIsNotJson) {
    for (const char* text : {"nan",
                             "NaN",
                             "Infinity",
                             "-",
                             "01",
                             "1.",
                             ".5",
                             "+1",
                             "0x10",
                             "1e",
                             "'a'",
                             "\"\t\"",
                             "\"\\x\"",
                             "\"\\u12\"",
                             "[1,]",
                             "{\"a\":1,}",
                             "{a:1}",
                             "{\"a\"}",
                             "tru",
                             "// c\n1",
                             "[1]]",
                             "\xef\xbb\xbf"
                             "1"})
        EXPECT_NE(error_of(text), "no error") << text;
}

TEST(JsonParser, RefusesInvalidUtf8AndLoneSurrogates) {
    for (const char* text : {"\"\x80\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe4\xb8\"",
                             "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83dx\"", "{\"\xff\": 1}"})
        EXPECT_NE(error_of(text), "no error") << text;
}

TEST(JsonParser, DuplicateKeys) {
    const std::string text = R"({"a": 1, "b": 2, "a": 3, "c": 4, "a": 5, "b": 6})";
    EXPECT_EQ(write(must_parse(text)), R"({"a": 5, "b": 6, "c": 4})");
    EXPECT_EQ(error_of(R"({"b": 2, "x": {"a": 1, "a": 3}})", {.reject_duplicate_keys = true}),
              "line 1, column 30: the object that ends here has the key \"a\" twice");
    std::string many = "{";
    for (int i = 0; i < 200000; ++i) many += fmt::format("{}\"k{}\":{}", i ? "," : "", i % 100000, i);
    const Value value = must_parse(many + "}");
    EXPECT_EQ(value.as_object().size(), 100000u);
    EXPECT_EQ(*value.find("k7")->to_int64(), 100007);
}

TEST(JsonParser, BoundsTheNumberOfValues) {
    EXPECT_EQ(error_of("[1, {\"a\": 2}]", {.max_values = 4}), "no error");
    EXPECT_EQ(error_of("[1, {\"a\": 2}]", {.max_values = 3}), "line 1, column 13: more than 3 values");
    std::string many = "[0";
    for (int i = 0; i < 5'000'000; ++i) many += ",0";
    EXPECT_EQ(error_of(many + "]"), "line 1, column 8000003: more than 4000000 values");
}

TEST(JsonParser, DeepValuesAreComparedCopiedAndWritten) {
    const Value value = must_parse(nested(128));
    const Value copy = value;
    EXPECT_TRUE(copy == value);
    EXPECT_EQ(write(copy), nested(128));
}

TEST(JsonValue, Conversions) {
    const auto int64_of = [](const char* text) { return must_parse(text).to_int64(); };
    EXPECT_EQ(int64_of("5"), 5);
    EXPECT_EQ(int64_of("5.0"), 5);
    EXPECT_EQ(int64_of("5e0"), 5);
    EXPECT_EQ(int64_of("-0"), 0);
    EXPECT_EQ(int64_of("9223372036854775807"), std::numeric_limits<int64_t>::max());
    EXPECT_EQ(int64_of("-9223372036854775808"), std::numeric_limits<int64_t>::min());
    EXPECT_EQ(int64_of("9223372036854775808"), std::nullopt);
    EXPECT_EQ(int64_of("9223372036854775808.0"), std::nullopt);
    EXPECT_EQ(int64_of("5.5"), std::nullopt);
    EXPECT_EQ(int64_of("1e400"), std::nullopt);
    EXPECT_EQ(int64_of("\"5\""), std::nullopt);
    EXPECT_EQ(must_parse("1e400").to_double(), std::nullopt);
    EXPECT_EQ(must_parse("-1e400").to_double(), std::nullopt);
    EXPECT_EQ(must_parse("1e-400").to_double(), 0.0);
    EXPECT_EQ(Value(Number{"1e99999999999999999999"}).to_double(), std::nullopt);
    EXPECT_EQ(Value(Number{"1e-99999999999999999999"}).to_double(), 0.0);
    EXPECT_EQ(must_parse("0.1").to_double(), 0.1);
    EXPECT_EQ(must_parse("123456789012345678901234567890").to_double(), 123456789012345678901234567890.0);
}

TEST(JsonValue, Equality) {
    const auto equal = [](const char* a, const char* b) { return must_parse(a) == must_parse(b); };
    EXPECT_TRUE(equal("1", "1.0"));
    EXPECT_TRUE(equal("100", "1e2"));
    EXPECT_TRUE(equal("0", "-0"));
    EXPECT_TRUE(equal("0", "-0.0"));
    EXPECT_TRUE(equal("1.50", "15e-1"));
    EXPECT_TRUE(equal("9007199254740992", "9007199254740992.0"));
    EXPECT_FALSE(equal("9007199254740993", "9007199254740992.0"));
    EXPECT_FALSE(equal("123456789012345678901234567890", "123456789012345678901234567891"));
    EXPECT_FALSE(equal("1", "true"));
    EXPECT_FALSE(equal("1", "\"1\""));
    EXPECT_FALSE(equal("null", "false"));
    EXPECT_TRUE(equal(R"({"a": 1, "b": [2]})", R"({"b": [2.0], "a": 1})"));
    EXPECT_FALSE(equal(R"({"a": 1})", R"({"a": 1, "b": 2})"));
    EXPECT_FALSE(equal("[1, 2]", "[2, 1]"));
}

TEST(JsonValue, BuildsObjects) {
    Value value = Value::object({{"a", 1}, {"b", Value::array({true, nullptr, "x", 2.5})}, {"c", Value(Object())}});
    value.as_object().set("a", size_t{18446744073709551615u});
    value.as_object().set("d", -7);
    EXPECT_TRUE(value.as_object().erase("c"));
    EXPECT_FALSE(value.as_object().erase("c"));
    EXPECT_EQ(write(value), R"({"a": 18446744073709551615, "b": [true, null, "x", 2.5], "d": -7})");
}

TEST(JsonValue, TypeNames) {
    const auto name = [](const char* text) { return must_parse(text).type_name(); };
    EXPECT_EQ(name("null"), "null");
    EXPECT_EQ(name("true"), "boolean");
    EXPECT_EQ(name("1"), "integer");
    EXPECT_EQ(name("1.0"), "number");
    EXPECT_EQ(name("\"\""), "string");
    EXPECT_EQ(name("[]"), "array");
    EXPECT_EQ(name("{}"), "object");
}

}  // namespace
}  // namespace glm5::json
