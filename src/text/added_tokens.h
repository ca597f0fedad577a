// Finds the added tokens (control tokens and tags) in raw text: leftmost first, the longest at its place.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace glm5::text {

class AddedTokens {
public:
    // `content` is not empty; each content is added once.
    void add(std::string_view content, int32_t id);

    struct Match {
        size_t start;
        size_t end;
        int32_t id;  // -1: none; start and end are then the end of the text
    };
    // The first added token at or after `offset`.
    Match find(std::string_view text, size_t offset) const;

private:
    // A trie whose children are linked lists: few tokens share a place.
    struct Node {
        unsigned char byte;
        int32_t id = -1;  // of the token that ends here
        uint32_t child = 0;
        uint32_t sibling = 0;  // 0: none; the root is nobody's child
    };

    uint32_t child_of(uint32_t node, unsigned char byte) const;

    std::vector<Node> nodes_ = std::vector<Node>(1);
    bool starts_[256] = {};  // whether a token starts with the byte
};

}  // namespace glm5::text
