// PrefixTree: which full pages hold which tokens, so that a sequence begins where another's beginning ends.
//
// A radix tree whose edges are the tokens of one page. The pool remembers the tree's pages: a page that no sequence uses
// stays idle until it is evicted, least recently used first, children before their parents. A sequence that uses a page
// uses those above it too, so idle pages have only idle pages below. Users of pages come and go through the tree, which
// so knows the idle ones without a search. Belongs to the engine's thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "cache/page_pool.h"

namespace glm5::cache {

class PrefixTree {
public:
    // `pool` outlives the tree.
    explicit PrefixTree(PagePool& pool);
    ~PrefixTree();

    // The pages of the longest known beginning of `tokens`, whole pages only. The caller becomes a user of each.
    std::vector<PageId> match(std::span<const int32_t> tokens);

    // Remembers that pages[i], used by the caller, holds the i-th 64 of `tokens` (64 · pages.size() of them) after those
    // before. Where the tree knows the same beginning in another page, the caller's is exchanged for that one. The first
    // num_known pages are the tree's already, from match or an insert; they and their tokens are not looked at, so that a
    // sequence that grows by a page costs the same at any length.
    void insert(std::span<const int32_t> tokens, std::span<PageId> pages, size_t num_known = 0);

    // One user less of each page, whether the tree knows it or not.
    void release(std::span<const PageId> pages);

    // Frees up to `count` idle pages, and says how many.
    int evict(int count);

    int num_pages() const { return num_pages_; }

private:
    using PageTokens = std::array<int32_t, kPageTokens>;
    struct Hash {
        size_t operator()(const PageTokens& tokens) const;
    };
    struct Node {
        Node* parent = nullptr;
        PageId page = -1;
        uint64_t last_used = 0;  // of this page, or of one below it that is gone
        const PageTokens* key = nullptr;  // in the parent's map
        std::unordered_map<PageTokens, std::unique_ptr<Node>, Hash> children;
    };
    struct LeastRecent {
        bool operator()(const Node* a, const Node* b) const {
            return a->last_used != b->last_used ? a->last_used < b->last_used : a < b;
        }
    };

    bool is_idle_leaf(const Node& node) const;
    void use(Node& node);
    void remove(Node& leaf);

    PagePool& pool_;
    Node root_;
    std::set<Node*, LeastRecent> idle_leaves_;
    std::vector<Node*> by_page_;  // [pool's pages]: nullptr where the tree does not remember it
    uint64_t clock_ = 0;
    int num_pages_ = 0;
};

}  // namespace glm5::cache
