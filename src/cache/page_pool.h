// PagePool: the state of every cache page. Numbers only, no memory: page p names the same slot in every layer's arrays.
// Belongs to the engine's thread.
//
// A page is free, or used by one or more sequences, or idle: no sequence uses it, but the prefix tree remembers what it
// holds. Free and idle pages are available; an idle one has to be forgotten by the tree before it is allocated.
#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"
#include "base/status.h"

namespace glm5::cache {

using PageId = int32_t;

// Slots (page · kPageTokens + entry) are i32 on the device.
inline constexpr int kMaxPages = (1 << 30) / kPageTokens;

class PagePool {
public:
    explicit PagePool(int num_pages);

    int num_pages() const { return static_cast<int>(pages_.size()); }
    int num_free() const { return static_cast<int>(free_.size()); }
    int num_idle() const { return num_idle_; }
    int num_available() const { return num_free() + num_idle(); }
    int num_used() const { return num_pages() - num_available(); }

    // A free page with one user. Requires num_free() > 0.
    PageId allocate();
    // One user more of a used or idle page.
    void retain(PageId page);
    // One user less; after the last the page is idle if the tree remembers it, else free.
    void release(PageId page);

    bool is_used(PageId page) const { return pages_.at(page).users > 0; }
    // The prefix tree's part: it remembers a used page, and forgets a page that is used or idle.
    void remember(PageId page);
    void forget(PageId page);

    // Every page is in exactly one state and the counts agree. For tests and idle debug builds.
    Status check_integrity() const;

private:
    struct Page {
        int32_t users = 0;
        bool remembered = false;
    };
    std::vector<Page> pages_;
    std::vector<PageId> free_;  // a stack: a page just freed is still warm
    int num_idle_ = 0;
};

}  // namespace glm5::cache
