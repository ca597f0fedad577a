// What the tests of the CPU backend share: a backend with guarded tensors, random values, packed weights beside their
// exact values, and comparisons with float64. Everything that is an oracle is written here or in the tests, in plain
// loops over double.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"

namespace glm5::backend_test {

using cpu::InstructionSet;
using ops::ActivationFormat;
using ops::LinearInput;
using ops::WeightFormat;

std::vector<InstructionSet> machine_sets();
std::string set_name(const testing::TestParamInfo<InstructionSet>& set);

// A matrix as a checkpoint stores it, and what its numbers mean.
struct Matrix {
    int64_t out = 0, in = 0;
    WeightFormat format = WeightFormat::f32;
    std::vector<std::byte> stored;
    std::vector<float> scales;
    std::vector<double> values;  // without block scales
    double scale(int64_t row, int64_t column) const {
        return scales.empty() ? 1.0 : scales[row / 128 * ((in + 127) / 128) + column / 128];
    }
    double at(int64_t row, int64_t column) const { return values[row * in + column] * scale(row, column); }
    ops::HostMatrixView view() const {
        return {out, in, format, stored.data(), scales.empty() ? nullptr : scales.data()};
    }
};

// A backend, and tensors between guard bytes that begin as NaN; the destructor checks the guards.
class Device {
public:
    Device(InstructionSet set, const ops::Numerics& numerics, int threads = 2);
    ~Device();

    ops::Backend* operator->() const { return backend_.get(); }
    ops::Tensor tensor(DType dtype, std::initializer_list<int64_t> shape);
    ops::Tensor floats(std::initializer_list<int64_t> shape) { return tensor(DType::f32, shape); }
    ops::Tensor random(std::initializer_list<int64_t> shape,
                       float scale = 1);  // as activations: bf16 if Numerics says so
    ops::Tensor integers(const std::vector<int32_t>& values);
    ops::Tensor vector(const std::vector<float>& values);
    ops::Activation activation(int64_t rows, int64_t width);         // to be written
    ops::Activation random_activation(int64_t rows, int64_t width);  // with its FP8 form if Numerics has one
    Matrix matrix(int64_t out, int64_t in, WeightFormat format);
    ops::Linear linear(const std::vector<Matrix>& matrices);
    ops::Linear linear(const Matrix& matrix) { return linear(std::vector<Matrix>{matrix}); }

    bool rounds() const { return backend_->numerics().activation == ActivationFormat::bf16; }
    std::mt19937& generator() { return generator_; }

private:
    struct Guarded {
        std::byte* begin;
        int64_t bytes;
    };
    std::unique_ptr<ops::Backend> backend_;
    std::vector<Guarded> guarded_;
    std::mt19937 generator_{12345};
};

std::vector<double> doubles(const ops::Tensor& tensor);  // f32
std::vector<float> values_of(const ops::Tensor& tensor);

double rounded(double value);  // to bf16
inline double rounded_if(bool round, double value) {
    return round ? rounded(value) : value;
}

// What a layer of this format reads of an activation in row `row`, and the product with row n of the matrix.
double input_at(const ops::Activation& in, const Matrix& matrix, int64_t row, int64_t column, bool fp8);
double product(const ops::Activation& in, const Matrix& matrix, int64_t row, int64_t n, bool fp8);
inline bool reads_fp8(const ops::Numerics& numerics, const Matrix& matrix) {
    return numerics.linear_input == LinearInput::fp8_1x128 && matrix.format == WeightFormat::fp8_block128;
}

// Relative error in the L2 norm at most `tolerance`, no element off by more than 20 times that of the largest, and with
// `bf16` every value is one.
void expect_close(std::span<const float> actual, std::span<const double> expected, double tolerance, bool bf16,
                  const std::string& what);
inline void expect_close(const ops::Tensor& actual, std::span<const double> expected, double tolerance, bool bf16,
                         const std::string& what) {
    expect_close(std::span(actual.as<float>(), actual.elements()), expected, tolerance, bf16, what);
}
constexpr double kFloatTolerance = 2e-6;
constexpr double kBfloatTolerance = 4e-3;
inline double tolerance(bool bf16) {
    return bf16 ? kBfloatTolerance : kFloatTolerance;
}

// The FP8 form of every row is what its values give.
void expect_fp8_form(const ops::Activation& activation, const std::string& what);

// An instruction set and the Numerics that linear layers depend on.
struct LinearCase {
    InstructionSet set;
    ops::Numerics numerics;
};

inline std::vector<LinearCase> linear_cases() {
    std::vector<LinearCase> result;
    for (InstructionSet set : machine_sets())
        for (ActivationFormat activation : {ActivationFormat::f32, ActivationFormat::bf16})
            for (LinearInput input : {LinearInput::unquantised, LinearInput::fp8_1x128})
                result.push_back({set, {.activation = activation, .linear_input = input}});
    return result;
}

}  // namespace glm5::backend_test
