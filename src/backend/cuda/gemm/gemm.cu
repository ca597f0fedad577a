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

    GemmParams rest{.num_tokens = params.num_tokens};
    for (int i = 0; i < params.num_layers; ++i) {
        if (params.layers[i].e4m3)
            gemm_sm90_many_rows(launch, params, i);
        else
            rest.layers[rest.num_layers++] = params.layers[i];
    }
    if (rest.num_layers > 0) gemm_sm90_few_rows(launch, rest);
}

}  // namespace glm5::cuda
