// Buffer: working memory that grows and never shrinks. Growing loses the contents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/check.h"

namespace glm5::cpu {

inline constexpr size_t kAlignment = 64;

struct FreeMemory {
    void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte, FreeMemory>;

// Aligned to a cache line, or to a huge page when it is as large; not initialised. Aborts when there is none.
Memory allocate_memory(int64_t bytes);

class Buffer {
public:
    // At least `count` values.
    template <typename T>
    T* get(int64_t count) {
        const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
        if (bytes > bytes_) {
            memory_.reset();
            memory_ = allocate_memory(bytes);
            bytes_ = bytes;
        }
        return reinterpret_cast<T*>(memory_.get());
    }

    int64_t bytes() const { return bytes_; }

private:
    Memory memory_;
    int64_t bytes_ = 0;
};

}  // namespace glm5::cpu
