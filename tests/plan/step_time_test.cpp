// The floor of a decode step against tables that were worked by hand: eight tensor ranks, GLM-5-FP8, weights as stored,
// fp8_ds_mla; milliseconds at 4.8 and 8.0 TB/s.
#include "plan/step_time.h"

#include "support.h"

namespace glm5::plan {
namespace {

struct Row {
    int num_seqs;
    int64_t context;
    double h200, b200, nvfp4_b200, nvfp4_h200;
};

constexpr int64_t k4 = 4096, k32 = 32768, k128 = 131072;
constexpr Row kTensorParallel[] = {
    {1, k4, 1.53, 0.92, 0.76, 1.27},        {1, k32, 1.59, 0.96, 0.80, 1.33},
    {1, k128, 1.80, 1.08, 0.93, 1.55},      {8, k4, 5.39, 3.23, 2.12, 3.54},
    {8, k32, 5.88, 3.53, 2.42, 4.03},       {8, k128, 7.57, 4.54, 3.43, 5.72},
    {32, k4, 13.93, 8.36, 5.20, 8.66},      {32, k32, 15.90, 9.54, 6.38, 10.63},
    {32, k128, 22.65, 13.59, 10.43, 17.38}, {128, k4, 23.38, 14.03, 9.16, 15.26},
    {128, k32, 31.26, 18.75, 13.88, 23.14}, {128, k128, 58.25, 34.95, 30.08, 50.13},
};

Plan stored_plan(const config::Config& config, const layout::ParallelLayout& layout, const StoredFormOf& form = {}) {
    PlanOptions options = gpu_options("b200");
    options.latent = LatentFormat::fp8_ds_mla;
    options.form = BackendForm::stored();
    options.stored_form = form;
    return planned(config, layout, options);
}

double ms(const config::Config& config, const Plan& plan, int num_seqs, int64_t context, double terabytes) {
    return 1e3 * step_bytes(config, plan, num_seqs, context).total() / (terabytes * 1e12);
}

config::StoredForm nvfp4_experts(const config::Parameter& parameter) {
    if (parameter.routed_expert && !parameter.mtp) return config::StoredForm::nvfp4;
    return parameter.quantisable ? config::StoredForm::fp8 : config::StoredForm::plain;
}

TEST(StepTime, TensorParallelTable) {
    const config::Config config = glm5_fp8();
    const Plan fp8 = stored_plan(config, kTp8), nvfp4 = stored_plan(config, kTp8, nvfp4_experts);
    for (const Row& row : kTensorParallel) {
        const auto near = [&](const Plan& plan, double terabytes, double expected) {
            EXPECT_NEAR(ms(config, plan, row.num_seqs, row.context, terabytes), expected, 0.006 + 1e-3 * expected)
                << row.num_seqs << " x " << row.context << " at " << terabytes;
        };
        near(fp8, 4.8, row.h200);
        near(fp8, 8.0, row.b200);
        near(nvfp4, 8.0, row.nvfp4_b200);
        near(nvfp4, 4.8, row.nvfp4_h200);
    }
}

TEST(StepTime, SharedIndexers) {
    const config::Config config = glm52_fp8();
    const Plan plan = stored_plan(config, kTp8);
    struct Case {
        int num_seqs;
        int64_t context;
        double h200, b200;
    };
    const Case cases[] = {{1, k4, 1.41, 0.85},     {1, k32, 1.43, 0.86},    {1, k128, 1.48, 0.89},
                          {1, 1 << 20, 2.01, 1.2}, {8, k4, 5.22, 3.13},     {8, k128, 5.81, 3.49},
                          {32, k32, 14.14, 8.49},  {128, k4, 22.45, 13.47}, {128, k128, 31.83, 19.10}};
    for (const Case& c : cases) {
        EXPECT_NEAR(ms(config, plan, c.num_seqs, c.context, 4.8), c.h200, 0.006 + 1e-3 * c.h200) << c.num_seqs;
        EXPECT_NEAR(ms(config, plan, c.num_seqs, c.context, 8.0), c.b200, 0.01 + 1e-3 * c.b200) << c.num_seqs;
    }
}

TEST(StepTime, DataParallelAttention) {
    const config::Config config = glm5_fp8();
    const Plan plan = stored_plan(config, {.tensor = 1, .data = 8, .expert = 8});
    const struct {
        int num_seqs;
        int64_t context;
        double h200, b200;
    } cases[] = {{1, k4, 4.64, 2.78},   {1, k128, 4.91, 2.94},   {8, k32, 8.34, 5.00},
                 {32, k4, 16.18, 9.71}, {128, k4, 23.06, 13.84}, {128, k128, 27.42, 16.45}};
    for (const auto& c : cases) {
        EXPECT_NEAR(ms(config, plan, c.num_seqs, c.context, 4.8), c.h200, 0.006 + 1e-3 * c.h200) << c.num_seqs;
        EXPECT_NEAR(ms(config, plan, c.num_seqs, c.context, 8.0), c.b200, 0.006 + 1e-3 * c.b200) << c.num_seqs;
    }
}

// A prefill chunk reads every expert: "routed memory" of the prefill table.
TEST(StepTime, ExpertsOfAChunk) {
    const config::Config config = glm5_fp8();
    const Plan plan = stored_plan(config, kTp8);
    for (const int num_tokens : {2048, 8192}) {
        const double bytes = step_bytes(config, plan, num_tokens, k4).routed_experts;
        EXPECT_NEAR(1e3 * bytes / 4.8e12, 18.9, 0.05);
        EXPECT_NEAR(1e3 * bytes / 8.0e12, 11.3, 0.05);
    }
    EXPECT_NEAR(step_bytes(config, plan, 32, k4).routed_experts / 75, 770.8e6, 5e5);
    EXPECT_NEAR(step_bytes(config, plan, 128, k4).routed_experts / 75, 1187.5e6, 5e5);
}

// The parts of a step of one sequence, in megabytes over all layers: "Example B=1, 4k: 7.35 GB".
TEST(StepTime, Parts) {
    const config::Config config = glm5_fp8();
    const StepBytes bytes = step_bytes(config, stored_plan(config, kTp8), 1, k4);
    EXPECT_NEAR(bytes.total() / 1e9, 7.35, 5e-3);
    EXPECT_NEAR(bytes.latent / 78, 1.34e6, 5e3);
    EXPECT_NEAR(bytes.index_keys / 78, 0.54e6, 5e3);
    EXPECT_NEAR(bytes.routed_experts / 75, 37.8e6, 5e4);
    EXPECT_EQ(step_bytes(config, stored_plan(config, kTp8), 1, 2048).index_keys, 0);
    EXPECT_NEAR(1e3 * step_seconds(find_gpu("h200").value(), bytes), 1.53, 6e-3);
}

}  // namespace
}  // namespace glm5::plan
