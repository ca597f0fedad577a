// Tags in text that arrives in pieces: where the first one is, and what must wait because it may become one.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace glm5::chat {

inline constexpr std::string_view kThinkBegin = "<think>";
inline constexpr std::string_view kThinkEnd = "</think>";

struct TagPlace {
    size_t position;  // of its first character
    size_t tag;       // index among the tags
};

// The first of `tags` in `text`. No tag is a prefix of another.
std::optional<TagPlace> find_first_tag(std::string_view text, std::span<const std::string_view> tags);

// How many characters at the end of `text` are the beginning of a tag that more text could complete.
size_t held_back_length(std::string_view text, std::span<const std::string_view> tags);

}  // namespace glm5::chat
