// lm_head.
#include "backend/cpu/backend.h"

namespace glm5::cpu {

void CpuBackend::lm_head(const ops::LmHeadArgs& args) {
    GLM5_CHECK(args.logits.shape[1] == args.head.out_features && args.logits.rows() >= args.batch->num_logit_rows);
    GLM5_CHECK(!quantises_input(args.head));
    GemmJob product = job(input_of(args.hidden, false), args.head, args.logits.as<float>());
    product.rows = args.batch->num_logit_rows;
    product.x_rows = args.batch->logit_rows.as<int32_t>();
    product.round = false;
    gemm_.run(product);
}

}  // namespace glm5::cpu
