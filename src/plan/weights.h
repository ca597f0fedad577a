// Bytes of the weights that one rank holds, by part of the model.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "config/config.h"
#include "config/inventory.h"
#include "layout/parallel_layout.h"
#include "plan/backend_form.h"

namespace glm5::plan {

enum class WeightPart : uint8_t {
    embedding,
    attention,
    indexer,
    dense_mlp,
    router,
    routed_experts,
    shared_experts,
    norms,
    head,
    mtp_layer,  // whole
};
inline constexpr int kNumWeightParts = 10;

std::string_view weight_part_name(WeightPart part);
// By the name of the parameter or of a tensor that holds it.
WeightPart weight_part_of(std::string_view name, const config::Config& config);

struct WeightBytes {
    std::array<int64_t, kNumWeightParts> parts{};

    int64_t& operator[](WeightPart part) { return parts[static_cast<size_t>(part)]; }
    int64_t operator[](WeightPart part) const { return parts[static_cast<size_t>(part)]; }
    int64_t total() const;
};

// How a parameter is stored; published_form of the config when empty.
using StoredFormOf = std::function<config::StoredForm(const config::Parameter&)>;

// Requires that `layout` cuts the config evenly (check_layout). Every rank holds the same.
WeightBytes weight_bytes(const config::Config& config, const layout::ParallelLayout& layout, const BackendForm& form,
                         bool with_mtp, const StoredFormOf& stored_form = {});

// Bytes of the checkpoint's tensors, the MTP layer's included.
int64_t checkpoint_bytes(const config::Config& config, const StoredFormOf& stored_form = {});

}  // namespace glm5::plan
