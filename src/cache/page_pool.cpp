#include "cache/page_pool.h"

namespace glm5::cache {

PagePool::PagePool(int num_pages) : owners_(num_pages, 0) {
    free_.reserve(num_pages);
    for (PageId page = num_pages - 1; page >= 0; --page) free_.push_back(page);
}

PageId PagePool::allocate() {
    GLM5_CHECK(!free_.empty());
    const PageId page = free_.back();
    free_.pop_back();
    owners_[page] = 1;
    return page;
}

void PagePool::retain(PageId page) {
    GLM5_CHECK(owners_.at(page) > 0, "page {} is free", page);
    ++owners_[page];
}

void PagePool::release(PageId page) {
    GLM5_CHECK(owners_.at(page) > 0, "page {} is free", page);
    if (--owners_[page] == 0) free_.push_back(page);
}

Status PagePool::check_integrity() const {
    std::vector<bool> listed(owners_.size(), false);
    for (PageId page : free_) {
        if (listed[page]) return invalid_argument("page pool: page {} is free twice", page);
        if (owners_[page] != 0) return invalid_argument("page pool: page {} is free and has {} owners", page, owners_[page]);
        listed[page] = true;
    }
    for (size_t page = 0; page < owners_.size(); ++page)
        if (owners_[page] == 0 && !listed[page]) return invalid_argument("page pool: page {} is lost", page);
    return {};
}

}  // namespace glm5::cache
