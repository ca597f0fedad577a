// The tensors that a checkpoint of a Config has: names, shapes and element types, in each stored form.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "config/config.h"

namespace glm5::config {

// How one parameter is stored. Facts decide: <name>.weight_scale_inv means FP8, <name>.weight_scale_2 NVFP4.
enum class StoredForm : uint8_t { plain, fp8, nvfp4 };

// One weight of the model, whatever its stored form.
struct Parameter {
    std::string name;            // of the tensor, with ".weight" or ".bias"
    std::vector<int64_t> shape;  // unquantised: [out, in] or [n]
    DType dtype = DType::bf16;   // as published unquantised
    bool quantisable = false;    // a linear layer that may be FP8 or NVFP4
    bool routed_expert = false;
    bool mtp = false;  // of the MTP layer
};

struct ExpectedTensor {
    std::string name;
    std::vector<int64_t> shape;
    DType published;                  // what the published checkpoints have
    std::span<const DType> accepted;  // `published` among them

    int64_t bytes() const;
};

// Every parameter, in the order of the layers; the MTP layer's last.
std::vector<Parameter> parameters(const Config& config);

// The tensors that hold `parameter` in `form`: the weight, then its scales.
std::vector<ExpectedTensor> expected_tensors(const Parameter& parameter, StoredForm form);

// The form of `parameter` in a published checkpoint of this quantisation: FP8 for every quantisable one, NVFP4 for the
// routed experts of the main layers.
StoredForm published_form(const Parameter& parameter, Quantization quantization);

}  // namespace glm5::config
