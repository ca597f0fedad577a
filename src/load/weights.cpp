// Reading weights into host memory.
#include "load/weights.h"

#include <algorithm>
#include <cstring>

#include "load/text.h"

namespace glm5::load {
namespace {

constexpr int64_t kBlock = 128;           // rows and columns that share an FP8 scale
constexpr int64_t kChunkBytes = 4 << 20;  // whole rows read at once when only some columns are kept

int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

int element_bytes(ops::WeightFormat format) {
    switch (format) {
        case ops::WeightFormat::f32: return 4;
        case ops::WeightFormat::bf16: return 2;
        case ops::WeightFormat::fp8_block128: return 1;
    }
    return 0;
}

Result<const TensorInfo*> find_tensor(const TensorSource& source, const std::string& name,
                                      std::span<const int64_t> shape) {
    const TensorInfo* tensor = source.find(name);
    if (!tensor) return not_found("tensor {} is missing", in_quotes(name));
    if (!std::ranges::equal(tensor->shape, shape))
        return invalid_argument("tensor {}: expected shape {}, found {}", in_quotes(name), shape_text(shape),
                                shape_text(tensor->shape));
    return tensor;
}

Status wrong_dtype(const TensorInfo& tensor, std::string_view expected) {
    return invalid_argument("tensor {}: expected {}, found {}", in_quotes(tensor.name), expected,
                            dtype_name(tensor.dtype));
}

Range resolved(Range range, int64_t size) {
    if (range.end < 0) range.end = size;
    GLM5_CHECK(0 <= range.begin && range.begin <= range.end && range.end <= size, "[{}, {}) of {}", range.begin,
               range.end, size);
    return range;
}

// The bytes of rows × columns of a row-major tensor with `row_elements` in a row, into `out`.
Status read_part(const TensorSource& source, const TensorInfo& tensor, int64_t row_elements, Range rows, Range columns,
                 std::byte* out) {
    const int64_t element = dtype_bytes(tensor.dtype), row_bytes = row_elements * element;
    const int64_t num_rows = rows.end - rows.begin, kept_bytes = (columns.end - columns.begin) * element;
    if (kept_bytes == row_bytes)
        return source.read(tensor, static_cast<uint64_t>(rows.begin * row_bytes),
                           {out, static_cast<size_t>(num_rows * row_bytes)});
    const int64_t chunk_rows = std::clamp<int64_t>(kChunkBytes / row_bytes, 1, std::max<int64_t>(num_rows, 1));
    std::vector<std::byte> chunk(static_cast<size_t>(chunk_rows * row_bytes));
    for (int64_t row = rows.begin; row < rows.end; row += chunk_rows) {
        const int64_t count = std::min(chunk_rows, rows.end - row);
        GLM5_RETURN_IF_ERROR(source.read(tensor, static_cast<uint64_t>(row * row_bytes),
                                         {chunk.data(), static_cast<size_t>(count * row_bytes)}));
        for (int64_t i = 0; i < count; ++i, out += kept_bytes)
            std::memcpy(out, chunk.data() + i * row_bytes + columns.begin * element, static_cast<size_t>(kept_bytes));
    }
    return {};
}

uint16_t half_word(const std::byte* bytes, size_t index) {
    uint16_t word;
    std::memcpy(&word, bytes + 2 * index, 2);
    return word;
}

// The scales of the blocks that rows × columns touch.
Status read_scales(const TensorSource& source, const std::string& name, int64_t out_features, int64_t in_features,
                   Range rows, Range columns, HostMatrix& matrix) {
    if (rows.begin % kBlock != 0 || columns.begin % kBlock != 0)
        return unsupported("tensor {}: FP8 blocks of {} cannot be cut at row {}, column {}", in_quotes(name), kBlock,
                           rows.begin, columns.begin);
    const int64_t shape[] = {ceil_div(out_features, kBlock), ceil_div(in_features, kBlock)};
    GLM5_ASSIGN_OR_RETURN(const TensorInfo* scales, find_tensor(source, name + ".weight_scale_inv", shape));
    if (scales->dtype != DType::f32) return wrong_dtype(*scales, "F32");
    const Range block_rows = {rows.begin / kBlock, ceil_div(rows.end, kBlock)};
    const Range block_columns = {columns.begin / kBlock, ceil_div(columns.end, kBlock)};
    matrix.scales.resize(
        static_cast<size_t>((block_rows.end - block_rows.begin) * (block_columns.end - block_columns.begin)));
    return read_part(source, *scales, shape[1], block_rows, block_columns,
                     reinterpret_cast<std::byte*>(matrix.scales.data()));
}

// F16 has no format of its own: its values are exact in f32.
void widen_f16(HostMatrix& matrix) {
    const auto count = static_cast<size_t>(matrix.out_features * matrix.in_features);
    auto wide = std::make_unique_for_overwrite<std::byte[]>(count * 4);
    for (size_t i = 0; i < count; ++i) {
        const float value = f16_to_f32(half_word(matrix.weight.get(), i));
        std::memcpy(wide.get() + 4 * i, &value, 4);
    }
    matrix.weight = std::move(wide);
}

}  // namespace

int64_t HostMatrix::weight_bytes() const {
    return out_features * in_features * element_bytes(format);
}

Result<HostMatrix> read_matrix(const TensorSource& source, std::string_view base_name, int64_t out_features,
                               int64_t in_features, Range rows, Range columns) {
    const std::string name(base_name);
    if (source.find(name + ".weight_scale_2"))
        return unsupported("tensor {}: NVFP4 weights need the CUDA backend", in_quotes(name + ".weight"));
    const int64_t shape[] = {out_features, in_features};
    GLM5_ASSIGN_OR_RETURN(const TensorInfo* weight, find_tensor(source, name + ".weight", shape));
    rows = resolved(rows, out_features);
    columns = resolved(columns, in_features);

    HostMatrix matrix = {.out_features = rows.end - rows.begin, .in_features = columns.end - columns.begin};
    switch (weight->dtype) {
        case DType::f32:
        case DType::f16: matrix.format = ops::WeightFormat::f32; break;
        case DType::bf16: matrix.format = ops::WeightFormat::bf16; break;
        case DType::f8_e4m3: matrix.format = ops::WeightFormat::fp8_block128; break;
        default: return wrong_dtype(*weight, "BF16, F32, F16 or F8_E4M3");
    }
    if (matrix.format == ops::WeightFormat::fp8_block128)
        GLM5_RETURN_IF_ERROR(read_scales(source, name, out_features, in_features, rows, columns, matrix));
    const int64_t stored_bytes = matrix.out_features * matrix.in_features * dtype_bytes(weight->dtype);
    matrix.weight = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(stored_bytes));
    GLM5_RETURN_IF_ERROR(read_part(source, *weight, in_features, rows, columns, matrix.weight.get()));
    if (weight->dtype == DType::f16) widen_f16(matrix);
    return matrix;
}

