#include "cuda/support.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "backend/cpu/cpu_backend.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/shapes.h"
#include "backend/cuda/tiles.h"

namespace glm5::cuda_test {
namespace {

constexpr int64_t kGuardBytes = 1024;  // keeps the alignment that the arena gives
constexpr uint8_t kGuard = 0xa5;

int64_t latent_entry_bytes(LatentFormat format) {
    return format == LatentFormat::bf16 ? cuda::kBf16EntryBytes : cuda::kFp8EntryBytes;
}

std::vector<float> to_floats(const uint8_t* bytes, DType dtype, int64_t count) {
    std::vector<float> values(count);
    for (int64_t i = 0; i < count; ++i) {
        if (dtype == DType::bf16) {
            uint16_t half;
            std::memcpy(&half, bytes + 2 * i, 2);
            values[i] = bf16_to_f32(half);
        } else if (dtype == DType::f8_e4m3) {
            values[i] = e4m3_to_f32(bytes[i]);
        } else {
            GLM5_CHECK(dtype == DType::f32, "{}", dtype_name(dtype));
            std::memcpy(&values[i], bytes + 4 * i, 4);
        }
    }
    return values;
}

std::vector<uint8_t> from_floats(std::span<const float> values, DType dtype) {
    std::vector<uint8_t> bytes(values.size() * dtype_bytes(dtype));
    for (size_t i = 0; i < values.size(); ++i) {
        if (dtype == DType::bf16) {
            const uint16_t half = f32_to_bf16(values[i]);
            std::memcpy(&bytes[2 * i], &half, 2);
        } else if (dtype == DType::f8_e4m3) {
            bytes[i] = f32_to_e4m3(values[i]);
        } else {
            GLM5_CHECK(dtype == DType::f32, "{}", dtype_name(dtype));
            std::memcpy(&bytes[4 * i], &values[i], 4);
        }
    }
    return bytes;
}

// A code whose value is about normally distributed; never NaN.
uint8_t random_code(Random& random, float scale) {
    return f32_to_e4m3(random.normal() * scale);
}

template <typename T>
void put(uint8_t* out, T value) {
    std::memcpy(out, &value, sizeof value);
}

void fill_latent(uint8_t* entry, LatentFormat format, Random& random) {
    uint8_t* out = entry;
    if (format == LatentFormat::fp8_ds_mla) {
        for (int i = 0; i < cuda::kLatentDim; ++i) *out++ = random_code(random, 100);
        for (int i = 0; i < cuda::kLatentDim / 128; ++i, out += 4) put(out, random.uniform(0.005f, 0.02f));
    }
    for (; out < entry + latent_entry_bytes(format); out += 2) put(out, f32_to_bf16(random.normal()));
}

}  // namespace

ops::StepLimits full_limits() {
    return {.max_tokens = 512,
            .max_context_tokens = 65536,
            .max_logit_rows = 512,
            .max_width = 16384,
            .top_k = 2048,
            .num_experts = 256,
            .experts_per_token = 8,
            .hidden_size = 6144,
            .mlp_width = 12288,
            .expert_width = 2048,
            .vocab_size = 154880};
}

Twin::Twin(LatentFormat latent, const ops::StepLimits& limits)
    : numerics_{.activation = ops::ActivationFormat::bf16,
                .linear_input = ops::LinearInput::fp8_1x128,
                .latent = latent,
                .index_key = IndexKeyFormat::e4m3},
      cpu_(cpu::make_cpu_backend(numerics_, 0).value()),
      cuda_(cuda::make_cuda_backend(numerics_, 0).value()) {
    cpu_->prepare(limits);
    cuda_->prepare(limits);
}

Twin::~Twin() {
    const std::vector<uint8_t> guard(kGuardBytes, kGuard);
    for (const ops::Tensor& memory : guards_) EXPECT_EQ(cuda_bytes(memory), guard) << "written outside a tensor";
}

ops::Tensor Twin::guarded(DType dtype, std::initializer_list<int64_t> shape, int64_t bytes) {
    ops::Tensor tensor(nullptr, dtype, shape);
    if (bytes == 0) bytes = tensor.bytes();
    const int64_t room = cuda::round_up(bytes, 16);
    const ops::Tensor memory = cuda_->allocate(DType::u8, {room + 2 * kGuardBytes});
    std::vector<uint8_t> content(memory.bytes(), kGuard);
    std::fill_n(content.begin() + kGuardBytes, bytes, uint8_t{0xff});
    cuda_->copy_to_device(memory, content.data(), memory.bytes());
    tensor.data = memory.as<std::byte>() + kGuardBytes;
    guards_.push_back({memory.data, DType::u8, {kGuardBytes}});
    guards_.push_back({memory.as<std::byte>() + kGuardBytes + room, DType::u8, {kGuardBytes}});
    return tensor;
}

TensorPair Twin::output(DType dtype, std::initializer_list<int64_t> shape) {
    const TensorPair pair{cpu_->allocate(dtype, shape), guarded(dtype, shape)};
    std::memset(pair.cpu.data, 0xff, pair.cpu.bytes());
    return pair;
}

TensorPair Twin::activation_tensor(std::initializer_list<int64_t> shape) {
    const TensorPair pair{cpu_->allocate(DType::f32, shape), guarded(DType::bf16, shape)};
    std::memset(pair.cpu.data, 0xff, pair.cpu.bytes());
    return pair;
}

TensorPair Twin::index_query_tensor(std::initializer_list<int64_t> shape) {
    const TensorPair pair{cpu_->allocate(DType::f32, shape), guarded(DType::f8_e4m3, shape)};
    std::memset(pair.cpu.data, 0xff, pair.cpu.bytes());
    return pair;
}

ActivationPair Twin::activation(int64_t rows, int64_t width) {
    const TensorPair values = activation_tensor({rows, width});
    const int64_t padded = cuda::round_up(rows, cuda::kTileRows), blocks = cuda::ceil_div(width, 128);
    ActivationPair pair;
    pair.cpu = {values.cpu, cpu_->allocate(DType::f8_e4m3, {rows, width}), cpu_->allocate(DType::f32, {rows, blocks})};
    pair.cuda = {.values = values.cuda, .quantised = {}, .scales = {}};
    if (width % 128 != 0) return pair;
    pair.cuda.quantised = guarded(DType::f8_e4m3, {rows, width}, padded * width);
    pair.cuda.scales = guarded(DType::f32, {rows, blocks}, padded * blocks * 4);
    return pair;
}

CachePair Twin::cache(int num_pages) {
    const int64_t latent_bytes = kPageTokens * latent_entry_bytes(numerics_.latent);
    const int64_t index_bytes = kPageTokens * (cuda::kIndexDim + 4);
    CachePair pair{.latent = output(DType::u8, {num_pages, latent_bytes}),
                   .index_keys = output(DType::u8, {num_pages, index_bytes})};
    const auto view = [&](const ops::Tensor& latent, const ops::Tensor& index_keys) {
        return ops::LayerCache{{latent.as<std::byte>(), latent_bytes}, {index_keys.as<std::byte>(), index_bytes}};
    };
    pair.cpu = view(pair.latent.cpu, pair.index_keys.cpu);
    pair.cuda = view(pair.latent.cuda, pair.index_keys.cuda);
    return pair;
}

TensorPair Twin::random(std::initializer_list<int64_t> shape, float scale) {
    const TensorPair pair = activation_tensor(shape);
    std::vector<float> values(pair.cpu.elements());
    for (float& value : values) value = round_bf16(random_.normal() * scale);
    set(pair, values);
    return pair;
}

TensorPair Twin::random_floats(std::initializer_list<int64_t> shape, float scale) {
    const TensorPair pair = output(DType::f32, shape);
    std::vector<float> values(pair.cpu.elements());
    for (float& value : values) value = random_.normal() * scale;
    set(pair, values);
    return pair;
}

TensorPair Twin::random_e4m3(std::initializer_list<int64_t> shape, float scale) {
    const TensorPair pair = index_query_tensor(shape);
    std::vector<float> values(pair.cpu.elements());
    for (float& value : values) value = e4m3_to_f32(random_code(random_, scale));
    set(pair, values);
    return pair;
}

TensorPair Twin::floats(std::span<const float> values, std::initializer_list<int64_t> shape) {
    const TensorPair pair = output(DType::f32, shape);
    set(pair, values);
    return pair;
}

TensorPair Twin::integers(std::span<const int32_t> values, std::initializer_list<int64_t> shape) {
    const TensorPair pair = output(DType::i32, shape);
    GLM5_CHECK(std::ssize(values) == pair.cpu.elements());
    cpu_->copy_to_device(pair.cpu, values.data(), pair.cpu.bytes());
    cuda_->copy_to_device(pair.cuda, values.data(), pair.cuda.bytes());
    return pair;
}

ActivationPair Twin::random_activation(int64_t rows, int64_t width) {
    const ActivationPair pair = activation(rows, width);
    std::vector<float> values(rows * width);
    for (float& value : values) value = round_bf16(random_.normal());
    set(pair.values(), values);

    const int64_t blocks = cuda::ceil_div(width, 128), padded = cuda::round_up(rows, cuda::kTileRows);
    std::vector<uint8_t> codes(padded * blocks * 128, 0xff);
    std::vector<float> scales(padded * blocks, NAN);
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t i = 0; i < width; ++i)
            pair.cpu.quantised.as<uint8_t>()[row * width + i] = codes[cuda::tiled_offset(row, i, blocks)] =
                random_code(random_, 100);
        for (int64_t block = 0; block < blocks; ++block)
            pair.cpu.scales.as<float>()[row * blocks + block] = scales[cuda::scale_index(row, block, blocks)] =
                random_.uniform(0.01f, 0.02f);
    }
    if (!pair.cuda.quantised) return pair;
    cuda_->copy_to_device({pair.cuda.quantised.data, DType::u8, {std::ssize(codes)}}, codes.data(), std::ssize(codes));
    cuda_->copy_to_device({pair.cuda.scales.data, DType::f32, {std::ssize(scales)}}, scales.data(),
                          4 * std::ssize(scales));
    return pair;
}

