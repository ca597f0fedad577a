// PagePool: which cache pages are free and how many owners each of the others has. Numbers only, no memory: page p
// names the same slot in every layer's arrays. Belongs to the engine's thread.
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

    int num_pages() const { return static_cast<int>(owners_.size()); }
    int num_free() const { return static_cast<int>(free_.size()); }

    // A page with one owner. Requires num_free() > 0.
    PageId allocate();
    void retain(PageId page);
    // The last owner's release frees the page.
    void release(PageId page);

    // Every page is either free once or owned, never both. For tests and idle debug builds.
    Status check_integrity() const;

private:
    std::vector<int32_t> owners_;  // per page; 0 = free
    std::vector<PageId> free_;     // a stack: a page just freed is still warm
};

}  // namespace glm5::cache
