// Comparisons, and launches of single kernels.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>

#include "cuda/support.h"

namespace glm5::cuda_test {

void expect_close(std::span<const float> actual, std::span<const float> expected, double tolerance,
                  const std::string& what) {
    ASSERT_EQ(actual.size(), expected.size()) << what;
    double error = 0, norm = 0, largest = 0;
    for (float value : expected) {
        norm += static_cast<double>(value) * value;
        largest = std::max(largest, std::fabs(static_cast<double>(value)));
    }
    for (size_t i = 0; i < actual.size(); ++i) {
        const double difference = static_cast<double>(actual[i]) - expected[i];
        ASSERT_LE(std::fabs(difference), 20 * tolerance * largest + 1e-30)
            << what << "[" << i << "]: " << actual[i] << ", expected " << expected[i];
        error += difference * difference;
    }
    EXPECT_LE(std::sqrt(error), tolerance * std::sqrt(norm) + 1e-30) << what;
}

void expect_fp8_form(Twin& twin, const ops::Activation& activation, const std::string& what) {
    const int64_t rows = activation.values.rows(), width = activation.values.columns(), blocks = width / 128;
    const std::vector<float> values = twin.cuda_values(activation.values);
    const QuantisedRows quantised = twin.cuda_quantised(activation);
    for (int64_t block = 0; block < rows * blocks; ++block) {
        const float* first = &values[block * 128];
        float largest = 0;
        for (int i = 0; i < 128; ++i) largest = std::max(largest, std::fabs(first[i]));
        const float scale = std::max(largest, 1e-10f) / 448.0f;
        ASSERT_EQ(quantised.scales[block], scale) << what << ", block " << block;
        for (int i = 0; i < 128; ++i)
            ASSERT_EQ(quantised.codes[block * 128 + i], f32_to_e4m3(first[i] / scale)) << what << ", block " << block;
    }
}

void run_kernel(const std::function<void(const cuda::Launch&)>& body) {
    cuda::Launch launch;
    cudaDeviceProp properties;
    ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
    launch.num_sms = properties.multiProcessorCount;
    launch.architecture = properties.major * 10 + properties.minor;
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    body(launch);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

void CudaTest::SetUp() {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "no GPU";
}

}  // namespace glm5::cuda_test
