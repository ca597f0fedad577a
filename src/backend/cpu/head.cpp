// lm_head and sample.
#include <cmath>

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

void CpuBackend::sample(const ops::SampleArgs& args) {
    const int64_t rows = args.logits.rows(), vocabulary = args.logits.shape[1];
    GLM5_CHECK(args.num_vocab_tokens <= vocabulary, "{} > {}", args.num_vocab_tokens, vocabulary);
    for_rows(rows, vocabulary, [&](int64_t row, int) {
        const float* logits = args.logits.as<float>() + row * vocabulary;
        int32_t best = 0;
        float top = -INFINITY;  // NaN is never larger
        for (int32_t id = 0; id < args.num_vocab_tokens; ++id)
            if (logits[id] > top) top = logits[id], best = id;
        args.tokens.as<int32_t>()[row] = best;
    });
}

}  // namespace glm5::cpu
