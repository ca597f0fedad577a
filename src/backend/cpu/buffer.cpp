#include "backend/cpu/buffer.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace glm5::cpu {

Memory allocate_memory(int64_t bytes) {
    constexpr size_t kHugePage = 2 << 20;
    const size_t size = static_cast<size_t>(bytes > 0 ? bytes : 1);
    const size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
    const size_t rounded = (size + alignment - 1) / alignment * alignment;
    Memory memory(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
    GLM5_CHECK(memory != nullptr, "out of memory: {} bytes", bytes);
#ifdef __linux__
    // Advice only: without huge pages everything works, with more TLB misses.
    if (alignment == kHugePage) madvise(memory.get(), rounded, MADV_HUGEPAGE);
#endif
    return memory;
}

}  // namespace glm5::cpu
