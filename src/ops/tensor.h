// Tensor: a view of device memory that a Backend owns. Activation: a tensor that feeds linear layers, with its FP8
// form.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "base/check.h"
#include "base/dtype.h"

namespace glm5::ops {

// Row major, contiguous, at most four dimensions. Copies are cheap and own nothing; `data` is device memory of the
// backend that made it and stays valid as long as that backend.
struct Tensor {
    void* data = nullptr;
    DType dtype = DType::f32;
    int rank = 0;
    std::array<int64_t, 4> shape{};

    Tensor() = default;
    Tensor(void* memory, DType type, std::initializer_list<int64_t> sizes) : data(memory), dtype(type) {
        GLM5_CHECK(sizes.size() <= shape.size());
        for (int64_t size : sizes) shape[rank++] = size;
    }

    explicit operator bool() const { return data != nullptr; }
    int64_t elements() const {
        int64_t count = 1;
        for (int i = 0; i < rank; ++i) count *= shape[i];
        return count;
    }
    int64_t bytes() const { return elements() * dtype_bytes(dtype); }
    int64_t rows() const { return shape[0]; }
    int64_t columns() const { return elements() / shape[0]; }

    template <typename T>
    T* as() const {
        return static_cast<T*>(data);
    }

    // The first `count` rows.
    Tensor first_rows(int64_t count) const {
        GLM5_CHECK(count <= shape[0], "{} > {}", count, shape[0]);
        Tensor view = *this;
        view.shape[0] = count;
        return view;
    }
};

// Input of a linear layer: `values`, and beside them the per-1×128 FP8 form when Numerics asks for it
// (Numerics::linear_input): x ≈ quantised · scale. The quantised tensors are empty otherwise. Their memory is the
// backend's (Backend::allocate_activation), which may arrange it as its kernels read it.
struct Activation {
    Tensor values;     // [num_rows, width] activation dtype
    Tensor quantised;  // [num_rows, width] e4m3
    Tensor scales;     // [num_rows, ceil(width / 128)] f32

    Activation first_rows(int64_t count) const {
        Activation view = *this;
        view.values = values.first_rows(count);
        if (quantised) view.quantised = quantised.first_rows(count);
        if (scales) view.scales = scales.first_rows(count);
        return view;
    }
};

}  // namespace glm5::ops
