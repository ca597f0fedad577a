// make_cpu_backend: the Backend that runs on this machine's cores. Tensors are host memory and activations are f32;
// with ActivationFormat::bf16 every value that a contract rounds is rounded to bf16 and kept in f32.
//
// A row's result is bitwise independent of the other rows of the step, of chunking, and of the number of threads. It
// depends on the instruction set, which differ in the order of some sums.
#pragma once

#include <memory>
#include <optional>

#include "backend/cpu/instruction_set.h"
#include "base/status.h"
#include "ops/backend.h"

namespace glm5::cpu {

// num_threads 0: all cores. `instruction_set` is for tests; by default the best one.
// Errors: invalid_argument for a negative number of threads, unsupported for an instruction set this machine lacks.
Result<std::unique_ptr<ops::Backend>> make_cpu_backend(const ops::Numerics& numerics, int num_threads,
                                                       std::optional<InstructionSet> instruction_set = {});

}  // namespace glm5::cpu
