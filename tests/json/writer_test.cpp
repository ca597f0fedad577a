// The writer against Python: tests/fixtures/json/python_dumps.txt, and cases that Python cannot make.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "json/parse.h"
#include "json/write.h"

namespace glm5::json {
namespace {

TEST(JsonWriter, WritesWhatPythonWrites) {
    std::ifstream file(GLM5_SOURCE_DIR "/tests/fixtures/json/python_dumps.txt");
    int cases = 0;
    for (std::string text; std::getline(file, text); ++cases) {
        std::string plain, ascii, compact, pretty;
        ASSERT_TRUE(std::getline(file, plain) && std::getline(file, ascii) && std::getline(file, compact) &&
                    std::getline(file, pretty));
        std::replace(pretty.begin(), pretty.end(), '\x01', '\n');
        const auto value = parse(text);
        ASSERT_TRUE(value.ok()) << text << ": " << value.status().message();
        EXPECT_EQ(write(*value), plain) << text;
        EXPECT_EQ(write(*value, {.ascii = true}), ascii) << text;
        EXPECT_EQ(write(*value, {.compact = true}), compact) << text;
        EXPECT_EQ(write(*value, {.indent = 2}), pretty) << text;

        const auto again = parse(ascii);
        ASSERT_TRUE(again.ok()) << ascii;
        EXPECT_TRUE(*again == *value) << text;
    }
    EXPECT_GT(cases, 400);
}

TEST(JsonWriter, ReplacesEachInvalidByte) {
    const auto written = [](std::string_view text) {
        std::string out;
        write_string(out, text);
        return out;
    };
    EXPECT_EQ(written("a\x80z"), "\"a\xef\xbf\xbdz\"");
    EXPECT_EQ(written("\xe4\xb8"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");                  // cut short
    EXPECT_EQ(written("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");                  // overlong
    EXPECT_EQ(written("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // a surrogate
    EXPECT_EQ(written("\xf4\x90\x80\x80").size(), 2u + 4 * 3);                       // beyond U+10FFFF
    std::string out;
    write_string(out, "\xff", {.ascii = true});
    EXPECT_EQ(out, "\"\\ufffd\"");
}

TEST(JsonWriter, WritesDoublesAsPythonDoes) {
    EXPECT_EQ(write(Value(1.0)), "1.0");
    EXPECT_EQ(write(Value(-0.0)), "-0.0");
    EXPECT_EQ(write(Value(1e16)), "1e+16");
    EXPECT_EQ(write(Value(1e-7)), "1e-07");
    EXPECT_EQ(write(Value(123456.789)), "123456.789");
    EXPECT_EQ(write(Value(0.1 + 0.2)), "0.30000000000000004");
    EXPECT_EQ(write(Value(Number{"1e400"})), "1e400");
}

}  // namespace
}  // namespace glm5::json
