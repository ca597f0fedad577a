// Memory and weights of CudaBackend.
#include "backend/cuda/backend.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cuda/attention.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/mlp.h"
#include "backend/cuda/repack/repack.h"
#include "backend/cuda/tiles.h"
#include "ops/device_fault.h"

namespace glm5::cuda {
namespace {

constexpr size_t kMaxGraphs = 128;  // each takes device memory: 2.5 KB per launch
constexpr int kCapabilities[] = {90, 100, 120};

// Why device `index` cannot be used, or ok with its properties.
Result<cudaDeviceProp> find_device(int index) {
    int count = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess)
        return unsupported("--device cuda: {}", cudaGetErrorString(error));
    if (index < 0 || index >= count) return unsupported("--device cuda: there is no device {} of {}", index, count);
    cudaDeviceProp properties;
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess)
        return unsupported("--device cuda: device {}: {}", index, cudaGetErrorString(error));
    if (std::ranges::count(kCapabilities, properties.major * 10 + properties.minor) == 0)
        return unsupported("--device cuda: {} has compute capability {}.{}; supported are 9.0, 10.0 and 12.0",
                           properties.name, properties.major, properties.minor);
    return properties;
}

}  // namespace

bool has_cuda_device(int index) {
    return find_device(index).ok();
}

void check_cuda(cudaError_t error, const char* what) {
    using Kind = ops::DeviceFault::Kind;
    if (error == cudaSuccess) return;
    throw ops::DeviceFault(fmt::format("CUDA: {}: {}", what, cudaGetErrorString(error)),
                           error == cudaErrorMemoryAllocation ? Kind::out_of_memory : Kind::other);
}

Result<std::unique_ptr<ops::Backend>> make_cuda_backend(const ops::Numerics& numerics, int index) {
    if (const auto device = find_device(index); !device.ok()) return device.status();
    if (numerics.activation != ops::ActivationFormat::bf16 || numerics.latent == LatentFormat::f32 ||
        numerics.linear_input != ops::LinearInput::fp8_1x128 || numerics.index_key != IndexKeyFormat::e4m3)
        return unsupported("--device cuda: activations are bfloat16, and caches bfloat16 or fp8_ds_mla");
    try {
        return std::unique_ptr<ops::Backend>(std::make_unique<CudaBackend>(numerics, index));
    } catch (const ops::DeviceFault& fault) {
        return unsupported("--device cuda: {}", fault.what());
    }
}

CudaBackend::CudaBackend(const ops::Numerics& numerics, int device) : numerics_(numerics), device_(device) {
    check_cuda(cudaSetDevice(device), "cudaSetDevice");
    cudaDeviceProp properties;
    check_cuda(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
    device_bytes_ = static_cast<int64_t>(properties.totalGlobalMem);
    launch_.num_sms = properties.multiProcessorCount;
    launch_.architecture = properties.major * 10 + properties.minor;
    check_cuda(cudaStreamCreateWithFlags(&launch_.stream, cudaStreamNonBlocking), "cudaStreamCreate");
}

CudaBackend::~CudaBackend() {
    for (const auto& [key, graph] : graphs_) cudaGraphExecDestroy(graph.executable);
    cudaStreamDestroy(launch_.stream);
}

std::string CudaBackend::description() const {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, device_) != cudaSuccess) return "CUDA device";
    return fmt::format("{} ({} SMs, {:.1f} GiB, compute capability {}.{})", properties.name, launch_.num_sms,
                       static_cast<double>(properties.totalGlobalMem) / (1 << 30), properties.major, properties.minor);
}

ops::Tensor CudaBackend::allocate(DType dtype, std::initializer_list<int64_t> shape) {
    ops::Tensor tensor(nullptr, dtype, shape);
    tensor.data = arena_.allocate(tensor.bytes());
    return tensor;
}

// Rows are padded to whole tiles. The padding is zero: products of padding rows are never read, and so stay finite.
ops::Activation CudaBackend::allocate_activation(int64_t rows, int64_t width) {
    ops::Activation activation;
    activation.values = allocate(DType::bf16, {rows, width});
    if (numerics_.linear_input == ops::LinearInput::unquantised || width % kTileRowBytes != 0) return activation;
    const int64_t padded = round_up(rows, kTileRows);
    activation.quantised = allocate(DType::f8_e4m3, {padded, width});
    activation.scales = allocate(DType::f32, {padded, width / kTileRowBytes});
    check_cuda(cudaMemsetAsync(activation.quantised.data, 0, activation.quantised.bytes(), launch_.stream), "memset");
    check_cuda(cudaMemsetAsync(activation.scales.data, 0, activation.scales.bytes(), launch_.stream), "memset");
    return activation;
}

void CudaBackend::copy_to_device(const ops::Tensor& destination, const void* source, int64_t bytes) {
    check_cuda(cudaMemcpyAsync(destination.data, source, bytes, cudaMemcpyHostToDevice, launch_.stream),
               "copy to device");
}

void CudaBackend::copy_to_host(void* destination, const ops::Tensor& source, int64_t bytes) {
    check_cuda(cudaMemcpyAsync(destination, source.data, bytes, cudaMemcpyDeviceToHost, launch_.stream),
               "copy to host");
    check_cuda(cudaStreamSynchronize(launch_.stream), "a kernel before a copy to the host");
}

