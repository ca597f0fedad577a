#include "backend/cuda/gemm/gemm.h"

namespace glm5::cuda {
namespace {

// Measured on an H100 at GLM-5's shapes. From this many tokens on, the tensor cores are the limit and not the bytes of
// the weights; where a sum is short, or where a layer has outputs for every SM, even earlier.
constexpr int kManyRows = 384, kManyRowsOfSomeLayers = 96, kShortSumTiles = 16;
// From here on the inputs of e4m3 and bf16 layers do not fit beside each other in shared memory.
constexpr int kSeparateRows = 32;

bool has_many_rows(const Launch& launch, const GemmLayer& layer, int num_tokens) {
    if (layer.e4m3) return num_tokens >= (layer.k_tiles <= kShortSumTiles ? kManyRowsOfSomeLayers : kManyRows);
    // A layer of few outputs leaves most SMs idle unless its sums are cut.
    const int64_t blocks = ceil_div(num_tokens, 128) * ceil_div(layer.out_features, 128) * layer.batch;
    return (num_tokens >= kManyRows && blocks * 2 >= launch.num_sms) ||
           (num_tokens >= kManyRowsOfSomeLayers && blocks >= launch.num_sms);
}

void add(GemmParams& params, const GemmLayer& layer) {
    params.layers[params.num_layers++] = layer;
}

}  // namespace

void gemm(const Launch& launch, const GemmParams& params) {
    if (params.num_tokens == 0) return;
    if (launch.architecture != 90) return gemm_smxx(launch, params);

    // With few tokens all layers share one launch.
    GemmParams few{.num_tokens = params.num_tokens}, few_bf16 = few, many_e4m3 = few;
    for (int i = 0; i < params.num_layers; ++i) {
        const GemmLayer& layer = params.layers[i];
        const bool many = has_many_rows(launch, layer, params.num_tokens);
        if (many && !layer.e4m3)
            gemm_sm90_many_rows_bf16(launch, layer, params.num_tokens);
        else
            add(many ? many_e4m3 : layer.e4m3 || params.num_tokens <= kSeparateRows ? few : few_bf16, layer);
    }
    if (many_e4m3.num_layers > 0) gemm_sm90_many_rows_e4m3(launch, many_e4m3);
    if (few.num_layers > 0) gemm_sm90_few_rows(launch, few);
    if (few_bf16.num_layers > 0) gemm_sm90_few_rows(launch, few_bf16);
}

}  // namespace glm5::cuda
