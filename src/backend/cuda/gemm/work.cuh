// Which layer, matrix and weight tile of a GemmParams a CTA has, when tiles are counted through all layers.
#pragma once

#include "backend/cuda/gemm/gemm.h"

namespace glm5::cuda {

struct Work {
    int layer, matrix, row_tile;
};

__device__ inline Work find_work(const GemmParams& params, int tile) {
    int layer = 0;
    while (tile >= params.layers[layer].batch * params.layers[layer].row_tiles) {
        tile -= params.layers[layer].batch * params.layers[layer].row_tiles;
        ++layer;
    }
    return {layer, tile / params.layers[layer].row_tiles, tile % params.layers[layer].row_tiles};
}

inline int total_tiles(const GemmParams& params) {
    int tiles = 0;
    for (int i = 0; i < params.num_layers; ++i) tiles += params.layers[i].batch * params.layers[i].row_tiles;
    return tiles;
}

}  // namespace glm5::cuda
