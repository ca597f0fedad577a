// The instruction sets that the kernels are compiled for.
#pragma once

namespace glm5::cpu {

enum class InstructionSet { scalar, avx2, avx512 };

const char* instruction_set_name(InstructionSet set);
bool machine_runs(InstructionSet set);  // by CPUID
InstructionSet best_instruction_set();  // the widest one that this machine runs

}  // namespace glm5::cpu
