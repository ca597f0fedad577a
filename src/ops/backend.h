// Backend: the one interface between the model and a device. One method per op; the op headers state the mathematics.
//
// A backend belongs to one rank worker, which makes every call. Calls are ordered: an op sees what the calls before it
// wrote; only copy_to_host waits for the device. A device that fails throws DeviceFault (ops/device_fault.h). All
// memory is allocated before the first step (allocate, make_*, prepare) and lives as long as the backend.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "ops/add_norm.h"
#include "ops/batch.h"
#include "ops/embed.h"
#include "ops/lm_head.h"
#include "ops/mla.h"
#include "ops/mlp.h"
#include "ops/numerics.h"
#include "ops/sample.h"
#include "ops/sparse_attention.h"
#include "ops/tensor.h"
#include "ops/weights.h"

namespace glm5::ops {

// Upper bounds of every step, from which a backend sizes its workspaces.
struct StepLimits {
    int64_t max_tokens = 0;          // tokens in a step
    int64_t max_context_tokens = 0;  // positions of one sequence
    int64_t max_logit_rows = 0;      // rows that are sampled in a step
    int64_t max_width = 0;           // widest activation row of any op
    int64_t top_k = 0;               // index_topk
    int64_t num_experts = 0;         // routed experts of a layer
    int64_t experts_per_token = 0;
    int64_t hidden_size = 0;
    int64_t mlp_width = 0;     // widest dense, shared or routed MLP
    int64_t expert_width = 0;  // of a routed or shared expert
    int64_t vocab_size = 0;
};

// Memory that a backend has taken, and all that its device has.
struct MemoryUse {
    int64_t tensor_bytes = 0;     // by allocate and make_linear
    int64_t workspace_bytes = 0;  // what ops work in besides, so far
    int64_t device_bytes = 0;     // 0: it works in the host's memory
};

class Backend {
public:
    virtual ~Backend() = default;

    virtual std::string description() const = 0;  // for the log: device, instruction set, threads
    virtual const Numerics& numerics() const = 0;
    virtual DType activation_dtype() const = 0;
    virtual DType index_query_dtype() const = 0;  // of query_finish's index_query

    // Memory.
    virtual Tensor allocate(DType dtype, std::initializer_list<int64_t> shape) = 0;
    virtual void copy_to_device(const Tensor& destination, const void* source, int64_t bytes) = 0;
    virtual void copy_to_host(void* destination, const Tensor& source, int64_t bytes) = 0;
    virtual Activation allocate_activation(int64_t rows, int64_t width);

    // Weights. The host memory may be freed when the call returns.
    virtual Linear make_linear(std::span<const HostMatrixView> matrices) = 0;  // all of one shape and format
    Linear make_linear(const HostMatrixView& matrix) { return make_linear(std::span(&matrix, 1)); }
    Tensor make_vector(std::span<const float> values);  // f32 [n]

    virtual void prepare(const StepLimits& limits) = 0;
    virtual MemoryUse memory_use() const = 0;
    virtual int64_t available_bytes() const = 0;  // of memory that allocate could still give

    // Runs `record`, which does nothing but call ops. A device may keep the calls under `key` and repeat them when the
    // key comes again, without running `record`: the arguments of all calls must then be the same, but for what device
    // memory holds.
    virtual void repeat(uint64_t key, const std::function<void()>& record) = 0;

    virtual void embed(const EmbedArgs& args) = 0;
    virtual void rope_table(const RopeTableArgs& args) = 0;
    virtual void add_norm(const AddNormArgs& args) = 0;
    virtual void fused_a(const FusedAArgs& args) = 0;
    virtual void mla_prologue(const MlaPrologueArgs& args) = 0;
    virtual void query_b(const QueryBArgs& args) = 0;
    virtual void query_finish(const QueryFinishArgs& args) = 0;
    virtual void index_select(const IndexSelectArgs& args) = 0;
    virtual void sparse_mla(const SparseMlaArgs& args) = 0;
    virtual void value_up(const ValueUpArgs& args) = 0;
    virtual void linear(const LinearArgs& args) = 0;
    virtual void dense_mlp(const DenseMlpArgs& args) = 0;
    virtual void route(const RouteArgs& args) = 0;
    virtual void moe(const MoeArgs& args) = 0;
    virtual void lm_head(const LmHeadArgs& args) = 0;
    virtual void sample(const SampleArgs& args) = 0;
};

}  // namespace glm5::ops
