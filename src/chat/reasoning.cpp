// The two states REASONING and CONTENT.
#include "chat/reasoning.h"

#include <algorithm>
#include <array>

#include "chat/tags.h"

namespace glm5::chat {

PromptEnd prompt_end(std::string_view prompt) {
    const size_t last = prompt.find_last_not_of(" \t\r\n");
    prompt = prompt.substr(0, last == std::string_view::npos ? 0 : last + 1);
    if (prompt.ends_with(kThinkBegin)) return PromptEnd::open_reasoning;
    return prompt.ends_with(kThinkEnd) ? PromptEnd::closed_reasoning : PromptEnd::text;
}

ReasoningSplitter::ReasoningSplitter(PromptEnd prompt_end)
    : in_reasoning_(prompt_end == PromptEnd::open_reasoning),
      may_reason_(prompt_end != PromptEnd::closed_reasoning),
      drops_newlines_(prompt_end == PromptEnd::closed_reasoning) {}

ReasoningDelta ReasoningSplitter::push(std::string_view text) {
    static constexpr std::array<std::string_view, 2> kTags = {kThinkEnd, kThinkBegin};
    // Where reasoning is off, <think> is no tag.
    const std::span<const std::string_view> tags(kTags.data(), may_reason_ ? 2 : 1);
    ReasoningDelta delta;
    const std::string joined = held_back_.append(text);
    std::string_view rest = joined;
    while (const std::optional<TagPlace> place = find_first_tag(rest, tags)) {
        append_text(delta, rest.substr(0, place->position));
        rest.remove_prefix(place->position + tags[place->tag].size());
        const bool ends_reasoning = tags[place->tag] == kThinkEnd;
        if (ends_reasoning && in_reasoning_) drops_newlines_ = !has_content_;
        in_reasoning_ = !ends_reasoning;
    }
    const size_t kept = held_back_length(rest, tags);
    append_text(delta, rest.substr(0, rest.size() - kept));
    held_back_ = rest.substr(rest.size() - kept);
    return delta;
}

ReasoningDelta ReasoningSplitter::finish() {
    ReasoningDelta delta;
    append_text(delta, held_back_);
    held_back_.clear();
    return delta;
}

void ReasoningSplitter::append_text(ReasoningDelta& delta, std::string_view text) {
    if (in_reasoning_) {
        delta.reasoning += text;
        return;
    }
    if (drops_newlines_) text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
    if (text.empty()) return;
    drops_newlines_ = false;
    has_content_ = true;
    delta.content += text;
}

}  // namespace glm5::chat
