// mla_prologue: the norms and the bytes of a cache entry, read back here by the layouts of docs/kv_cache.md.
// query_finish: the query against the latent cache and the index query.
#include "backend/support.h"

namespace glm5::backend_test {
namespace {

struct Case {
    InstructionSet set;
    ops::Numerics numerics;
};

std::vector<Case> cases() {
    std::vector<Case> result;
    for (InstructionSet set : machine_sets())
        for (ActivationFormat activation : {ActivationFormat::f32, ActivationFormat::bf16})
            for (LatentFormat latent : {LatentFormat::f32, LatentFormat::bf16, LatentFormat::fp8_ds_mla})
                for (IndexKeyFormat index_key : {IndexKeyFormat::f32, IndexKeyFormat::e4m3})
                    result.push_back({set, {activation, LinearInput::unquantised, latent, index_key}});
    return result;
}

struct Dims {
    int64_t latent, rope, index;
};

float read_f32(const std::byte* place) {
    float value;
    std::memcpy(&value, place, 4);
    return value;
}
float read_bf16(const std::byte* place) {
    uint16_t value;
    std::memcpy(&value, place, 2);
    return bf16_to_f32(value);
}

class CacheEntry : public testing::TestWithParam<Case> {
protected:
    Device device{GetParam().set, GetParam().numerics};
    const ops::Numerics numerics = GetParam().numerics;
    const bool bf16 = device.rounds();

    int64_t latent_bytes(const Dims& dims) const {
        switch (numerics.latent) {
            case LatentFormat::f32: return 4 * (dims.latent + dims.rope);
            case LatentFormat::bf16: return 2 * (dims.latent + dims.rope);
            case LatentFormat::fp8_ds_mla: return dims.latent + (dims.latent + 127) / 128 * 4 + 2 * dims.rope;
        }
        return 0;
    }
    int64_t index_bytes(const Dims& dims) const {
        return numerics.index_key == IndexKeyFormat::f32 ? 4 * dims.index : dims.index + 4;
    }

    // Value i of the entry at `slot`.
    float latent_value(const ops::PageArray& pages, int64_t slot, const Dims& dims, int64_t i) const {
        const std::byte* entry = pages.data + slot / 64 * pages.page_bytes + slot % 64 * latent_bytes(dims);
        if (numerics.latent == LatentFormat::f32) return read_f32(entry + 4 * i);
        if (numerics.latent == LatentFormat::bf16) return read_bf16(entry + 2 * i);
        const std::byte* scales = entry + dims.latent;
        if (i >= dims.latent) return read_bf16(scales + (dims.latent + 127) / 128 * 4 + 2 * (i - dims.latent));
        return e4m3_to_f32(static_cast<uint8_t>(entry[i])) * read_f32(scales + i / 128 * 4);
    }
    float index_value(const ops::PageArray& pages, int64_t slot, const Dims& dims, int64_t i) const {
        const std::byte* page = pages.data + slot / 64 * pages.page_bytes;
        const int64_t entry = slot % 64;
        if (numerics.index_key == IndexKeyFormat::f32) return read_f32(page + (i * 64 + entry) * 4);
        return e4m3_to_f32(static_cast<uint8_t>(page[entry * dims.index + i])) * index_scale(pages, slot, dims);
    }
    float index_scale(const ops::PageArray& pages, int64_t slot, const Dims& dims) const {
        return read_f32(pages.data + slot / 64 * pages.page_bytes + 64 * dims.index + slot % 64 * 4);
    }
};

std::vector<double> rms_norm(const float* x, const float* weight, int64_t n, double eps) {
    double squares = 0;
    for (int64_t i = 0; i < n; ++i) squares += double(x[i]) * x[i];
    std::vector<double> result;
    for (int64_t i = 0; i < n; ++i)
        result.push_back(x[i] / std::sqrt(squares / static_cast<double>(n) + eps) * weight[i]);
    return result;
}

std::vector<double> layer_norm(const float* x, const float* weight, const float* bias, int64_t n) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; ++i) mean += x[i] / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(n);
    std::vector<double> result;
    for (int64_t i = 0; i < n; ++i) result.push_back((x[i] - mean) / std::sqrt(variance + 1e-6) * weight[i] + bias[i]);
    return result;
}

// Pairs (2i, 2i + 1) of the first `rope` values of x turned by their angles.
void rotate(double* x, const float* cos_sin, int64_t rope) {
    for (int64_t i = 0; i < rope; i += 2) {
        const double even = x[i], odd = x[i + 1];
        x[i] = even * cos_sin[i] - odd * cos_sin[i + 1];
        x[i + 1] = odd * cos_sin[i] + even * cos_sin[i + 1];
    }
}

ops::Tensor angles(Device& device, int64_t rows, int64_t rope) {
    ops::Tensor table = device.floats({rows, rope / 2, 2});
    for (int64_t i = 0; i < rows * rope; i += 2) {
        const double angle = std::uniform_real_distribution<double>(0, 100)(device.generator());
        table.as<float>()[i] = static_cast<float>(std::cos(angle));
        table.as<float>()[i + 1] = static_cast<float>(std::sin(angle));
    }
    return table;
}

