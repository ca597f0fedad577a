#include "ops/backend.h"

namespace glm5::ops {

Activation Backend::allocate_activation(int64_t rows, int64_t width) {
    Activation activation;
    activation.values = allocate(activation_dtype(), {rows, width});
    if (numerics().linear_input == LinearInput::fp8_1x128) {
        activation.quantised = allocate(DType::f8_e4m3, {rows, width});
        activation.scales = allocate(DType::f32, {rows, (width + 127) / 128});
    }
    return activation;
}

Tensor Backend::make_vector(std::span<const float> values) {
    Tensor tensor = allocate(DType::f32, {static_cast<int64_t>(values.size())});
    copy_to_device(tensor, values.data(), tensor.bytes());
    return tensor;
}

}  // namespace glm5::ops
