// Reading weights: FP8 against values that numpy made, parts against the whole, and what is refused.
#include "load/weights.h"

#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint_files.h"
#include "load/checkpoint.h"

namespace glm5::load {
namespace {

uint64_t fnv1a(const std::vector<float>& values) {
    uint64_t hash = 0xcbf29ce484222325;
    for (std::byte byte : std::as_bytes(std::span(values))) hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
    return hash;
}

// Tensors in memory.
class MemorySource final : public TensorSource {
public:
    explicit MemorySource(TestTensors tensors) : tensors_(std::move(tensors)) {
        for (const auto& [name, tensor] : tensors_)
            infos_.push_back(
                {.name = name, .dtype = tensor.dtype, .shape = tensor.shape, .num_bytes = tensor.bytes.size()});
    }
    const TensorInfo* find(std::string_view name) const override {
        for (const TensorInfo& info : infos_)
            if (info.name == name) return &info;
        return nullptr;
    }
    std::span<const TensorInfo> tensors() const override { return infos_; }
    Status read(const TensorInfo& tensor, uint64_t offset_bytes, std::span<std::byte> out) const override {
        std::memcpy(out.data(), tensors_.at(tensor.name).bytes.data() + offset_bytes, out.size());
        return {};
    }

private:
    TestTensors tensors_;
    std::vector<TensorInfo> infos_;
};

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

TEST(Weights, NanoEqualsNumpy) {
    const auto checkpoint = Checkpoint::open(GLM5_SOURCE_DIR "/models/glm5-nano");
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    const auto golden = json::parse(read_file(GLM5_SOURCE_DIR "/tests/fixtures/load/nano_weights.json"));
    ASSERT_GE(golden->as_object().size(), 10u);
    for (const auto& [name, expected] : golden->as_object()) {
        std::vector<int64_t> shape;
        for (const json::Value& size : expected.find("shape")->as_array()) shape.push_back(*size.to_int64());
        std::vector<float> values;
        if (shape.size() == 2) {
            const auto matrix = read_matrix(**checkpoint, name, shape[0], shape[1]);
            ASSERT_TRUE(matrix.ok()) << matrix.status().message();
            values = dequantise(*matrix);
        } else {
            const auto vector = read_f32(**checkpoint, name, shape);
            ASSERT_TRUE(vector.ok()) << vector.status().message();
            values = *vector;
        }
        EXPECT_EQ(fmt::format("{:016x}", fnv1a(values)), expected.find("fnv1a")->as_string()) << name;
    }
}

TEST(Weights, PartsEqualTheWhole) {
    const auto checkpoint = Checkpoint::open(GLM5_SOURCE_DIR "/models/glm5-nano");
    ASSERT_TRUE(checkpoint.ok());
    const struct {
        const char* name;
        int64_t out, in;
        Range rows, columns;
    } parts[] = {
        {"model.layers.0.self_attn.kv_a_proj_with_mqa", 576, 256, {512, 576}, {}},  // half a block of rows
        {"model.layers.0.self_attn.kv_a_proj_with_mqa", 576, 256, {128, 384}, {128, 256}},
        {"model.layers.1.self_attn.o_proj", 256, 2048, {}, {1024, 1280}},
        {"model.layers.1.self_attn.o_proj", 256, 2048, {128, 200}, {256, 300}},
        {"lm_head", 4224, 256, {4000, 4224}, {}},
        {"lm_head", 4224, 256, {}, {100, 101}},
        {"lm_head", 4224, 256, {7, 7}, {}},
    };
    for (const auto& part : parts) {
        const auto whole = read_matrix(**checkpoint, part.name, part.out, part.in);
        const auto cut = read_matrix(**checkpoint, part.name, part.out, part.in, part.rows, part.columns);
        ASSERT_TRUE(whole.ok() && cut.ok()) << part.name;
        const std::vector<float> all = dequantise(*whole), some = dequantise(*cut);
        const Range rows = part.rows.end < 0 ? Range{0, part.out} : part.rows;
        const Range columns = part.columns.end < 0 ? Range{0, part.in} : part.columns;
        ASSERT_EQ(cut->out_features, rows.end - rows.begin);
        ASSERT_EQ(cut->in_features, columns.end - columns.begin);
        EXPECT_EQ(cut->view().out_features, cut->out_features);
        size_t at = 0;
        for (int64_t row = rows.begin; row < rows.end; ++row)
            for (int64_t column = columns.begin; column < columns.end; ++column, ++at)
                ASSERT_EQ(some[at], all[row * part.in + column]) << part.name << " " << row << " " << column;
        EXPECT_EQ(at, some.size());
    }
}

TEST(Weights, F16BecomesF32AndBf16StaysBf16) {
    const std::vector<uint16_t> halves = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x3555, 0x0000};  // IEEE half
    const MemorySource source({{"a.weight", {DType::f16, {2, 3}, bytes_of(halves)}},
                               {"b.weight", {DType::bf16, {2, 3}, bytes_of(halves)}},
                               {"c.weight", {DType::f32, {2}, bytes_of(std::vector<float>{1.5f, -2})}},
                               {"d.weight", {DType::f16, {6}, bytes_of(halves)}}});
    const std::vector<float> expected = {1, -2, 0x1p-24f, 65504, 0.333251953125f, 0};
    const auto a = read_matrix(source, "a", 2, 3);
    ASSERT_TRUE(a.ok());
    EXPECT_EQ(a->format, ops::WeightFormat::f32);
    EXPECT_EQ(a->weight_bytes(), 24);
    EXPECT_EQ(dequantise(*a), expected);
    const auto b = read_matrix(source, "b", 2, 3);
    ASSERT_TRUE(b.ok());
    EXPECT_EQ(b->format, ops::WeightFormat::bf16);
    EXPECT_EQ(dequantise(*b)[0], 0.0078125f);
    EXPECT_EQ(*read_f32(source, "c.weight", std::vector<int64_t>{2}), (std::vector<float>{1.5f, -2}));
    EXPECT_EQ(*read_f32(source, "d.weight", std::vector<int64_t>{6}), expected);
}

TEST(Weights, RefusalsNameTheTensor) {
    const std::string bytes(300 * 256, '\x38');
    const std::vector<float> scales(6, 1.0f);
    const MemorySource source({{"fp8.weight", {DType::f8_e4m3, {300, 256}, bytes}},
                               {"fp8.weight_scale_inv", {DType::f32, {3, 2}, bytes_of(scales)}},
                               {"bare.weight", {DType::f8_e4m3, {300, 256}, bytes}},
                               {"flat.weight", {DType::f8_e4m3, {300, 256}, bytes}},
                               {"flat.weight_scale_inv", {DType::f32, {6}, bytes_of(scales)}},
                               {"half.weight", {DType::f8_e4m3, {300, 256}, bytes}},
                               {"half.weight_scale_inv", {DType::bf16, {3, 2}, std::string(12, '\0')}},
                               {"fp4.weight", {DType::u8, {4, 8}, std::string(32, '\0')}},
                               {"fp4.weight_scale_2", {DType::f32, {}, std::string(4, '\0')}},
                               {"u8.weight", {DType::u8, {4, 8}, std::string(32, '\0')}}});
    const auto error = [&](const char* name, int64_t out, int64_t in, Range rows = {}, Range columns = {}) {
        const auto matrix = read_matrix(source, name, out, in, rows, columns);
        return matrix.ok() ? "no error" : matrix.status().message();
    };
    EXPECT_EQ(error("fp8", 300, 256), "no error");
    EXPECT_EQ(error("absent", 300, 256), "tensor \"absent.weight\" is missing");
    EXPECT_EQ(error("fp8", 256, 300), "tensor \"fp8.weight\": expected shape [256, 300], found [300, 256]");
    EXPECT_EQ(error("bare", 300, 256), "tensor \"bare.weight_scale_inv\" is missing");
    EXPECT_EQ(error("flat", 300, 256), "tensor \"flat.weight_scale_inv\": expected shape [3, 2], found [6]");
    EXPECT_EQ(error("half", 300, 256), "tensor \"half.weight_scale_inv\": expected F32, found BF16");
    EXPECT_EQ(error("fp8", 300, 256, {64, 128}), "tensor \"fp8\": FP8 blocks of 128 cannot be cut at row 64, column 0");
    EXPECT_EQ(error("fp8", 300, 256, {}, {32, 64}),
              "tensor \"fp8\": FP8 blocks of 128 cannot be cut at row 0, column 32");
    EXPECT_EQ(error("fp4", 4, 16), "tensor \"fp4.weight\": NVFP4 weights need the CUDA backend");
    EXPECT_EQ(read_matrix(source, "fp4", 4, 16).status().code(), StatusCode::unsupported);
    EXPECT_EQ(error("u8", 4, 8), "tensor \"u8.weight\": expected BF16, F32, F16 or F8_E4M3, found U8");
    EXPECT_EQ(read_f32(source, "u8.weight", std::vector<int64_t>{4, 8}).status().message(),
              "tensor \"u8.weight\": expected BF16, F32 or F16, found U8");
    EXPECT_EQ(read_f32(source, "u8.weight", std::vector<int64_t>{32}).status().message(),
              "tensor \"u8.weight\": expected shape [32], found [4, 8]");
}

}  // namespace
}  // namespace glm5::load
