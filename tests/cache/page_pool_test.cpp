#include "cache/page_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace glm5::cache {
namespace {

TEST(PagePool, HandsOutEveryPageOnce) {
    PagePool pool(5);
    std::set<PageId> seen;
    for (int i = 0; i < 5; ++i) seen.insert(pool.allocate());
    EXPECT_EQ(seen.size(), 5u);
    EXPECT_EQ(pool.num_free(), 0);
    EXPECT_TRUE(pool.check_integrity().ok());
}

TEST(PagePool, FreesAtTheLastUsersRelease) {
    PagePool pool(2);
    const PageId page = pool.allocate();
    pool.retain(page);
    pool.release(page);
    EXPECT_EQ(pool.num_used(), 1);
    pool.release(page);
    EXPECT_EQ(pool.num_free(), 2);
}

TEST(PagePool, ARememberedPageIsIdleUntilForgottenOrUsedAgain) {
    PagePool pool(1);
    const PageId page = pool.allocate();
    pool.remember(page);
    pool.release(page);
    EXPECT_EQ(pool.num_idle(), 1);
    EXPECT_EQ(pool.num_free(), 0);
    EXPECT_EQ(pool.num_available(), 1);
    pool.retain(page);
    EXPECT_EQ(pool.num_idle(), 0);
    EXPECT_EQ(pool.num_used(), 1);
    pool.release(page);
    pool.forget(page);
    EXPECT_EQ(pool.num_free(), 1);
    EXPECT_TRUE(pool.check_integrity().ok());
}

TEST(PagePoolDeathTest, RefusesWhatThePagesStateForbids) {
    PagePool pool(1);
    const PageId page = pool.allocate();
    pool.release(page);
    EXPECT_DEATH(pool.release(page), "page 0 has no user");
    EXPECT_DEATH(pool.retain(page), "page 0 is free");
    EXPECT_DEATH(pool.remember(page), "page 0");
    EXPECT_DEATH(pool.forget(page), "page 0");
}

}  // namespace
}  // namespace glm5::cache