TEST_P(CacheEntry, Prologue) {
    for (const Dims& dims : {Dims{32, 16, 32}, Dims{512, 64, 128}, Dims{200, 6, 40}}) {
        const std::vector<int32_t> slots = {3 * 64 + 63, 2 * 64, 2 * 64 + 1, 5, 64};
        const auto rows = static_cast<int64_t>(slots.size());
        const int64_t q_width = 48, pages = 4;
        ops::Batch batch{.num_tokens = static_cast<int>(rows)};
        batch.slots = device.integers(slots);
        const ops::Tensor latent_pages = device.tensor(DType::u8, {pages, 64 * latent_bytes(dims)});
        const ops::Tensor index_pages = device.tensor(DType::u8, {pages, 64 * index_bytes(dims)});
        ops::MlaPrologueArgs args{.q_norm = device.activation(rows, q_width),
                                  .cache = {.latent = {latent_pages.as<std::byte>(), 64 * latent_bytes(dims)},
                                            .index_keys = {index_pages.as<std::byte>(), 64 * index_bytes(dims)}},
                                  .q_a = device.random({rows, q_width}),
                                  .kv_a = device.random({rows, dims.latent + dims.rope}),
                                  .index_k = device.random({rows, dims.index}),
                                  .cos_sin = angles(device, rows, dims.rope),
                                  .q_a_norm_weight = device.random({q_width}),
                                  .kv_a_norm_weight = device.random({dims.latent}),
                                  .index_k_norm_weight = device.random({dims.index}),
                                  .index_k_norm_bias = device.random({dims.index}),
                                  .eps = 1e-5f,
                                  .batch = &batch};
        device->mla_prologue(args);

        int64_t written = 0;
        for (int64_t i = 0; i < latent_pages.bytes(); ++i) written += latent_pages.as<uint8_t>()[i] != 0xff;
        EXPECT_LE(written, rows * latent_bytes(dims));
        for (int64_t row = 0; row < rows; ++row) {
            const std::string what = fmt::format("latent {}, row {}", dims.latent, row);
            std::vector<double> q =
                rms_norm(args.q_a.as<float>() + row * q_width, args.q_a_norm_weight.as<float>(), q_width, 1e-5);
            for (double& value : q) value = rounded_if(bf16, value);
            expect_close(std::span(args.q_norm.values.as<float>() + row * q_width, q_width), q, tolerance(bf16), bf16,
                         what);

            const float* kv = args.kv_a.as<float>() + row * (dims.latent + dims.rope);
            const float* cos_sin = args.cos_sin.as<float>() + row * dims.rope;
            std::vector<double> entry = rms_norm(kv, args.kv_a_norm_weight.as<float>(), dims.latent, 1e-5);
            entry.insert(entry.end(), kv + dims.latent, kv + dims.latent + dims.rope);
            rotate(entry.data() + dims.latent, cos_sin, dims.rope);
            std::vector<float> found, found_rope;
            for (int64_t i = 0; i < dims.latent; ++i)
                found.push_back(latent_value(args.cache.latent, slots[row], dims, i));
            for (int64_t i = 0; i < dims.rope; ++i)
                found_rope.push_back(latent_value(args.cache.latent, slots[row], dims, dims.latent + i));
            const bool halves = bf16 || numerics.latent != LatentFormat::f32;
            const bool fp8 = numerics.latent == LatentFormat::fp8_ds_mla;
            expect_close(found, std::span(entry).first(dims.latent), fp8 ? 0.03 : tolerance(halves), halves && !fp8,
                         what);
            expect_close(found_rope, std::span(entry).subspan(dims.latent), tolerance(halves), halves, what);
            if (fp8) {  // the scale is of the norm before any rounding
                float largest = 0;
                for (int64_t i = 0; i < std::min<int64_t>(128, dims.latent); ++i)
                    largest = std::max(largest, static_cast<float>(std::fabs(entry[i])));
                const std::byte* bytes = args.cache.latent.data + slots[row] / 64 * args.cache.latent.page_bytes +
                                         slots[row] % 64 * latent_bytes(dims);
                EXPECT_NEAR(read_f32(bytes + dims.latent), largest / 448.0f, 1e-6 * largest / 448.0f);
            }

            std::vector<double> key =
                layer_norm(args.index_k.as<float>() + row * dims.index, args.index_k_norm_weight.as<float>(),
                           args.index_k_norm_bias.as<float>(), dims.index);
            rotate(key.data(), cos_sin, dims.rope);
            std::vector<float> found_key;
            for (int64_t i = 0; i < dims.index; ++i)
                found_key.push_back(index_value(args.cache.index_keys, slots[row], dims, i));
            const bool quantised = numerics.index_key == IndexKeyFormat::e4m3;
            expect_close(found_key, key, quantised ? 0.04 : kFloatTolerance, false, what);
            if (quantised) {
                double largest = 1e-4;
                for (double value : key) largest = std::max(largest, std::fabs(value));
                EXPECT_EQ(index_scale(args.cache.index_keys, slots[row], dims),
                          std::exp2(std::ceil(std::log2(largest / 448))));
            }
        }
    }
}

