// Ops on single rows: embed, rope_table, add_norm, mla_prologue, the rotation of query_finish, and the FP8 form of
// rows.
#include "backend/cuda/backend.h"
#include "backend/cuda/embed/embed.h"
#include "backend/cuda/norm/norm.h"
#include "backend/cuda/prologue/prologue.h"
#include "backend/cuda/rotate/rotate.h"
#include "backend/cuda/shapes.h"

namespace glm5::cuda {
namespace {

void check_bf16_rows(const ops::Tensor& tensor, int64_t rows, int64_t width) {
    GLM5_CHECK(tensor.dtype == DType::bf16 && tensor.rows() == rows && tensor.columns() == width,
               "{} [{}, {}], expected BF16 [{}, {}]", dtype_name(tensor.dtype), tensor.rows(), tensor.columns(), rows,
               width);
}

void check_floats(const ops::Tensor& tensor, int64_t count) {
    GLM5_CHECK(tensor.dtype == DType::f32 && tensor.elements() == count, "{} × {}, expected F32 × {}",
               dtype_name(tensor.dtype), tensor.elements(), count);
}

void check_activation(const ops::Activation& activation, int64_t rows, int64_t width) {
    check_bf16_rows(activation.values, rows, width);
    GLM5_CHECK(!activation.quantised || width % 128 == 0, "an FP8 form of {} values", width);
}

}  // namespace

void CudaBackend::embed(const ops::EmbedArgs& args) {
    const int64_t rows = args.batch->num_tokens, width = args.table.shape[1];
    check_bf16_rows(args.hidden, rows, width);
    GLM5_CHECK(args.table.dtype == DType::bf16 || args.table.dtype == DType::f32, "{}", dtype_name(args.table.dtype));
    GLM5_CHECK(width % 8 == 0, "{}", width);
    cuda::embed(launch_, {.out = args.hidden.as<bf16>(),
                          .table = args.table.data,
                          .table_is_f32 = args.table.dtype == DType::f32,
                          .ids = args.batch->token_ids.as<int32_t>(),
                          .rows = rows,
                          .width = width,
                          .vocab_size = args.table.shape[0]});
}

void CudaBackend::rope_table(const ops::RopeTableArgs& args) {
    const int64_t rows = args.batch->num_tokens, pairs = args.inverse_frequency.elements();
    check_floats(args.cos_sin, rows * pairs * 2);
    cuda::rope_table(launch_, {.cos_sin = args.cos_sin.as<float>(),
                               .inverse_frequency = args.inverse_frequency.as<float>(),
                               .positions = args.batch->positions.as<int32_t>(),
                               .rows = rows,
                               .pairs = pairs});
}

void CudaBackend::add_norm(const ops::AddNormArgs& args) {
    const int64_t rows = args.residual.rows(), width = args.residual.columns();
    GLM5_CHECK(width % 8 == 0 && width <= kMostNormWidth, "{}", width);
    check_activation(args.out, rows, width);
    check_bf16_rows(args.residual, rows, width);
    if (args.delta) check_bf16_rows(args.delta, rows, width);
    check_floats(args.weight, width);
    cuda::add_norm(launch_, {.out = args.out.values.as<bf16>(),
                             .codes = args.out.quantised.as<uint8_t>(),
                             .scales = args.out.scales.as<float>(),
                             .residual = args.residual.as<bf16>(),
                             .delta = args.delta.as<bf16>(),
                             .weight = args.weight.as<float>(),
                             .rows = rows,
                             .width = width,
                             .eps = args.eps});
}

void CudaBackend::quantise(const ops::Activation& activation) {
    if (!activation.quantised) return;
    const int64_t rows = activation.values.rows(), width = activation.values.columns();
    check_activation(activation, rows, width);
    cuda::quantise(launch_, {.codes = activation.quantised.as<uint8_t>(),
                             .scales = activation.scales.as<float>(),
                             .values = activation.values.as<bf16>(),
                             .rows = rows,
                             .width = width});
}

void CudaBackend::mla_prologue(const ops::MlaPrologueArgs& args) {
    const int64_t rows = args.q_a.rows(), q_width = args.q_a.columns();
    const bool fp8 = numerics_.latent == LatentFormat::fp8_ds_mla;
    const ops::PageArray &latent = args.cache.latent, &index_keys = args.cache.index_keys;
    GLM5_CHECK(q_width % 8 == 0 && q_width <= kMostPrologueWidth, "{}", q_width);
    check_activation(args.q_norm, rows, q_width);
    check_bf16_rows(args.q_a, rows, q_width);
    check_bf16_rows(args.kv_a, rows, kQueryDim);
    check_floats(args.cos_sin, rows * kRopeDim);
    check_floats(args.q_a_norm_weight, q_width);
    check_floats(args.kv_a_norm_weight, kLatentDim);
    GLM5_CHECK(latent.page_bytes % 16 == 0 && latent.page_bytes >= kPage * (fp8 ? kFp8EntryBytes : kBf16EntryBytes),
               "{} bytes a page", latent.page_bytes);
    if (args.index_k) {
        check_bf16_rows(args.index_k, rows, kIndexDim);
        check_floats(args.index_k_norm_weight, kIndexDim);
        check_floats(args.index_k_norm_bias, kIndexDim);
        GLM5_CHECK(index_keys.page_bytes % 16 == 0 && index_keys.page_bytes >= kPage * (kIndexDim + 4),
                   "{} bytes a page", index_keys.page_bytes);
    }
    cuda::mla_prologue(launch_, {.q_norm = args.q_norm.values.as<bf16>(),
                                 .q_codes = args.q_norm.quantised.as<uint8_t>(),
                                 .q_scales = args.q_norm.scales.as<float>(),
                                 .latent_pages = latent.data,
                                 .latent_page_bytes = latent.page_bytes,
                                 .latent_is_fp8 = fp8,
                                 .index_pages = index_keys.data,
                                 .index_page_bytes = index_keys.page_bytes,
                                 .q_a = args.q_a.as<bf16>(),
                                 .kv_a = args.kv_a.as<bf16>(),
                                 .index_k = args.index_k.as<bf16>(),
                                 .cos_sin = args.cos_sin.as<float>(),
                                 .slots = args.batch->slots.as<int32_t>(),
                                 .q_weight = args.q_a_norm_weight.as<float>(),
                                 .latent_weight = args.kv_a_norm_weight.as<float>(),
                                 .index_weight = args.index_k_norm_weight.as<float>(),
                                 .index_bias = args.index_k_norm_bias.as<float>(),
                                 .rows = rows,
                                 .q_width = q_width,
                                 .eps = args.eps});
}

void CudaBackend::rotate_queries(const ops::QueryFinishArgs& args) {
    const int64_t rows = args.q.rows(), heads = args.q.shape[1];
    check_bf16_rows(args.q, rows, heads * (kNopeDim + kRopeDim));
    check_bf16_rows(args.query, rows, heads * kQueryDim);
    check_floats(args.cos_sin, rows * kRopeDim);
    if (args.index_q) {
        check_bf16_rows(args.index_q, rows, kIndexHeads * kIndexDim);
        check_floats(args.index_weights, rows * kIndexHeads);
        GLM5_CHECK(args.index_query.dtype == DType::f8_e4m3 && args.index_query.elements() == args.index_q.elements(),
                   "{} × {}", dtype_name(args.index_query.dtype), args.index_query.elements());
    }
    cuda::rotate_queries(launch_, {.query = args.query.as<bf16>(),
                                   .index_query = args.index_query.as<uint8_t>(),
                                   .index_weights = args.index_weights.as<float>(),
                                   .q = args.q.as<bf16>(),
                                   .index_q = args.index_q.as<bf16>(),
                                   .cos_sin = args.cos_sin.as<float>(),
                                   .rows = rows,
                                   .num_heads = heads});
}

}  // namespace glm5::cuda
