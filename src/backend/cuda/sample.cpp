// sample: the arguments of ops/sample.h for the kernel.
#include "backend/cuda/sample/sample.h"
#include "backend/cuda/backend.h"

namespace glm5::cuda {

void CudaBackend::sample(const ops::SampleArgs& args) {
    const int64_t rows = args.tokens.rows(), vocabulary = args.logits.shape[1];
    const ops::SampleParameters& parameters = args.parameters;
    GLM5_CHECK(args.num_vocab_tokens >= 1 && args.num_vocab_tokens <= vocabulary, "{} of {}", args.num_vocab_tokens,
               vocabulary);
    GLM5_CHECK(args.logits.dtype == DType::f32 && args.logits.rows() >= rows && parameters.seed.rows() == rows,
               "{} rows", rows);
    cuda::sample(launch_, {.tokens = args.tokens.as<int32_t>(),
                           .logits = args.logits.as<float>(),
                           .stride = vocabulary,
                           .rows = rows,
                           .num_ids = args.num_vocab_tokens,
                           .temperature = parameters.temperature.as<float>(),
                           .top_p = parameters.top_p.as<float>(),
                           .min_p = parameters.min_p.as<float>(),
                           .top_k = parameters.top_k.as<int32_t>(),
                           .repetition_penalty = parameters.repetition_penalty.as<float>(),
                           .presence_penalty = parameters.presence_penalty.as<float>(),
                           .frequency_penalty = parameters.frequency_penalty.as<float>(),
                           .seed = parameters.seed.as<int64_t>(),
                           .position = parameters.position.as<int32_t>(),
                           .edit_start = parameters.edit_start.as<int32_t>(),
                           .edit_ids = parameters.edit_ids.as<int32_t>(),
                           .edit_values = parameters.edit_values.as<float>(),
                           .history_start = parameters.history_start.as<int32_t>(),
                           .history_ids = parameters.history_ids.as<int32_t>(),
                           .history_counts = parameters.history_counts.as<int32_t>()});
}

}  // namespace glm5::cuda
