// ActivationObserver: who wants to see the intermediates of a step, and what they are called (docs/model.md, Names).
#pragma once

#include <functional>
#include <string_view>

#include "ops/tensor.h"

namespace glm5::model {

// Called right after a tensor was written and before anything overwrites it, with "embed", "layers.3.q_a", … and device
// memory. Empty: nobody looks, and forward does no work for it.
using ActivationObserver = std::function<void(std::string_view name, const ops::Tensor& tensor)>;

}  // namespace glm5::model