TEST_P(CacheEntry, QueryFinish) {
    const int64_t rows = 7, heads = 3, nope = 24, rope = 16, latent = 40, index_heads = 5, index_dim = 36;
    std::vector<Matrix> absorb;
    for (int64_t head = 0; head < heads; ++head) absorb.push_back(device.matrix(latent, nope, WeightFormat::f32));
    ops::QueryFinishArgs args{.query = device.floats({rows, heads, latent + rope}),
                              .index_query = device.floats({rows, index_heads, index_dim}),
                              .index_weights = device.random({rows, index_heads}),
                              .q = device.random({rows, heads, nope + rope}),
                              .index_q = device.random({rows, index_heads, index_dim}),
                              .cos_sin = angles(device, rows, rope),
                              .absorb_k = device.linear(absorb)};
    // A head whose largest value is 448 · 2^-3 exactly has that power of two as its scale; a head of zeros the least
    // one.
    for (int64_t i = 0; i < index_dim; ++i) args.index_q.as<float>()[i] = i == index_dim - 1 ? -56.0f : 0.5f;
    for (int64_t i = 0; i < index_dim; ++i) args.index_q.as<float>()[index_dim + i] = 0;
    const std::vector<double> index_q = doubles(args.index_q), index_weights = doubles(args.index_weights);
    device->query_finish(args);

    std::vector<double> query;
    for (int64_t row = 0; row < rows * heads; ++row) {
        const float* q = args.q.as<float>() + row * (nope + rope);
        for (int64_t n = 0; n < latent; ++n) {
            double sum = 0;
            for (int64_t k = 0; k < nope; ++k) sum += q[k] * absorb[row % heads].at(n, k);
            query.push_back(rounded_if(bf16, sum));
        }
        std::vector<double> rotated(q + nope, q + nope + rope);
        rotate(rotated.data(), args.cos_sin.as<float>() + row / heads * rope, rope);
        for (double value : rotated) query.push_back(rounded_if(bf16, value));
    }
    expect_close(args.query, query, tolerance(bf16), bf16, "query");

    std::vector<double> expected_q = index_q, expected_weights = index_weights;
    for (int64_t head = 0; head < rows * index_heads; ++head) {
        double* values = expected_q.data() + head * index_dim;
        rotate(values, args.cos_sin.as<float>() + head / index_heads * rope, rope);
        if (numerics.index_key == IndexKeyFormat::f32) continue;
        double largest = 1e-4;
        for (int64_t i = 0; i < index_dim; ++i)
            largest = std::max(largest, std::fabs(static_cast<double>(static_cast<float>(values[i]))));
        const double scale = std::exp2(std::ceil(std::log2(largest / 448)));
        for (int64_t i = 0; i < index_dim; ++i)
            values[i] = e4m3_to_f32(f32_to_e4m3(static_cast<float>(values[i] / scale)));
        expected_weights[head] *= scale;
    }
    // In e4m3 a value next to a tie may go to either code.
    expect_close(args.index_query, expected_q, numerics.index_key == IndexKeyFormat::f32 ? kFloatTolerance : 4e-3,
                 false, "index_query");
    expect_close(args.index_weights, expected_weights, kFloatTolerance, false, "index_weights");
}

TEST_P(CacheEntry, NanAndInfinityDoNotStopAnything) {
    const int64_t rows = 2;
    ops::Batch batch{.num_tokens = 2};
    batch.slots = device.integers({0, 1});
    const Dims dims{32, 16, 32};
    const ops::Tensor latent_pages = device.tensor(DType::u8, {1, 64 * latent_bytes(dims)});
    const ops::Tensor index_pages = device.tensor(DType::u8, {1, 64 * index_bytes(dims)});
    ops::MlaPrologueArgs args{.q_norm = device.activation(rows, 48),
                              .cache = {.latent = {latent_pages.as<std::byte>(), latent_pages.bytes()},
                                        .index_keys = {index_pages.as<std::byte>(), index_pages.bytes()}},
                              .q_a = device.random({rows, 48}),
                              .kv_a = device.random({rows, 48}),
                              .index_k = device.random({rows, 32}),
                              .cos_sin = angles(device, rows, 16),
                              .q_a_norm_weight = device.random({48}),
                              .kv_a_norm_weight = device.random({32}),
                              .index_k_norm_weight = device.random({32}),
                              .index_k_norm_bias = device.random({32}),
                              .eps = 1e-5f,
                              .batch = &batch};
    args.kv_a.as<float>()[3] = INFINITY;
    args.index_k.as<float>()[5] = NAN;
    device->mla_prologue(args);
    EXPECT_TRUE(std::isnan(index_value(args.cache.index_keys, 0, dims, 5)));
    EXPECT_TRUE(std::isfinite(index_value(args.cache.index_keys, 1, dims, 5)));
    EXPECT_TRUE(std::isfinite(latent_value(args.cache.latent, 1, dims, 3)));
}

INSTANTIATE_TEST_SUITE_P(Cases, CacheEntry, testing::ValuesIn(cases()));

}  // namespace
}  // namespace glm5::backend_test