CachePair Twin::random_cache(const BatchPair& batch) {
    const CachePair pair = cache(batch.num_pages);
    const int64_t entry_bytes = latent_entry_bytes(numerics_.latent);
    for (int32_t slot : batch.slots) {
        fill_latent(pair.latent.cpu.as<uint8_t>() + slot * entry_bytes, numerics_.latent, random_);
        uint8_t* page = pair.index_keys.cpu.as<uint8_t>() + slot / kPageTokens * pair.cpu.index_keys.page_bytes;
        const int entry = slot % kPageTokens;
        for (int i = 0; i < cuda::kIndexDim; ++i) page[entry * cuda::kIndexDim + i] = random_code(random_, 100);
        put(page + kPageTokens * cuda::kIndexDim + 4 * entry, std::ldexp(1.0f, -5 - random_.below(4)));
    }
    for (const TensorPair& pages : {pair.latent, pair.index_keys})
        cuda_->copy_to_device(pages.cuda, pages.cpu.data, pages.cpu.bytes());
    return pair;
}

Matrix Twin::matrix(int64_t out, int64_t in, ops::WeightFormat format) {
    Matrix matrix{.out = out, .in = in, .format = format};
    const bool fp8 = format == ops::WeightFormat::fp8_block128;
    const DType dtype = fp8 ? DType::f8_e4m3 : format == ops::WeightFormat::bf16 ? DType::bf16 : DType::f32;
    const float scale = (fp8 ? 100.0f : 1.0f) / std::sqrt(static_cast<float>(in));
    std::vector<float> values = Random::normals();
    for (float& value : values) value *= scale;
    const std::vector<uint8_t> choice = from_floats(values, dtype);
    const int64_t width = dtype_bytes(dtype);
    matrix.stored.resize(out * in * width);
    for (int64_t i = 0; i < out * in; ++i)
        std::memcpy(&matrix.stored[i * width], &choice[(random_.bits() >> 48) * width], width);
    if (fp8)
        for (int64_t i = 0; i < cuda::ceil_div(out, 128) * cuda::ceil_div(in, 128); ++i)
            matrix.scales.push_back(random_.uniform(0.005f, 0.02f));
    return matrix;
}

