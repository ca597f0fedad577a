#include "backend/cuda/moe/moe.h"

#include <algorithm>

namespace glm5::cuda {
namespace {

// Gives out parts of one piece of memory, each aligned to 256 bytes.
class Parts {
public:
    explicit Parts(void* memory) : begin_(static_cast<uint8_t*>(memory)) {}
    template <typename T>
    void place(T*& part, int64_t bytes) {
        part = reinterpret_cast<T*>(begin_ + used_);
        used_ += round_up(bytes, 256);
    }
    int64_t used() const { return used_; }

private:
    uint8_t* begin_;
    int64_t used_ = 0;
};

int64_t place(MoeParams& params, void* memory) {
    Parts parts(memory);
    const int64_t pairs = params.num_pairs();
    parts.place(params.pair_tokens, pairs * 4);
    parts.place(params.pair_places, pairs * 4);
    parts.place(params.items, params.max_items() * static_cast<int64_t>(sizeof(MoeItem)));
    parts.place(params.num_items, 4);
    auto* hidden_values = static_cast<uint8_t*>(params.hidden_values);
    parts.place(hidden_values, pairs * params.width * (params.e4m3 ? 1 : 2));
    params.hidden_values = hidden_values;
    parts.place(params.hidden_scales, pairs * ceil_div(params.width, 128) * 4);
    auto* partial = static_cast<uint8_t*>(params.partial);
    parts.place(partial, pairs * params.hidden * (params.many_pairs ? 2 : 4));
    params.partial = partial;
    return parts.used();
}

}  // namespace

int64_t moe_workspace_bytes(MoeParams params) {
    return place(params, nullptr);
}

void place_moe_workspace(MoeParams& params, void* memory) {
    place(params, memory);
}

void moe(const Launch& launch, const MoeParams& params) {
    if (params.sorted) moe_plan(launch, params);
    if (params.many_pairs) {
        moe_many_pairs_sm90(launch, params);
    } else if (launch.architecture == 90) {
        moe_gate_up_sm90(launch, params);
        moe_down_sm90(launch, params);
    } else {
        moe_gate_up_smxx(launch, params);
        moe_down_smxx(launch, params);
    }
    moe_finish(launch, params);
}

}  // namespace glm5::cuda
