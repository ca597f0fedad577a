#include "backend/cuda/gemm/gemm.h"

namespace glm5::cuda {
namespace {

// From this many tokens on, the tensor cores are the limit and not the weights' bytes.
constexpr int kManyRows = 384;

}  // namespace

void gemm(const Launch& launch, const GemmParams& params) {
    if (params.num_tokens == 0) return;
    if (launch.architecture != 90) return gemm_smxx(launch, params);
    if (params.num_tokens < kManyRows) return gemm_sm90_few_rows(launch, params);

    for (int i = 0; i < params.num_layers; ++i) {
        if (params.layers[i].e4m3)
            gemm_sm90_many_rows_e4m3(launch, params.layers[i], params.num_tokens);
        else
            gemm_sm90_many_rows_bf16(launch, params.layers[i], params.num_tokens);
    }
}

}  // namespace glm5::cuda