LinearPair Twin::linear(const std::vector<Matrix>& matrices) {
    std::vector<ops::HostMatrixView> views;
    for (const Matrix& matrix : matrices) views.push_back(matrix.view());
    return {cpu_->make_linear(views), cuda_->make_linear(views)};
}

BatchPair Twin::batch(const std::vector<Sequence>& sequences, int vocab_size) {
    BatchPair pair;
    std::vector<int32_t> token_ids, positions, sequence_ids, slots, query_start{0}, context_len, logit_rows;
    int64_t max_pages = 1;
    for (const Sequence& sequence : sequences) {
        const auto pages = static_cast<int>(cuda::ceil_div(sequence.context_len, kPageTokens));
        max_pages = std::max<int64_t>(max_pages, pages);
        pair.num_pages += pages;
    }
    std::vector<int32_t> free_pages(pair.num_pages);
    std::iota(free_pages.begin(), free_pages.end(), 0);
    for (int i = pair.num_pages - 1; i > 0; --i) std::swap(free_pages[i], free_pages[random_.below(i + 1)]);

    constexpr int32_t kOutside = 1 << 24;
    std::vector<int32_t> page_table(std::ssize(sequences) * max_pages, kOutside);
    int max_context_tokens = 0;
    for (int64_t row = 0; row < std::ssize(sequences); ++row) {
        const Sequence& sequence = sequences[row];
        for (int position = 0; position < sequence.context_len; ++position) {
            int32_t& page = page_table[row * max_pages + position / kPageTokens];
            if (position % kPageTokens == 0) page = free_pages.back(), free_pages.pop_back();
            const int32_t slot = page * kPageTokens + position % kPageTokens;
            pair.slots.push_back(slot);
            if (position < sequence.context_len - sequence.query_len) continue;
            logit_rows.push_back(static_cast<int32_t>(token_ids.size()));
            token_ids.push_back(random_.below(vocab_size));
            positions.push_back(position);
            sequence_ids.push_back(static_cast<int32_t>(row));
            slots.push_back(slot);
        }
        query_start.push_back(static_cast<int32_t>(token_ids.size()));
        context_len.push_back(sequence.context_len);
        max_context_tokens = std::max(max_context_tokens, sequence.context_len);
    }

    pair.cpu.num_tokens = static_cast<int>(token_ids.size());
    pair.cpu.num_seqs = static_cast<int>(sequences.size());
    pair.cpu.num_logit_rows = pair.cpu.num_tokens;
    pair.cpu.max_context_tokens = max_context_tokens;
    pair.cuda = pair.cpu;
    const auto put_field = [&](ops::Tensor ops::Batch::*field, const TensorPair& tensor) {
        pair.cpu.*field = tensor.cpu, pair.cuda.*field = tensor.cuda;
    };
    put_field(&ops::Batch::token_ids, integers(token_ids));
    put_field(&ops::Batch::positions, integers(positions));
    put_field(&ops::Batch::sequence_ids, integers(sequence_ids));
    put_field(&ops::Batch::slots, integers(slots));
    put_field(&ops::Batch::query_start, integers(query_start));
    put_field(&ops::Batch::context_len, integers(context_len));
    put_field(&ops::Batch::page_table, integers(page_table, {std::ssize(sequences), max_pages}));
    put_field(&ops::Batch::logit_rows, integers(logit_rows));
    return pair;
}

