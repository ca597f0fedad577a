#include "backend/cuda/arena.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cuda/launch.h"

namespace glm5::cuda {
namespace {

constexpr int64_t kAlignment = 1024;
constexpr int64_t kBlockBytes = int64_t{64} << 20;  // small tensors share one; larger ones have their own

}  // namespace

Arena::~Arena() {
    for (void* block : blocks_) cudaFree(block);
}

void* Arena::allocate(int64_t bytes) {
    const int64_t size = round_up(std::max<int64_t>(bytes, 1), kAlignment);
    if (size > remaining_bytes_) {
        const int64_t block_bytes = std::max(size, kBlockBytes);
        void* block = nullptr;
        const cudaError_t error = cudaMalloc(&block, block_bytes);
        if (error != cudaSuccess)
            check_cuda(error, fmt::format("{} more bytes beside the {} in use", block_bytes, allocated_bytes_).c_str());
        blocks_.push_back(block);
        if (block_bytes - size < remaining_bytes_) {  // the block is full at once; go on with the one before
            allocated_bytes_ += size;
            return block;
        }
        next_ = static_cast<std::byte*>(block);
        remaining_bytes_ = block_bytes;
    }
    void* memory = next_;
    next_ += size;
    remaining_bytes_ -= size;
    allocated_bytes_ += size;
    return memory;
}

void* Staging::get(int64_t bytes) {
    if (bytes > bytes_) {
        release();
        check_cuda(cudaMalloc(&memory_, bytes), "memory for loading a weight");
        bytes_ = bytes;
    }
    return memory_;
}

void Staging::release() {
    cudaFree(memory_);  // waits for the device
    memory_ = nullptr;
    bytes_ = 0;
}

}  // namespace glm5::cuda
