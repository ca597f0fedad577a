// Memory, weights and the factory.
#include "backend/cpu/backend.h"

#include <unistd.h>

#include <cstring>
#include <system_error>

#include "backend/cpu/cpu_backend.h"

namespace glm5::cpu {

CpuBackend::CpuBackend(const ops::Numerics& numerics, int num_threads, InstructionSet instruction_set)
    : numerics_(numerics),
      kernels_(kernels_for(instruction_set)),
      instruction_set_(instruction_set),
      pool_(num_threads),
      gemm_(kernels_, pool_),
      thread_memory_(num_threads) {}

std::string CpuBackend::description() const {
    return fmt::format("cpu, {}, {} thread{}", instruction_set_name(instruction_set_), pool_.num_threads(),
                       pool_.num_threads() == 1 ? "" : "s");
}

ops::Tensor CpuBackend::allocate(DType dtype, std::initializer_list<int64_t> shape) {
    ops::Tensor tensor(nullptr, dtype, shape);
    tensors_.push_back(allocate_memory(tensor.bytes()));
    tensor_bytes_ += tensor.bytes();
    tensor.data = tensors_.back().get();
    return tensor;
}

int64_t CpuBackend::available_bytes() const {
    return int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE);
}

void CpuBackend::copy_to_device(const ops::Tensor& destination, const void* source, int64_t bytes) {
    GLM5_CHECK(bytes <= destination.bytes(), "{} > {}", bytes, destination.bytes());
    if (bytes > 0) std::memcpy(destination.data, source, bytes);
}

void CpuBackend::copy_to_host(void* destination, const ops::Tensor& source, int64_t bytes) {
    GLM5_CHECK(bytes <= source.bytes(), "{} > {}", bytes, source.bytes());
    if (bytes > 0) std::memcpy(destination, source.data, bytes);
}

ops::Linear CpuBackend::make_linear(std::span<const ops::HostMatrixView> matrices) {
    GLM5_CHECK(!matrices.empty());
    const ops::HostMatrixView& first = matrices[0];
    const auto batch = static_cast<int64_t>(matrices.size());
    const int64_t panels = num_panels(first.out_features), blocks = num_blocks(first.in_features);
    ops::Linear linear{
        .batch = batch, .out_features = first.out_features, .in_features = first.in_features, .format = first.format};
    const DType dtype = packed_dtype(matrices);
    linear.weight = allocate(dtype, {batch, panels, first.in_features, kPanelColumns});
    if (first.format == ops::WeightFormat::fp8_block128) linear.scales = allocate(DType::f32, {batch, panels, blocks});
    for (int64_t i = 0; i < batch; ++i) {
        const ops::HostMatrixView& matrix = matrices[i];
        GLM5_CHECK(matrix.out_features == first.out_features && matrix.in_features == first.in_features &&
                   matrix.format == first.format);
        pack_weight(matrix, dtype, linear.weight.as<std::byte>() + i * linear.weight.bytes() / batch);
        if (linear.scales) pack_scales(matrix, linear.scales.as<float>() + i * panels * blocks);
    }
    return linear;
}

void CpuBackend::prepare(const ops::StepLimits& limits) {
    limits_ = limits;
}

ops::MemoryUse CpuBackend::memory_use() const {
    ops::MemoryUse use{.tensor_bytes = tensor_bytes_, .workspace_bytes = gemm_.scratch_bytes()};
    for (const Buffer* buffer : {&codes_, &gate_, &up_, &gate_scales_, &pair_tokens_, &pair_rows_, &pair_out_,
                                 &router_logits_, &scores_})
        use.workspace_bytes += buffer->bytes();
    for (const Buffer& buffer : thread_memory_) use.workspace_bytes += buffer.bytes();
    return use;
}

Result<std::unique_ptr<ops::Backend>> make_cpu_backend(const ops::Numerics& numerics, int num_threads,
                                                       std::optional<InstructionSet> instruction_set) {
    constexpr int kMostThreads = 1024;
    if (num_threads < 0 || num_threads > kMostThreads)
        return invalid_argument("number of CPU threads: expected 0 (all cores) to {}, found {}", kMostThreads,
                                num_threads);
    const InstructionSet set = instruction_set.value_or(best_instruction_set());
    if (!machine_runs(set)) return unsupported("this machine does not run {}", instruction_set_name(set));
    if (num_threads == 0) num_threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    try {
        return std::unique_ptr<ops::Backend>(std::make_unique<CpuBackend>(numerics, num_threads, set));
    } catch (const std::system_error& error) {
        return resource_exhausted("cannot start {} CPU threads: {}", num_threads, error.what());
    }
}

}  // namespace glm5::cpu
