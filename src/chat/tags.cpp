// Searching for tags.
#include "chat/tags.h"

#include <algorithm>

namespace glm5::chat {

std::optional<TagPlace> find_first_tag(std::string_view text, std::span<const std::string_view> tags) {
    for (size_t position = text.find('<'); position != std::string_view::npos;
         position = text.find('<', position + 1)) {
        for (size_t tag = 0; tag < tags.size(); ++tag)
            if (text.substr(position).starts_with(tags[tag])) return TagPlace{position, tag};
    }
    return std::nullopt;
}

size_t held_back_length(std::string_view text, std::span<const std::string_view> tags) {
    // A tag holds one '<', its first character, so only the last one can begin an unfinished tag.
    const size_t position = text.rfind('<');
    if (position == std::string_view::npos) return 0;
    const std::string_view tail = text.substr(position);
    const bool may_grow = std::any_of(tags.begin(), tags.end(), [&](std::string_view tag) {
        return tail.size() < tag.size() && tag.starts_with(tail);
    });
    return may_grow ? tail.size() : 0;
}

}  // namespace glm5::chat
