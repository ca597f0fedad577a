// The prefix tree by example; tests/schedule/simulator_test.cpp runs it against a model that reads what it remembers.
#include "cache/prefix_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace glm5::cache {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// `count` tokens that begin with `first`, first + 1, …
std::vector<int32_t> tokens(int first, int count) {
    std::vector<int32_t> out(count);
    std::iota(out.begin(), out.end(), first);
    return out;
}

class PrefixTreeTest : public ::testing::Test {
protected:
    std::vector<PageId> allocate(int count) {
        std::vector<PageId> pages;
        for (int i = 0; i < count; ++i) pages.push_back(pool_.allocate());
        return pages;
    }
    void release(const std::vector<PageId>& pages) { tree_.release(pages); }
    // Remembers fresh pages for the tokens, with no user left.
    std::vector<PageId> remember(const std::vector<int32_t>& text) {
        std::vector<PageId> pages = allocate(static_cast<int>(text.size()) / kPageTokens);
        tree_.insert(text, pages);
        release(pages);
        return pages;
    }

    PagePool pool_{10};
    PrefixTree tree_{pool_};
};

TEST_F(PrefixTreeTest, MatchesWholePagesOfTheLongestBeginning) {
    const std::vector<PageId> pages = remember(tokens(0, 192));
    EXPECT_THAT(tree_.match(tokens(0, 63)), IsEmpty());
    EXPECT_THAT(tree_.match(tokens(1, 192)), IsEmpty());
    const std::vector<PageId> two = tree_.match(tokens(0, 191));
    EXPECT_THAT(two, ElementsAre(pages[0], pages[1]));
    EXPECT_EQ(pool_.num_used(), 2);
    release(two);
    EXPECT_EQ(pool_.num_idle(), 3);
}

TEST_F(PrefixTreeTest, BranchesShareTheirBeginning) {
    std::vector<int32_t> left = tokens(0, 128), right = tokens(0, 64);
    const std::vector<int32_t> tail = tokens(500, 64);
    right.insert(right.end(), tail.begin(), tail.end());
    const std::vector<PageId> first = remember(left);
    const std::vector<PageId> second = remember(right);
    EXPECT_EQ(second[0], first[0]);  // exchanged for the known page
    EXPECT_EQ(tree_.num_pages(), 3);
    EXPECT_EQ(pool_.num_free(), 7);
    EXPECT_THAT(tree_.match(right), ElementsAre(first[0], second[1]));
}

TEST_F(PrefixTreeTest, EvictsTheLeastRecentlyUsedLeavesFirst) {
    const std::vector<PageId> old = remember(tokens(0, 128));
    const std::vector<PageId> recent = remember(tokens(1000, 128));
    release(tree_.match(tokens(0, 128)));  // the older one was used last
    EXPECT_EQ(tree_.evict(1), 1);
    release(tree_.match(tokens(1000, 128)));
    EXPECT_THAT(tree_.match(tokens(1000, 128)), ElementsAre(recent[0]));
    EXPECT_EQ(tree_.evict(10), 2);  // the page in use stays
    EXPECT_THAT(tree_.match(tokens(0, 128)), IsEmpty());
    EXPECT_EQ(tree_.num_pages(), 1);
    EXPECT_TRUE(pool_.check_integrity().ok());
}

TEST_F(PrefixTreeTest, GrowsBehindPagesThatItKnows) {
    const std::vector<int32_t> text = tokens(0, 192);
    std::vector<PageId> whole = allocate(3), other = allocate(3);
    tree_.insert(text, whole);
    tree_.insert(std::span(text).first(64), std::span(other).first(1));
    EXPECT_EQ(other[0], whole[0]);
    const PageId own = other[2];
    tree_.insert(text, other, 1);
    EXPECT_EQ(other, whole);
    EXPECT_EQ(tree_.num_pages(), 3);
    EXPECT_FALSE(pool_.is_used(own));
    EXPECT_TRUE(pool_.check_integrity().ok());
}

TEST_F(PrefixTreeTest, GrowingCountsAsUseOfThePagesAbove) {
    std::vector<int32_t> text = tokens(0, 128);
    std::vector<PageId> pages = allocate(2), other = allocate(1);
    tree_.insert(std::span(text).first(64), std::span(pages).first(1));
    tree_.insert(tokens(1000, 64), other);
    tree_.insert(text, pages, 1);
    release(pages);
    EXPECT_EQ(tree_.evict(1), 1);  // the second page, because `other` is in use
    release(other);
    EXPECT_EQ(tree_.evict(1), 1);
    EXPECT_THAT(tree_.match(tokens(1000, 64)), IsEmpty());
    EXPECT_THAT(tree_.match(text), ElementsAre(pages[0]));
}

TEST_F(PrefixTreeTest, NeverEvictsWhatASequenceUses) {
    remember(tokens(0, 320));
    const std::vector<PageId> used = tree_.match(tokens(0, 192));
    EXPECT_EQ(tree_.evict(10), 2);
    EXPECT_THAT(tree_.match(tokens(0, 320)), ElementsAre(used[0], used[1], used[2]));
}

}  // namespace
}  // namespace glm5::cache
