#include "model/weight_loader.h"

#include <array>

#include "load/read_pool.h"

namespace glm5::model {
namespace {

// Enough to keep a disk busy; more gains nothing on network file systems either.
constexpr int kReadThreads = 8;

}  // namespace

int64_t stored_bytes(const load::TensorSource& source, const std::string& name) {
    int64_t bytes = 0;
    for (const std::string& tensor : {name, name + "_scale_inv"})
        if (const load::TensorInfo* info = source.find(tensor)) bytes += static_cast<int64_t>(info->num_bytes);
    return bytes;
}

WeightLoader::WeightLoader(const load::TensorSource& source, ops::Backend& backend, const LoadProgress& progress,
                           int64_t total_bytes)
    : source_(source), backend_(backend), progress_(progress), total_bytes_(total_bytes) {}

void WeightLoader::add_progress(int64_t bytes) {
    loaded_bytes_ += bytes;
    if (progress_) progress_(loaded_bytes_, total_bytes_);
}

Result<load::HostMatrix> WeightLoader::read(const std::string& name, int64_t out_features, int64_t in_features) {
    auto matrix = load::read_matrix(source_, name, out_features, in_features);
    if (matrix.ok()) add_progress(stored_bytes(source_, name + ".weight"));
    return matrix;
}

Result<ops::Linear> WeightLoader::linear(const std::string& name, int64_t out_features, int64_t in_features) {
    GLM5_ASSIGN_OR_RETURN(const load::HostMatrix matrix, read(name, out_features, in_features));
    return backend_.make_linear(matrix.view());
}

Result<ops::Linear> WeightLoader::experts(const std::string& prefix, const std::string& name, int64_t count,
                                          int64_t out_features, int64_t in_features) {
    const auto full_name = [&](int64_t expert) { return fmt::format("{}.{}.{}", prefix, expert, name); };
    std::vector<load::HostMatrix> matrices(count);
    std::vector<load::ReadJob> jobs;
    for (int64_t expert = 0; expert < count; ++expert)
        jobs.push_back({.num_bytes = static_cast<uint64_t>(stored_bytes(source_, full_name(expert) + ".weight")),
                        .run = [&, expert]() -> Status {
                            auto matrix = load::read_matrix(source_, full_name(expert), out_features, in_features);
                            if (!matrix.ok()) return matrix.status();
                            matrices[expert] = *std::move(matrix);
                            return {};
                        }});
    const int64_t loaded_before = loaded_bytes_;
    GLM5_RETURN_IF_ERROR(load::run_reads(jobs, kReadThreads, [&](uint64_t done_bytes, uint64_t) {
        add_progress(loaded_before + static_cast<int64_t>(done_bytes) - loaded_bytes_);
    }));

    std::vector<ops::HostMatrixView> views;
    for (int64_t expert = 0; expert < count; ++expert) {
        if (matrices[expert].format != matrices[0].format)
            return unsupported("{}.weight: the experts of a layer must be stored alike, and this one differs from {}",
                               full_name(expert), full_name(0));
        views.push_back(matrices[expert].view());
    }
    return backend_.make_linear(views);
}

Result<std::vector<float>> WeightLoader::dequantised(const std::string& name, int64_t out_features,
                                                     int64_t in_features) {
    GLM5_ASSIGN_OR_RETURN(const load::HostMatrix matrix, read(name, out_features, in_features));
    return load::dequantise(matrix);
}

ops::Linear WeightLoader::make_unquantised(std::span<const float> values, int64_t count, int64_t out_features,
                                           int64_t in_features) {
    GLM5_CHECK(static_cast<int64_t>(values.size()) == count * out_features * in_features);
    const bool keep_f32 = backend_.numerics().activation == ops::ActivationFormat::f32;
    std::vector<uint16_t> rounded;
    if (!keep_f32) {
        rounded.reserve(values.size());
        for (float value : values) rounded.push_back(f32_to_bf16(value));
    }
    const auto bytes = keep_f32 ? std::as_bytes(values) : std::as_bytes(std::span(rounded));
    std::vector<ops::HostMatrixView> views;
    for (int64_t i = 0; i < count; ++i)
        views.push_back({.out_features = out_features,
                         .in_features = in_features,
                         .format = keep_f32 ? ops::WeightFormat::f32 : ops::WeightFormat::bf16,
                         .weight = bytes.data() + i * static_cast<int64_t>(bytes.size()) / count,
                         .scales = nullptr});
    return backend_.make_linear(views);
}

Result<ops::Tensor> WeightLoader::table(const std::string& name, int64_t rows, int64_t columns) {
    GLM5_ASSIGN_OR_RETURN(const load::HostMatrix matrix, read(name, rows, columns));
    if (matrix.format == ops::WeightFormat::fp8_block128)
        return unsupported("{}.weight: an FP8 lookup table is not supported (supported: BF16, F16, F32)", name);
    const DType dtype = matrix.format == ops::WeightFormat::bf16 ? DType::bf16 : DType::f32;
    ops::Tensor tensor = backend_.allocate(dtype, {rows, columns});
    backend_.copy_to_device(tensor, matrix.weight.get(), tensor.bytes());
    return tensor;
}

Result<ops::Tensor> WeightLoader::vector(const std::string& name, int64_t size) {
    GLM5_ASSIGN_OR_RETURN(const std::vector<float> values, load::read_f32(source_, name, std::array{size}));
    add_progress(stored_bytes(source_, name));
    return backend_.make_vector(values);
}

}  // namespace glm5::model