// Weights travel as they are stored and are arranged in tiles on the device. f32 weights are rounded to bf16.
ops::Linear CudaBackend::make_linear(std::span<const ops::HostMatrixView> matrices) {
    GLM5_CHECK(!matrices.empty());
    const ops::HostMatrixView& first = matrices[0];
    const bool fp8 = first.format == ops::WeightFormat::fp8_block128;
    const int64_t value_bytes = fp8 ? 1 : 2;
    const int64_t row_tiles = ceil_div(first.out_features, kTileRows);
    const int64_t k_tiles = ceil_div(first.in_features * value_bytes, kTileRowBytes);
    const auto count = static_cast<int64_t>(matrices.size());

    ops::Linear linear{.batch = count,
                       .out_features = first.out_features,
                       .in_features = first.in_features,
                       .format = fp8 ? first.format : ops::WeightFormat::bf16,
                       .weight = allocate(DType::u8, {count, row_tiles * k_tiles, kTileBytes}),
                       .scales = {}};
    const int64_t scale_count = ceil_div(first.out_features, 128) * k_tiles;
    if (fp8) linear.scales = allocate(DType::f32, {count, scale_count});

    const int64_t stored_value_bytes = first.format == ops::WeightFormat::f32 ? 4 : value_bytes;
    const int64_t stored_bytes = first.out_features * first.in_features * stored_value_bytes;
    for (int64_t i = 0; i < count; ++i) {
        const ops::HostMatrixView& matrix = matrices[i];
        GLM5_CHECK(matrix.out_features == first.out_features && matrix.in_features == first.in_features &&
                   matrix.format == first.format);
        void* staging = staging_.get(stored_bytes);
        check_cuda(cudaMemcpyAsync(staging, matrix.weight, stored_bytes, cudaMemcpyHostToDevice, launch_.stream),
                   "copy of a weight");
        repack(launch_, {.out = linear.weight.as<uint8_t>() + i * row_tiles * k_tiles * kTileBytes,
                         .in = staging,
                         .rows = first.out_features,
                         .columns = first.in_features,
                         .k_tiles = k_tiles,
                         .source = first.format == ops::WeightFormat::f32    ? RepackSource::float32
                                   : first.format == ops::WeightFormat::bf16 ? RepackSource::bfloat16
                                                                             : RepackSource::fp8});
        if (fp8)
            check_cuda(cudaMemcpyAsync(linear.scales.as<float>() + i * scale_count, matrix.scales, scale_count * 4,
                                       cudaMemcpyHostToDevice, launch_.stream),
                       "copy of block scales");
    }
    check_cuda(cudaStreamSynchronize(launch_.stream), "loading a weight");
    return linear;
}

void CudaBackend::prepare(const ops::StepLimits& limits) {
    limits_ = limits;
    staging_.release();
    const int64_t bytes_before = arena_.allocated_bytes();
    index_workspace_ = allocate(DType::u8, {index_select_workspace_bytes(limits)});
    mla_workspace_ = allocate(DType::u8, {sparse_mla_workspace_bytes(limits)});
    mlp_workspace_ = allocate(DType::u8, {mlp_workspace_bytes(launch_, limits)});
    router_logits_ = allocate(DType::f32, {limits.max_tokens, limits.num_experts});
    workspace_bytes_ = arena_.allocated_bytes() - bytes_before;
}

ops::MemoryUse CudaBackend::memory_use() const {
    return {.tensor_bytes = arena_.allocated_bytes() - workspace_bytes_,
            .workspace_bytes = workspace_bytes_,
            .device_bytes = device_bytes_};
}

int64_t CudaBackend::available_bytes() const {
    size_t free_bytes = 0, total_bytes = 0;
    check_cuda(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
    return static_cast<int64_t>(free_bytes);
}

// A graph of the calls: launching it costs the host one call instead of a thousand.
void CudaBackend::repeat(uint64_t key, const std::function<void()>& record) {
    auto found = graphs_.find(key);
    if (found == graphs_.end()) {
        make_room_for_graph();
        cudaGraph_t graph = nullptr;
        Graph kept;
        check_cuda(cudaStreamBeginCapture(launch_.stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
        record();
        check_cuda(cudaStreamEndCapture(launch_.stream, &graph), "cudaStreamEndCapture");
        check_cuda(cudaGraphInstantiate(&kept.executable, graph, 0), "cudaGraphInstantiate");
        check_cuda(cudaGraphDestroy(graph), "cudaGraphDestroy");
        found = graphs_.emplace(key, kept).first;
    }
    found->second.last_used = ++num_repeats_;
    check_cuda(cudaGraphLaunch(found->second.executable, launch_.stream), "cudaGraphLaunch");
}

// Drops the graph whose last use is the longest ago when there are too many. One that runs is freed when it has ended.
void CudaBackend::make_room_for_graph() {
    if (graphs_.size() < kMaxGraphs) return;
    const auto oldest = std::min_element(graphs_.begin(), graphs_.end(), [](const auto& a, const auto& b) {
        return a.second.last_used < b.second.last_used;
    });
    check_cuda(cudaGraphExecDestroy(oldest->second.executable), "cudaGraphExecDestroy");
    graphs_.erase(oldest);
}

}  // namespace glm5::cuda
