// Published results to set a sweep beside, and when that is allowed: a table is of one model and one load.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "loadgen/sweep_result.h"

namespace glm5::loadgen {

// The figures by which sweeps are compared, in the order of the published table.
struct ComparedFigure {
    std::string_view key;    // in SweepLevel::benchmark
    std::string_view label;  // "TTFT ms"
    bool more_is_better = false;
    int decimals = 0;  // as published
};
inline constexpr ComparedFigure kComparedFigures[] = {
    {"output_throughput", "output tok/s", true, 0},
    {"mean_ttft_ms", "TTFT ms", false, 0},
    {"mean_tpot_ms", "TPOT ms", false, 2},
    {"p99_itl_ms", "ITL p99 ms", false, 2},
};
inline constexpr size_t kNumComparedFigures = std::size(kComparedFigures);

struct ReferenceLevel {
    int concurrency = 0;
    double figures[kNumComparedFigures] = {};  // as kComparedFigures
};

struct ReferenceTable {
    std::string_view name;
    std::string_view description;
    std::string_view model;  // what was served
    int input_len = 0, output_len = 0;
    std::span<const ReferenceLevel> levels;

    const ReferenceLevel* find(int concurrency) const;
};

std::span<const ReferenceTable> reference_tables();

// Ok when the sweep is of the table's model and load; else what differs.
Status check_comparable(const ReferenceTable& table, const Sweep& sweep);

// The table called `name`; for "auto" the first one that is comparable; nullptr for "none" and where there is none.
// Errors: no such name, not comparable.
Result<const ReferenceTable*> find_reference(std::string_view name, const Sweep& sweep);

}  // namespace glm5::loadgen
