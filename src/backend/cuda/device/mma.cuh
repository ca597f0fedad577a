// mma.sync m16n8k16 and the loads of its operands, for every architecture (PTX ISA 9.0, "Matrix fragments").
//
// With g = lane / 4 and q = lane % 4: a holds (row g, k 2q, 2q + 1), (g + 8, same k), (g, 2q + 8, + 9), (g + 8, same);
// b0, b1 hold (k 2q, 2q + 1; column g), (k 2q + 8, + 9; column g); d holds (row g; columns 2q, 2q + 1), (g + 8; same).
#pragma once

#include <cstdint>

namespace glm5::cuda {

// d += a · b
__device__ inline void mma_bf16(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                                uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
__device__ inline void mma_f16(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                               uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Four 8 × 8 matrices of 16-bit elements; lane i gives the shared address of row i % 8 of matrix i / 8 and gets
// elements (row g; columns 2q, 2q + 1) of each, or with `transposed` (rows 2q, 2q + 1; column g).
template <bool transposed>
__device__ inline void load_matrices(uint32_t (&r)[4], uint32_t address) {
    if constexpr (transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(address)
                     : "memory");
}

}  // namespace glm5::cuda
