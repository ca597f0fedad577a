// ActivationDump: writes what a decoder's observer sees, one safetensors file per tensor and step:
// DIRECTORY/step-000000/layers.3.attention_out.safetensors with one tensor of that name. tools/diff_activations.py
// compares two such directories, tools/dump_activations_transformers.py writes one from transformers.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "model/observer.h"
#include "ops/backend.h"

namespace glm5::model {

class ActivationDump {
public:
    // Makes the directory. Errors when that fails or when it holds the steps of another run. `backend` outlives the
    // dump.
    static Result<std::unique_ptr<ActivationDump>> open(ops::Backend& backend, const std::string& directory);

    // For Decoder::set_observer; the dump outlives its use. A file that cannot be written is logged, and nothing is
    // written from then on.
    ActivationObserver observer();

private:
    ActivationDump(ops::Backend& backend, std::string directory)
        : backend_(backend), directory_(std::move(directory)) {}

    Status write(std::string_view name, const ops::Tensor& tensor);

    ops::Backend& backend_;
    const std::string directory_;
    int64_t num_steps_ = 0;  // begun
    bool failed_ = false;
};

}  // namespace glm5::model
