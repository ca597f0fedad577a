// Safetensors headers: 8 bytes of length, little endian, then JSON: {name: {dtype, shape, data_offsets}, …}.
#include "load/safetensors.h"

#include <algorithm>
#include <optional>

#include "json/parse.h"
#include "load/text.h"

namespace glm5::load {
namespace {

constexpr uint64_t kLengthBytes = 8;

std::optional<DType> dtype_of(std::string_view name) {
    for (DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f8_e4m3, DType::u8, DType::i32, DType::i64})
        if (dtype_name(dtype) == name) return dtype;
    return std::nullopt;
}

// The non-negative integers of a list; none when it is anything else.
std::optional<std::vector<int64_t>> integers_of(const json::Value* value) {
    if (!value || !value->is_array()) return std::nullopt;
    std::vector<int64_t> integers;
    for (const json::Value& item : value->as_array()) {
        const auto integer = item.is_integer() ? item.to_int64() : std::nullopt;
        if (!integer || *integer < 0) return std::nullopt;
        integers.push_back(*integer);
    }
    return integers;
}

// The bytes of a tensor; none when they overflow.
std::optional<uint64_t> bytes_of(DType dtype, std::span<const int64_t> shape) {
    // A zero makes the product zero, whatever the other sizes would overflow to.
    if (std::ranges::find(shape, 0) != shape.end()) return 0;
    uint64_t bytes = static_cast<uint64_t>(dtype_bytes(dtype));
    for (int64_t size : shape)
        if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return std::nullopt;
    return bytes;
}

// file_offset counts from the start of the data here.
Result<TensorInfo> parse_tensor(const std::string& name, const json::Value& value) {
    const auto error = [&](std::string_view what) { return invalid_argument("tensor {}: {}", in_quotes(name), what); };
    const json::Value* dtype_value = value.find("dtype");
    if (!dtype_value || !dtype_value->is_string()) return error("no dtype");
    const auto dtype = dtype_of(dtype_value->as_string());
    if (!dtype)
        return error(fmt::format("dtype {} is not supported; supported: F32, BF16, F16, F8_E4M3, U8, I32, I64",
                                 in_quotes(dtype_value->as_string())));
    auto shape = integers_of(value.find("shape"));
    if (!shape) return error("shape is not a list of sizes");
    const auto offsets = integers_of(value.find("data_offsets"));
    if (!offsets || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1])
        return error("data_offsets are not [begin, end]");
    const auto begin = static_cast<uint64_t>((*offsets)[0]), end = static_cast<uint64_t>((*offsets)[1]);
    const auto bytes = bytes_of(*dtype, *shape);
    if (!bytes || *bytes != end - begin)
        return error(fmt::format("{} {} takes {} bytes, data_offsets [{}, {}] hold {}", dtype_name(*dtype),
                                 shape_text(*shape), bytes ? std::to_string(*bytes) : "more than 2^64", begin, end,
                                 end - begin));
    return TensorInfo{
        .name = name, .dtype = *dtype, .shape = std::move(*shape), .num_bytes = end - begin, .file_offset = begin};
}

// `tensors` are in the order of their bytes.
Status check_ranges(const std::vector<TensorInfo>& tensors, uint64_t data_bytes) {
    uint64_t covered = 0;
    const TensorInfo* previous = nullptr;
    for (const TensorInfo& tensor : tensors) {
        const uint64_t end = tensor.file_offset + tensor.num_bytes;
        if (tensor.file_offset < covered)
            return invalid_argument("tensor {}: its bytes [{}, {}) overlap those of {}", in_quotes(tensor.name),
                                    tensor.file_offset, end, in_quotes(previous->name));
        if (tensor.file_offset > covered)
            return invalid_argument("tensor {}: bytes [{}, {}) before it belong to no tensor", in_quotes(tensor.name),
                                    covered, tensor.file_offset);
        if (end > data_bytes)
            return invalid_argument("the file is truncated: tensor {} ends at byte {} of the data, the file has {}",
                                    in_quotes(tensor.name), end, data_bytes);
        covered = end;
        previous = &tensor;
    }
    if (covered != data_bytes)
        return invalid_argument("the last {} bytes of the file belong to no tensor", data_bytes - covered);
    return {};
}

}  // namespace

Result<std::vector<TensorInfo>> parse_safetensors_header(std::string_view header, uint64_t file_bytes) {
    const uint64_t data_offset = kLengthBytes + header.size();
    if (data_offset > file_bytes)
        return invalid_argument("the file is truncated: a header of {} bytes in a file of {}", header.size(),
                                file_bytes);
    auto parsed = json::parse(header, {.max_depth = 8, .reject_duplicate_keys = true});
    if (!parsed.ok()) return parsed.status().with_context("header");
    if (!parsed->is_object())
        return invalid_argument("header: expected an object, found a JSON {}", parsed->type_name());

    std::vector<TensorInfo> tensors;
    tensors.reserve(parsed->as_object().size());
    for (const auto& [name, value] : parsed->as_object()) {
        if (name == "__metadata__") continue;
        GLM5_ASSIGN_OR_RETURN(TensorInfo tensor, parse_tensor(name, value));
        tensors.push_back(std::move(tensor));
    }
    std::ranges::sort(tensors, {},
                      [](const TensorInfo& tensor) { return std::pair(tensor.file_offset, tensor.num_bytes); });
    GLM5_RETURN_IF_ERROR(check_ranges(tensors, file_bytes - data_offset));
    for (TensorInfo& tensor : tensors) tensor.file_offset += data_offset;
    return tensors;
}

Result<std::vector<TensorInfo>> read_safetensors_header(const File& file) {
    const std::string path = file.path().string();
    unsigned char length[kLengthBytes];
    if (file.num_bytes() < kLengthBytes)
        return invalid_argument("{}: {} bytes are no safetensors file", path, file.num_bytes());
    GLM5_RETURN_IF_ERROR(file.read(0, std::as_writable_bytes(std::span(length))));
    uint64_t header_bytes = 0;
    for (uint64_t i = 0; i < kLengthBytes; ++i) header_bytes |= uint64_t{length[i]} << (8 * i);
    if (header_bytes > kMaxHeaderBytes)
        return invalid_argument("{}: a header of {} bytes; at most {} are read", path, header_bytes, kMaxHeaderBytes);
    if (header_bytes > file.num_bytes() - kLengthBytes)
        return invalid_argument("{}: the file is truncated: a header of {} bytes in a file of {}", path, header_bytes,
                                file.num_bytes());
    std::string header(header_bytes, '\0');
    GLM5_RETURN_IF_ERROR(file.read(kLengthBytes, std::as_writable_bytes(std::span(header))));
    auto tensors = parse_safetensors_header(header, file.num_bytes());
    if (!tensors.ok()) return tensors.status().with_context(path);
    return tensors;
}

}  // namespace glm5::load