std::vector<uint8_t> Twin::cpu_bytes(const ops::Tensor& tensor) {
    return {tensor.as<uint8_t>(), tensor.as<uint8_t>() + tensor.bytes()};
}

std::vector<uint8_t> Twin::cuda_bytes(const ops::Tensor& tensor) {
    std::vector<uint8_t> bytes(tensor.bytes());
    cuda_->copy_to_host(bytes.data(), tensor, tensor.bytes());
    return bytes;
}

std::vector<float> Twin::cpu_values(const ops::Tensor& tensor) {
    return to_floats(tensor.as<uint8_t>(), tensor.dtype, tensor.elements());
}

std::vector<float> Twin::cuda_values(const ops::Tensor& tensor) {
    return to_floats(cuda_bytes(tensor).data(), tensor.dtype, tensor.elements());
}

std::vector<int32_t> Twin::cpu_integers(const ops::Tensor& tensor) {
    return {tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.elements()};
}

std::vector<int32_t> Twin::cuda_integers(const ops::Tensor& tensor) {
    std::vector<int32_t> values(tensor.elements());
    cuda_->copy_to_host(values.data(), tensor, tensor.bytes());
    return values;
}

QuantisedRows Twin::cpu_quantised(const ops::Activation& activation) {
    return {cpu_bytes(activation.quantised), cpu_values(activation.scales)};
}

QuantisedRows Twin::cuda_quantised(const ops::Activation& activation) {
    const int64_t rows = activation.values.rows(), width = activation.values.columns();
    const int64_t blocks = cuda::ceil_div(width, 128), padded = cuda::round_up(rows, cuda::kTileRows);
    GLM5_CHECK(activation.quantised && width % 128 == 0);
    const std::vector<uint8_t> tiles = cuda_bytes({activation.quantised.data, DType::u8, {padded * blocks * 128}});
    const std::vector<float> scales = cuda_values({activation.scales.data, DType::f32, {padded * blocks}});
    QuantisedRows result;
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t i = 0; i < width; ++i) result.codes.push_back(tiles[cuda::tiled_offset(row, i, blocks)]);
        for (int64_t i = 0; i < blocks; ++i) result.scales.push_back(scales[cuda::scale_index(row, i, blocks)]);
    }
    return result;
}

void Twin::set(const TensorPair& tensor, std::span<const float> values) {
    GLM5_CHECK(std::ssize(values) == tensor.cpu.elements(), "{} values", values.size());
    cpu_->copy_to_device(tensor.cpu, from_floats(values, tensor.cpu.dtype).data(), tensor.cpu.bytes());
    cuda_->copy_to_device(tensor.cuda, from_floats(values, tensor.cuda.dtype).data(), tensor.cuda.bytes());
}

void Twin::expect_close(const TensorPair& tensor, double tolerance, const std::string& what) {
    cuda_test::expect_close(cuda_values(tensor.cuda), cpu_values(tensor.cpu), tolerance, what);
}

}  // namespace glm5::cuda_test
