// The trie of the added tokens. The work per byte of text is bounded by the longest token.
#include "text/added_tokens.h"

#include "base/check.h"

namespace glm5::text {

uint32_t AddedTokens::child_of(uint32_t node, unsigned char byte) const {
    uint32_t child = nodes_[node].child;
    while (child != 0 && nodes_[child].byte != byte) child = nodes_[child].sibling;
    return child;
}

void AddedTokens::add(std::string_view content, int32_t id) {
    GLM5_CHECK(!content.empty());
    uint32_t node = 0;
    for (char c : content) {
        const auto byte = static_cast<unsigned char>(c);
        uint32_t child = child_of(node, byte);
        if (child == 0) {
            child = static_cast<uint32_t>(nodes_.size());
            nodes_.push_back({byte, -1, 0, nodes_[node].child});
            nodes_[node].child = child;
        }
        node = child;
    }
    nodes_[node].id = id;
    starts_[static_cast<unsigned char>(content.front())] = true;
}

AddedTokens::Match AddedTokens::find(std::string_view text, size_t offset) const {
    for (; offset < text.size(); ++offset) {
        if (!starts_[static_cast<unsigned char>(text[offset])]) continue;
        Match match{offset, offset, -1};
        uint32_t node = 0;
        for (size_t i = offset; i < text.size(); ++i) {
            node = child_of(node, static_cast<unsigned char>(text[i]));
            if (node == 0) break;
            if (nodes_[node].id >= 0) match = {offset, i + 1, nodes_[node].id};
        }
        if (match.id >= 0) return match;
    }
    return {text.size(), text.size(), -1};
}

}  // namespace glm5::text
