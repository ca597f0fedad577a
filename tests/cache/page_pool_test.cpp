#include "cache/page_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace glm5::cache {
namespace {

TEST(PagePool, HandsOutEveryPageOnce) {
    PagePool pool(5);
    std::map<PageId, int> seen;
    for (int i = 0; i < 5; ++i) ++seen[pool.allocate()];
    EXPECT_EQ(seen.size(), 5u);
    EXPECT_EQ(pool.num_free(), 0);
    EXPECT_TRUE(pool.check_integrity().ok());
}

TEST(PagePool, FreesAtTheLastOwnersRelease) {
    PagePool pool(2);
    const PageId page = pool.allocate();
    pool.retain(page);
    pool.release(page);
    EXPECT_EQ(pool.num_free(), 1);
    pool.release(page);
    EXPECT_EQ(pool.num_free(), 2);
}

TEST(PagePoolDeathTest, RefusesToReleaseAFreePage) {
    PagePool pool(1);
    const PageId page = pool.allocate();
    pool.release(page);
    EXPECT_DEATH(pool.release(page), "page 0 is free");
    EXPECT_DEATH(pool.retain(page), "page 0 is free");
}

TEST(PagePool, RandomOwnersNeverLoseAPage) {
    std::mt19937 random(3);
    PagePool pool(20);
    std::map<PageId, int> owners;
    for (int i = 0; i < 20000; ++i) {
        const auto any = [&] { return std::next(owners.begin(), static_cast<long>(random() % owners.size()))->first; };
        switch (random() % 3) {
            case 0:
                if (pool.num_free() > 0) {
                    const PageId page = pool.allocate();
                    ASSERT_FALSE(owners.contains(page));
                    owners[page] = 1;
                }
                break;
            case 1:
                if (!owners.empty()) {
                    const PageId page = any();
                    pool.retain(page);
                    ++owners[page];
                }
                break;
            default:
                if (!owners.empty()) {
                    const PageId page = any();
                    pool.release(page);
                    if (--owners[page] == 0) owners.erase(page);
                }
        }
        ASSERT_EQ(pool.num_free(), 20 - static_cast<int>(owners.size()));
        ASSERT_TRUE(pool.check_integrity().ok()) << pool.check_integrity().message();
    }
}

}  // namespace
}  // namespace glm5::cache
