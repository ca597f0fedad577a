#include "cache/page_pool.h"

namespace glm5::cache {

PagePool::PagePool(int num_pages) : pages_(num_pages) {
    free_.reserve(num_pages);
    for (PageId page = num_pages - 1; page >= 0; --page) free_.push_back(page);
}

PageId PagePool::allocate() {
    GLM5_CHECK(!free_.empty());
    const PageId page = free_.back();
    free_.pop_back();
    pages_[page].users = 1;
    return page;
}

void PagePool::retain(PageId page) {
    Page& state = pages_.at(page);
    GLM5_CHECK(state.users > 0 || state.remembered, "page {} is free", page);
    if (state.users++ == 0) --num_idle_;
}

void PagePool::release(PageId page) {
    Page& state = pages_.at(page);
    GLM5_CHECK(state.users > 0, "page {} has no user", page);
    if (--state.users > 0) return;
    if (state.remembered)
        ++num_idle_;
    else
        free_.push_back(page);
}

void PagePool::remember(PageId page) {
    Page& state = pages_.at(page);
    GLM5_CHECK(state.users > 0 && !state.remembered, "page {}", page);
    state.remembered = true;
}

void PagePool::forget(PageId page) {
    Page& state = pages_.at(page);
    GLM5_CHECK(state.remembered, "page {}", page);
    state.remembered = false;
    if (state.users > 0) return;
    --num_idle_;
    free_.push_back(page);
}

Status PagePool::check_integrity() const {
    std::vector<bool> listed(pages_.size(), false);
    for (PageId page : free_) {
        if (listed[page]) return invalid_argument("page pool: page {} is free twice", page);
        if (pages_[page].users != 0 || pages_[page].remembered)
            return invalid_argument("page pool: page {} is free, has {} users and is {}remembered", page,
                                    pages_[page].users, pages_[page].remembered ? "" : "not ");
        listed[page] = true;
    }
    int idle = 0;
    for (size_t page = 0; page < pages_.size(); ++page) {
        if (pages_[page].users < 0) return invalid_argument("page pool: page {} has {} users", page, pages_[page].users);
        if (pages_[page].users > 0 || listed[page]) continue;
        if (!pages_[page].remembered) return invalid_argument("page pool: page {} is lost", page);
        ++idle;
    }
    if (idle != num_idle_) return invalid_argument("page pool: {} idle pages, counted {}", idle, num_idle_);
    return {};
}

}  // namespace glm5::cache
