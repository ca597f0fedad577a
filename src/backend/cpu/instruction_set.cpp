#include "backend/cpu/instruction_set.h"

#include "backend/cpu/kernels.h"
#include "base/check.h"

namespace glm5::cpu {

const char* instruction_set_name(InstructionSet set) {
    switch (set) {
        case InstructionSet::scalar: return "scalar";
        case InstructionSet::avx2: return "AVX2";
        case InstructionSet::avx512: return "AVX-512";
    }
    return "?";
}

bool machine_runs(InstructionSet set) {
    switch (set) {
        case InstructionSet::scalar: return true;
        case InstructionSet::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
        case InstructionSet::avx512:
            return machine_runs(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl");
    }
    return false;
}

InstructionSet best_instruction_set() {
    if (machine_runs(InstructionSet::avx512)) return InstructionSet::avx512;
    if (machine_runs(InstructionSet::avx2)) return InstructionSet::avx2;
    return InstructionSet::scalar;
}

const Kernels& kernels_for(InstructionSet set) {
    GLM5_CHECK(machine_runs(set), "{}", instruction_set_name(set));
    switch (set) {
        case InstructionSet::scalar: break;
        case InstructionSet::avx2: return avx2::kKernels;
        case InstructionSet::avx512: return avx512::kKernels;
    }
    return scalar::kKernels;
}

}  // namespace glm5::cpu
