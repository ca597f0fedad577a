// Arena: the device memory of one backend, taken in large blocks and given out once, never returned.
// Belongs to the thread of its backend. A device without enough memory is an ops::DeviceFault naming what was wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace glm5::cuda {

class Arena {
public:
    Arena() = default;
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // At least `bytes` bytes, aligned to 1024.
    void* allocate(int64_t bytes);
    int64_t allocated_bytes() const { return allocated_bytes_; }

private:
    std::vector<void*> blocks_;
    std::byte* next_ = nullptr;  // free part of the last block
    int64_t remaining_bytes_ = 0;
    int64_t allocated_bytes_ = 0;
};

// Device memory for the stored form of one weight at a time, while a checkpoint is loaded.
class Staging {
public:
    Staging() = default;
    ~Staging() { release(); }
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    // At least `bytes` bytes, valid until the next call; work that reads them is ordered in one stream.
    void* get(int64_t bytes);
    void release();

private:
    void* memory_ = nullptr;
    int64_t bytes_ = 0;
};

}  // namespace glm5::cuda
