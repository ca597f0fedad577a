#include "plan/buffers.h"

#include <algorithm>
#include <initializer_list>

#include <fmt/ranges.h>

#include "base/dtype.h"

namespace glm5::plan {
namespace {

int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

class Lister {
public:
    explicit Lister(const BackendForm& form) : form_(form) {}

    void add(std::string name, DType dtype, std::initializer_list<int64_t> shape) {
        int64_t bytes = dtype_bytes(dtype);
        for (int64_t size : shape) bytes *= size;
        buffers_.push_back({std::move(name), fmt::format("{} {}", fmt::join(shape, " x "), dtype_name(dtype)), bytes});
    }
    void values(std::string name, std::initializer_list<int64_t> shape) {
        add(std::move(name), form_.activation, shape);
    }
    // ops::Activation: values, and their FP8 form when the backend reads it.
    void input(const std::string& name, int64_t rows, int64_t width) {
        values(name, {rows, width});
        if (!form_.fp8_inputs) return;
        const int64_t padded = ceil_div(rows, form_.row_multiple) * form_.row_multiple;
        add(name + " codes", DType::f8_e4m3, {padded, width});
        add(name + " scales", DType::f32, {padded, ceil_div(width, 128)});
    }
    std::vector<Buffer> take() { return std::move(buffers_); }

private:
    const BackendForm& form_;
    std::vector<Buffer> buffers_;
};

void list_decoder(Lister& list, const config::Config& config, const layout::ParallelLayout& layout,
                  const BackendForm& form, const StepSizes& sizes) {
    const int64_t rows = sizes.max_num_tokens, hidden = config.hidden_size;
    const int64_t heads = config.num_heads / layout.tensor, query = config.latent_dim + config.rope_dim;
    list.values("residual", {rows, hidden});
    list.input("hidden", rows, hidden);
    list.values("delta", {rows, hidden});
    list.add("cos_sin", DType::f32, {rows, config.rope_dim});
    list.values("q_a", {rows, config.q_lora_rank});
    list.values("kv_a", {rows, query});
    list.input("q_norm", rows, config.q_lora_rank);
    list.values("q", {rows, heads, config.qk_head_dim()});
    list.values("query", {rows, heads, query});
    list.values("index key", {rows, config.index_dim});
    list.values("index query", {rows, config.index_heads, config.index_dim});
    if (form.index_query_codes)
        list.add("index query codes", DType::f8_e4m3, {rows, config.index_heads, config.index_dim});
    list.add("index weights", DType::f32, {rows, config.index_heads});
    list.add("selection", DType::i32, {rows, config.index_top_k + 1});
    list.values("latent_out", {rows, heads, config.latent_dim});
    list.input("attention heads", rows, heads * config.v_dim);
    list.add("expert ids", DType::i32, {rows, config.num_experts_per_token});
    list.add("expert weights", DType::f32, {rows, config.num_experts_per_token});
    list.add("logits", DType::f32, {sizes.max_num_seqs, config.vocab_size / layout.tensor});
}

// batch::BatchBuilder: token ids, positions, sequence ids, slots; query starts, context lengths, logit rows; page
// table.
void list_batch(Lister& list, const StepSizes& sizes) {
    list.add("batch", DType::i32, {4 * sizes.max_num_tokens + 3 * sizes.max_num_seqs + 1});
    list.add("page table", DType::i32, {sizes.max_num_seqs, ceil_div(sizes.max_model_len, kPageTokens)});
}

// sample::Sampler: tokens, and per row 12 words, up to 1024 edited ids, and the ids that penalties count.
void list_sampler(Lister& list, const StepSizes& sizes) {
    const int64_t history = std::min(sizes.max_model_len, sizes.num_vocab_tokens);
    list.add("sampled tokens", DType::i32, {sizes.max_num_seqs});
    list.add("sampling parameters", DType::i32, {sizes.max_num_seqs * (12 + 2 * 1024 + 2 * history) + 2});
}

}  // namespace

int64_t total_bytes(const std::vector<Buffer>& buffers) {
    int64_t bytes = 0;
    for (const Buffer& buffer : buffers) bytes += buffer.bytes;
    return bytes;
}

std::vector<Buffer> step_buffers(const config::Config& config, const layout::ParallelLayout& layout,
                                 const BackendForm& form, const StepSizes& sizes) {
    Lister list(form);
    list_decoder(list, config, layout, form, sizes);
    list_batch(list, sizes);
    list_sampler(list, sizes);
    return list.take();
}

}  // namespace glm5::plan
