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

PrefixTree::PrefixTree(PagePool& pool) : pool_(pool), by_page_(pool.num_pages()) {}

PrefixTree::~PrefixTree() {
    // From the leaves up, without recursion: a long prompt makes a deep tree.
    for (size_t page = 0; page < by_page_.size(); ++page) {
        Node* node = by_page_[page];
        while (node && node != &root_ && node->children.empty()) {
            Node* parent = node->parent;
            remove(*node);
            node = parent;
        }
    }
}

bool PrefixTree::is_idle_leaf(const Node& node) const {
    return &node != &root_ && node.children.empty() && !pool_.is_used(node.page);
}

// One user more of the node's page.
void PrefixTree::use(Node& node) {
    if (is_idle_leaf(node)) idle_leaves_.erase(&node);
    pool_.retain(node.page);
    node.last_used = clock_;
}

std::vector<PageId> PrefixTree::match(std::span<const int32_t> tokens) {
    ++clock_;
    std::vector<PageId> pages;
    Node* node = &root_;
    for (size_t page = 0; (page + 1) * kPageTokens <= tokens.size(); ++page) {
        const auto child = node->children.find(page_tokens(tokens, page));
        if (child == node->children.end()) break;
        node = child->second.get();
        use(*node);
        pages.push_back(node->page);
    }
    return pages;
}

void PrefixTree::insert(std::span<const int32_t> tokens, std::span<PageId> pages, size_t num_known) {
    GLM5_CHECK(tokens.size() == pages.size() * kPageTokens && num_known <= pages.size(), "{} tokens, {} pages, {} known",
               tokens.size(), pages.size(), num_known);
    ++clock_;
    Node* node = num_known > 0 ? by_page_.at(pages[num_known - 1]) : &root_;
    GLM5_CHECK(node != nullptr, "page {} is not known", pages[num_known - 1]);
    for (size_t page = num_known; page < pages.size(); ++page) {
        auto [child, added] = node->children.try_emplace(page_tokens(tokens, page));
        if (added) {
            child->second = std::make_unique<Node>();
            Node& fresh = *child->second;
            fresh.parent = node;
            fresh.page = pages[page];
            fresh.key = &child->first;
            pool_.remember(fresh.page);
            by_page_[fresh.page] = &fresh;
            ++num_pages_;
            fresh.last_used = clock_;
        } else if (child->second->page != pages[page]) {
            use(*child->second);
            pool_.release(std::exchange(pages[page], child->second->page));
        }
        node = child->second.get();
    }
}

void PrefixTree::release(std::span<const PageId> pages) {
    for (const PageId page : pages) {
        pool_.release(page);
        Node* node = by_page_.at(page);
        if (node && is_idle_leaf(*node)) idle_leaves_.insert(node);
    }
}

void PrefixTree::remove(Node& leaf) {
    idle_leaves_.erase(&leaf);
    pool_.forget(leaf.page);
    by_page_[leaf.page] = nullptr;
    --num_pages_;
    Node& parent = *leaf.parent;
    parent.last_used = std::max(parent.last_used, leaf.last_used);
    parent.children.erase(parent.children.find(*leaf.key));  // ends the leaf
    if (is_idle_leaf(parent)) idle_leaves_.insert(&parent);
}

int PrefixTree::evict(int count) {
    int evicted = 0;
    for (; evicted < count && !idle_leaves_.empty(); ++evicted) remove(**idle_leaves_.begin());
    return evicted;
}

}  // namespace glm5::cache
