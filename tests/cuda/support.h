// What the tests of the CUDA backend share: Twin, a CPU backend and a CUDA backend with the same Numerics and the same
// numbers in both. The CPU run is the specification.
//
// CPU tensors are f32 and hold bf16 values where CUDA tensors are bf16. CUDA tensors lie between guard bytes, which the
// destructor of Twin checks; what an op has to write begins as NaN (-1 as an integer).
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/cuda/launch.h"
#include "cuda/random.h"
#include "ops/backend.h"

namespace glm5::cuda_test {

// The same tensor on both devices. dtypes differ where the backends' own do.
struct TensorPair {
    ops::Tensor cpu, cuda;
    TensorPair first_rows(int64_t count) const { return {cpu.first_rows(count), cuda.first_rows(count)}; }
};
struct ActivationPair {
    ops::Activation cpu, cuda;
    TensorPair values() const { return {cpu.values, cuda.values}; }
};
struct LinearPair {
    ops::Linear cpu, cuda;
};

// A matrix as a checkpoint stores it.
struct Matrix {
    int64_t out = 0, in = 0;
    ops::WeightFormat format = ops::WeightFormat::bf16;
    std::vector<std::byte> stored;
    std::vector<float> scales;
    ops::HostMatrixView view() const { return {out, in, format, stored.data(), scales.empty() ? nullptr : scales.data()}; }
};

struct Sequence {
    int context_len = 1;  // after the step
    int query_len = 1;
};
struct BatchPair {
    ops::Batch cpu, cuda;
    int num_pages = 0;           // that the sequences occupy
    std::vector<int32_t> slots;  // of every position of every sequence
};

struct CachePair {
    ops::LayerCache cpu, cuda;
    TensorPair latent, index_keys;  // [num_pages, page_bytes] u8
};

// The FP8 form of an activation, row by row.
struct QuantisedRows {
    std::vector<uint8_t> codes;  // [rows, width]
    std::vector<float> scales;   // [rows, ceil(width / 128)]
};

// Room for every shape of GLM-5 in steps of 512 tokens.
ops::StepLimits full_limits();

class Twin {
public:
    explicit Twin(LatentFormat latent = LatentFormat::bf16, const ops::StepLimits& limits = full_limits());
    ~Twin();
    Twin(const Twin&) = delete;
    Twin& operator=(const Twin&) = delete;

    ops::Backend& cpu() { return *cpu_; }
    ops::Backend& cuda() { return *cuda_; }
    Random& generator() { return random_; }

    // To be written by an op.
    TensorPair output(DType dtype, std::initializer_list<int64_t> shape);
    TensorPair activation_tensor(std::initializer_list<int64_t> shape);   // f32 and bf16
    TensorPair index_query_tensor(std::initializer_list<int64_t> shape);  // f32 and e4m3
    ActivationPair activation(int64_t rows, int64_t width);
    CachePair cache(int num_pages);

    // To be read. Values are normally distributed with the standard deviation `scale`.
    TensorPair random(std::initializer_list<int64_t> shape, float scale = 1);          // as activation_tensor
    TensorPair random_floats(std::initializer_list<int64_t> shape, float scale = 1);   // f32 on both
    TensorPair random_e4m3(std::initializer_list<int64_t> shape, float scale = 100);   // as index_query_tensor
    TensorPair floats(std::span<const float> values, std::initializer_list<int64_t> shape);
    TensorPair integers(std::span<const int32_t> values, std::initializer_list<int64_t> shape);
    TensorPair integers(const std::vector<int32_t>& values) { return integers(values, {std::ssize(values)}); }
    // The FP8 form is not that of the values, so that it shows which of them an op reads.
    ActivationPair random_activation(int64_t rows, int64_t width);
    // Random in the entries of the batch's positions and NaN in all others.
    CachePair random_cache(const BatchPair& batch);

    Matrix matrix(int64_t out, int64_t in, ops::WeightFormat format);
    LinearPair linear(const std::vector<Matrix>& matrices);
    LinearPair linear(const Matrix& matrix) { return linear(std::vector<Matrix>{matrix}); }

    // Tokens are the last query_len positions of each sequence; every token's logits are wanted. Pages are in random
    // order, and page_table entries beyond a context are far outside any cache.
    BatchPair batch(const std::vector<Sequence>& sequences, int vocab_size = 4096);

    // bf16, f32 and e4m3 as floats.
    std::vector<float> cpu_values(const ops::Tensor& tensor);
    std::vector<float> cuda_values(const ops::Tensor& tensor);
    std::vector<int32_t> cpu_integers(const ops::Tensor& tensor);
    std::vector<int32_t> cuda_integers(const ops::Tensor& tensor);
    std::vector<uint8_t> cpu_bytes(const ops::Tensor& tensor);
    std::vector<uint8_t> cuda_bytes(const ops::Tensor& tensor);
    QuantisedRows cpu_quantised(const ops::Activation& activation);
    QuantisedRows cuda_quantised(const ops::Activation& activation);

    // Puts the same numbers into both; the CUDA tensor may be of a narrower type, which must hold them.
    void set(const TensorPair& tensor, std::span<const float> values);

    // The CUDA tensor is close to the CPU's: relative error in the L2 norm at most `tolerance`, and no element off by
    // more than 20 times that of the largest.
    void expect_close(const TensorPair& tensor, double tolerance, const std::string& what);

private:
    // [shape] of CUDA memory with `bytes` bytes of its own between guards, all 0xff; 0: as many as the shape has.
    ops::Tensor guarded(DType dtype, std::initializer_list<int64_t> shape, int64_t bytes = 0);

    ops::Numerics numerics_;
    std::unique_ptr<ops::Backend> cpu_, cuda_;
    std::vector<ops::Tensor> guards_;
    Random random_{12345};
};

void expect_close(std::span<const float> actual, std::span<const float> expected, double tolerance,
                  const std::string& what);

// The FP8 form of every row on the GPU is what its values there give.
void expect_fp8_form(Twin& twin, const ops::Activation& activation, const std::string& what);

// Calls `body` with a launch of its own, after and before everything else on the GPU.
void run_kernel(const std::function<void(const cuda::Launch&)>& body);

// One rounding to bf16 in another direction now and then.
inline constexpr double kBfloatTolerance = 2e-3;

// Skips its cases where there is no GPU.
class CudaTest : public testing::Test {
protected:
    void SetUp() override;
};

}  // namespace glm5::cuda_test
