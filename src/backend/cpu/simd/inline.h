// GLM5_INLINE: functions that leave no symbol behind. Files compiled for an instruction set define no others, but for
// the table they export, so that none of their code can be linked into a caller that must run on any machine.
#pragma once

#define GLM5_INLINE [[maybe_unused]] static inline __attribute__((always_inline))
