// Python's str operations over UTF-8: positions count code points, white space and case are Python's.
// Every string here is valid UTF-8. U+03A3 always lowers to U+03C3 (Python writes U+03C2 at the end of a word).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace glm5::chat::jinja {

bool is_valid_utf8(std::string_view text);

// The code point at `position`, which moves behind it.
char32_t decode_code_point(std::string_view text, size_t& position);
void append_code_point(std::string& out, char32_t code_point);

size_t count_code_points(std::string_view text);
// The byte where the code point `index` begins; the size when there are fewer.
size_t byte_offset(std::string_view text, size_t index);

// Where `wanted` first occurs at or behind the byte `from`; npos when nowhere. Linear in the worst case.
size_t find_text(std::string_view text, std::string_view wanted, size_t from = 0);

// str.isspace of one character: White_Space and U+001C to U+001F.
bool is_space(char32_t code_point);
// Whether repr() prints the character as it is.
bool is_printable(char32_t code_point);

std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
// Strips every code point that occurs in `characters`.
std::string_view strip_left(std::string_view text, std::string_view characters);
std::string_view strip_right(std::string_view text, std::string_view characters);

std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
std::string to_capitalized(std::string_view text);
// str.title: a letter after a letter is lowered, any other is title-cased.
std::string to_title(std::string_view text);
bool is_lower(std::string_view text);  // str.islower
bool is_upper(std::string_view text);  // str.isupper

}  // namespace glm5::chat::jinja
