#include "cache/prefix_tree.h"

#include <algorithm>
#include <random>
#include <utility>

namespace glm5::cache {
namespace {

// Unknown to clients, so that prompts cannot be made to collide.
uint64_t process_seed() {
    static const uint64_t seed = (uint64_t{std::random_device()()} << 32) | std::random_device()();
    return seed;
}

std::array<int32_t, kPageTokens> page_tokens(std::span<const int32_t> tokens, size_t page) {
    std::array<int32_t, kPageTokens> out;
    std::copy_n(tokens.begin() + static_cast<std::ptrdiff_t>(page * kPageTokens), kPageTokens, out.begin());
    return out;
}

}  // namespace

// Multiply and fold (as in wyhash), two tokens at a time.
size_t PrefixTree::Hash::operator()(const PageTokens& tokens) const {
    uint64_t state = process_seed();
    for (int i = 0; i < kPageTokens; i += 2) {
        const uint64_t pair = uint64_t(uint32_t(tokens[i])) << 32 | uint32_t(tokens[i + 1]);
        const auto product = static_cast<unsigned __int128>(state ^ pair) * 0x9e3779b97f4a7c15u;
        state = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
    }
    return state;
}

PrefixTree::PrefixTree(PagePool& pool) : pool_(pool) {}

PrefixTree::~PrefixTree() {
    // From the leaves up, without recursion: a long prompt makes a deep tree.
    while (!leaves_.empty()) remove(**leaves_.begin());
}

void PrefixTree::touch(Node& node) {
    const bool is_leaf = leaves_.erase(&node) > 0;
    node.last_used = clock_;
    if (is_leaf) leaves_.insert(&node);
}

std::vector<PageId> PrefixTree::match(std::span<const int32_t> tokens) {
    ++clock_;
    std::vector<PageId> pages;
    Node* node = &root_;
    for (size_t page = 0; (page + 1) * kPageTokens <= tokens.size(); ++page) {
        const auto child = node->children.find(page_tokens(tokens, page));
        if (child == node->children.end()) break;
        node = child->second.get();
        touch(*node);
        pool_.retain(node->page);
        pages.push_back(node->page);
    }
    return pages;
}

void PrefixTree::insert(std::span<const int32_t> tokens, std::span<PageId> pages) {
    GLM5_CHECK(tokens.size() == pages.size() * kPageTokens, "{} tokens, {} pages", tokens.size(), pages.size());
    ++clock_;
    Node* node = &root_;
    for (size_t page = 0; page < pages.size(); ++page) {
        auto [child, added] = node->children.try_emplace(page_tokens(tokens, page));
        if (added) {
            child->second = std::make_unique<Node>();
            Node& fresh = *child->second;
            fresh.parent = node;
            fresh.page = pages[page];
            fresh.key = &child->first;
            pool_.remember(fresh.page);
            ++num_pages_;
            leaves_.erase(node);
            fresh.last_used = clock_;
            leaves_.insert(&fresh);
        } else {
            touch(*child->second);
            const PageId known = child->second->page;
            if (known != pages[page]) {
                pool_.retain(known);
                pool_.release(std::exchange(pages[page], known));
            }
        }
        node = child->second.get();
    }
}

void PrefixTree::remove(Node& leaf) {
    leaves_.erase(&leaf);
    pool_.forget(leaf.page);
    --num_pages_;
    Node& parent = *leaf.parent;
    parent.children.erase(parent.children.find(*leaf.key));  // ends the leaf
    if (parent.children.empty() && &parent != &root_) leaves_.insert(&parent);
}

int PrefixTree::evict(int count) {
    int evicted = 0;
    auto leaf = leaves_.begin();
    while (evicted < count && leaf != leaves_.end()) {
        Node& candidate = **leaf;
        if (pool_.is_used(candidate.page)) {
            ++leaf;
            continue;
        }
        Node* parent = candidate.parent;
        const auto next = std::next(leaf);
        remove(candidate);
        ++evicted;
        const auto freed = leaves_.find(parent);  // the parent may have become the next leaf
        leaf = freed != leaves_.end() && (next == leaves_.end() || LeastRecent()(parent, *next)) ? freed : next;
    }
    return evicted;
}

}  // namespace glm5::cache
