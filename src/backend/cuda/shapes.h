// The sizes that every GLM-5 checkpoint shares, and glm5-nano too, and that kernels are compiled for. A checkpoint with
// others is refused when it is loaded.
#pragma once

namespace glm5::cuda {

inline constexpr int kLatentDim = 512;
inline constexpr int kRopeDim = 64;
inline constexpr int kNopeDim = 192;
inline constexpr int kValueDim = 256;
inline constexpr int kQueryDim = kLatentDim + kRopeDim;  // of an absorbed query, and of a cache entry
inline constexpr int kIndexDim = 128;
inline constexpr int kIndexHeads = 32;

inline constexpr int kPage = 64;  // tokens (base/dtype.h kPageTokens)

// Bytes of a token's latent entry: fp8_ds_mla is 512 e4m3, 4 f32 scales, 64 bf16 rope values; bf16 is 576 values.
inline constexpr int kFp8EntryBytes = 656;
inline constexpr int kBf16EntryBytes = 1152;

}  // namespace glm5::cuda
