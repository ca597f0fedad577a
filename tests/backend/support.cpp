#include "backend/support.h"

namespace glm5::backend_test {
namespace {

constexpr int64_t kGuardBytes = 64;
constexpr auto kGuard = std::byte{0xa5};

}  // namespace

std::vector<InstructionSet> machine_sets() {
    std::vector<InstructionSet> sets;
    for (InstructionSet set : {InstructionSet::scalar, InstructionSet::avx2, InstructionSet::avx512})
        if (cpu::machine_runs(set)) sets.push_back(set);
    return sets;
}

std::string set_name(const testing::TestParamInfo<InstructionSet>& set) {
    return set.param == InstructionSet::avx512 ? "avx512" : set.param == InstructionSet::avx2 ? "avx2" : "scalar";
}

Device::Device(InstructionSet set, const ops::Numerics& numerics, int threads)
    : backend_(cpu::make_cpu_backend(numerics, threads, set).value()) {}

Device::~Device() {
    const std::vector<std::byte> guard(kGuardBytes, kGuard);
    for (const Guarded& guarded : guarded_) {
        EXPECT_EQ(std::memcmp(guarded.begin, guard.data(), kGuardBytes), 0) << "written before a tensor";
        EXPECT_EQ(std::memcmp(guarded.begin + kGuardBytes + guarded.bytes, guard.data(), kGuardBytes), 0)
            << "written behind a tensor";
    }
}

ops::Tensor Device::tensor(DType dtype, std::initializer_list<int64_t> shape) {
    ops::Tensor tensor(nullptr, dtype, shape);
    const int64_t bytes = tensor.bytes();
    auto* memory = backend_->allocate(DType::u8, {bytes + 2 * kGuardBytes}).as<std::byte>();
    std::memset(memory, static_cast<int>(kGuard), kGuardBytes);
    std::memset(memory + kGuardBytes, 0xff, bytes);  // NaN as float, -1 as integer
    std::memset(memory + kGuardBytes + bytes, static_cast<int>(kGuard), kGuardBytes);
    guarded_.push_back({memory, bytes});
    tensor.data = memory + kGuardBytes;
    return tensor;
}

ops::Tensor Device::random(std::initializer_list<int64_t> shape, float scale) {
    ops::Tensor result = floats(shape);
    std::normal_distribution<float> normal(0, scale);
    for (int64_t i = 0; i < result.elements(); ++i) {
        const float value = normal(generator_);
        result.as<float>()[i] = rounds() ? round_bf16(value) : value;
    }
    return result;
}

ops::Tensor Device::integers(const std::vector<int32_t>& values) {
    ops::Tensor result = tensor(DType::i32, {static_cast<int64_t>(values.size())});
    backend_->copy_to_device(result, values.data(), result.bytes());
    return result;
}

ops::Tensor Device::vector(const std::vector<float>& values) {
    ops::Tensor result = floats({static_cast<int64_t>(values.size())});
    backend_->copy_to_device(result, values.data(), result.bytes());
    return result;
}

ops::Activation Device::activation(int64_t rows, int64_t width) {
    ops::Activation result{.values = floats({rows, width}), .quantised = {}, .scales = {}};
    if (backend_->numerics().linear_input == LinearInput::unquantised) return result;
    result.quantised = tensor(DType::f8_e4m3, {rows, width});
    result.scales = floats({rows, (width + 127) / 128});
    return result;
}

// The FP8 form is random too, not that of the values: which one a layer reads must show.
ops::Activation Device::random_activation(int64_t rows, int64_t width) {
    ops::Activation result = activation(rows, width);
    result.values = random({rows, width});
    if (!result.quantised) return result;
    for (int64_t i = 0; i < result.quantised.elements(); ++i)
        result.quantised.as<uint8_t>()[i] = f32_to_e4m3(std::normal_distribution<float>(0, 100)(generator_));
    for (int64_t i = 0; i < result.scales.elements(); ++i)
        result.scales.as<float>()[i] = std::uniform_real_distribution<float>(0.01f, 0.02f)(generator_);
    return result;
}

Matrix Device::matrix(int64_t out, int64_t in, WeightFormat format) {
    Matrix matrix{.out = out, .in = in, .format = format};
    std::normal_distribution<float> normal(0, 1.0f / std::sqrt(static_cast<float>(in)));
    for (int64_t i = 0; i < out * in; ++i) {
        const float value = normal(generator_);
        const uint16_t half = f32_to_bf16(value);
        const uint8_t code = f32_to_e4m3(value * 100);
        std::span<const std::byte> bytes = std::as_bytes(std::span(&value, 1));
        double exact = value;
        if (format == WeightFormat::bf16) bytes = std::as_bytes(std::span(&half, 1)), exact = bf16_to_f32(half);
        if (format == WeightFormat::fp8_block128) bytes = std::as_bytes(std::span(&code, 1)), exact = e4m3_to_f32(code);
        matrix.stored.insert(matrix.stored.end(), bytes.begin(), bytes.end());
        matrix.values.push_back(exact);
    }
    if (format == WeightFormat::fp8_block128)
        for (int64_t i = 0; i < (out + 127) / 128 * ((in + 127) / 128); ++i)
            matrix.scales.push_back(std::uniform_real_distribution<float>(0.005f, 0.02f)(generator_));
    return matrix;
}

ops::Linear Device::linear(const std::vector<Matrix>& matrices) {
    std::vector<ops::HostMatrixView> views;
    for (const Matrix& matrix : matrices) views.push_back(matrix.view());
    return backend_->make_linear(views);
}

std::vector<float> values_of(const ops::Tensor& tensor) {
    return {tensor.as<float>(), tensor.as<float>() + tensor.elements()};
}

std::vector<double> doubles(const ops::Tensor& tensor) {
    return {tensor.as<float>(), tensor.as<float>() + tensor.elements()};
}

double rounded(double value) {
    return round_bf16(static_cast<float>(value));
}

double input_at(const ops::Activation& in, const Matrix& matrix, int64_t row, int64_t column, bool fp8) {
    if (!fp8) return in.values.as<float>()[row * matrix.in + column];
    const double code = e4m3_to_f32(in.quantised.as<uint8_t>()[row * matrix.in + column]);
    return code * in.scales.as<float>()[row * ((matrix.in + 127) / 128) + column / 128];
}

double product(const ops::Activation& in, const Matrix& matrix, int64_t row, int64_t n, bool fp8) {
    double sum = 0;
    for (int64_t k = 0; k < matrix.in; ++k) sum += input_at(in, matrix, row, k, fp8) * matrix.at(n, k);
    return sum;
}

void expect_close(std::span<const float> actual, std::span<const double> expected, double tolerance, bool bf16,
                  const std::string& what) {
    ASSERT_EQ(actual.size(), expected.size()) << what;
    double error = 0, norm = 0, largest = 0;
    for (double value : expected) norm += value * value, largest = std::max(largest, std::fabs(value));
    for (size_t i = 0; i < actual.size(); ++i) {
        const double difference = actual[i] - expected[i];
        error += difference * difference;
        ASSERT_LE(std::fabs(difference), 20 * tolerance * largest + 1e-30)
            << what << "[" << i << "]: " << actual[i] << ", expected " << expected[i];
        if (bf16) {
            ASSERT_EQ(actual[i], round_bf16(actual[i])) << what << "[" << i << "] is not a bf16 value";
        }
    }
    EXPECT_LE(std::sqrt(error), tolerance * std::sqrt(norm) + 1e-30) << what;
}

void expect_fp8_form(const ops::Activation& activation, const std::string& what) {
    const int64_t rows = activation.values.rows(), width = activation.values.columns(), blocks = (width + 127) / 128;
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t block = 0; block < blocks; ++block) {
            const float* values = activation.values.as<float>() + row * width;
            float largest = 0;
            for (int64_t i = block * 128; i < std::min(width, block * 128 + 128); ++i)
                largest = std::max(largest, std::fabs(values[i]));
            const float scale = std::max(largest, 1e-10f) / 448.0f;
            ASSERT_EQ(activation.scales.as<float>()[row * blocks + block], scale) << what;
            for (int64_t i = block * 128; i < std::min(width, block * 128 + 128); ++i)
                ASSERT_EQ(activation.quantised.as<uint8_t>()[row * width + i], f32_to_e4m3(values[i] / scale)) << what;
        }
}

}  // namespace glm5::backend_test
