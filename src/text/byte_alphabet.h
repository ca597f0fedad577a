// The byte-level alphabet: tokenizer.json writes each byte of a token as one printable character (the GPT-2 table, in
// which 0x20 is U+0120 "Ġ"), so that any bytes fit into JSON text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace glm5::text {

// The character that stands for `byte`.
uint32_t byte_to_char(unsigned char byte);

// The bytes that `name` stands for; none when a character of it is not in the alphabet, or it is not UTF-8.
std::optional<std::string> name_to_bytes(std::string_view name);

// The name of `bytes`.
std::string bytes_to_name(std::string_view bytes);

}  // namespace glm5::text