Result<std::vector<float>> read_f32(const TensorSource& source, std::string_view name, std::span<const int64_t> shape) {
    GLM5_ASSIGN_OR_RETURN(const TensorInfo* tensor, find_tensor(source, std::string(name), shape));
    if (tensor->dtype != DType::f32 && tensor->dtype != DType::bf16 && tensor->dtype != DType::f16)
        return wrong_dtype(*tensor, "BF16, F32 or F16");
    std::vector<float> values(tensor->num_bytes / dtype_bytes(tensor->dtype));
    if (tensor->dtype == DType::f32) {
        GLM5_RETURN_IF_ERROR(source.read(*tensor, 0, std::as_writable_bytes(std::span(values))));
        return values;
    }
    std::vector<std::byte> bytes(tensor->num_bytes);
    GLM5_RETURN_IF_ERROR(source.read(*tensor, 0, bytes));
    const auto widen = tensor->dtype == DType::bf16 ? bf16_to_f32 : f16_to_f32;
    for (size_t i = 0; i < values.size(); ++i) values[i] = widen(half_word(bytes.data(), i));
    return values;
}

std::vector<float> dequantise(const HostMatrix& matrix) {
    std::vector<float> values(static_cast<size_t>(matrix.out_features * matrix.in_features));
    const std::byte* weight = matrix.weight.get();
    switch (matrix.format) {
        case ops::WeightFormat::f32: std::memcpy(values.data(), weight, values.size() * 4); break;
        case ops::WeightFormat::bf16:
            for (size_t i = 0; i < values.size(); ++i) values[i] = bf16_to_f32(half_word(weight, i));
            break;
        case ops::WeightFormat::fp8_block128: {
            const int64_t blocks_in_row = ceil_div(matrix.in_features, kBlock);
            for (int64_t row = 0; row < matrix.out_features; ++row) {
                const float* scales = matrix.scales.data() + row / kBlock * blocks_in_row;
                const int64_t at = row * matrix.in_features;
                for (int64_t k = 0; k < matrix.in_features; ++k)
                    values[at + k] = e4m3_to_f32(static_cast<uint8_t>(weight[at + k])) * scales[k / kBlock];
            }
            break;
        }
    }
    return values;
}

}  // namespace glm5::load
