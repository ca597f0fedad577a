// FakeDevice: a CPU backend that behaves as a GPU: it has memory of a given size, repeats recorded ops with the arguments
// that they had then, without calling whoever recorded them, and fails when it is told to.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "ops/backend.h"
#include "ops/device_fault.h"

namespace glm5 {

// What a test and its device share; the device itself is the engine's.
struct DeviceControl {
    int64_t memory_bytes = int64_t{2} << 30;
    int64_t available_bytes = int64_t{2} << 30;
    std::optional<ops::DeviceFault::Kind> load_fault;  // of the first weight
    std::atomic<bool> fails = false;                   // at the next step
    std::atomic<int> num_recorded = 0, num_repeated = 0, num_copies = 0;
};

class FakeDevice final : public ops::Backend {
public:
    explicit FakeDevice(DeviceControl& control) : control_(control) {}

    std::string description() const override { return "fake"; }
    const ops::Numerics& numerics() const override { return cpu_->numerics(); }
    DType activation_dtype() const override { return cpu_->activation_dtype(); }
    DType index_query_dtype() const override { return cpu_->index_query_dtype(); }
    ops::Tensor allocate(DType dtype, std::initializer_list<int64_t> shape) override {
        return cpu_->allocate(dtype, shape);
    }
    void copy_to_device(const ops::Tensor& destination, const void* source, int64_t bytes) override {
        ++control_.num_copies;
        cpu_->copy_to_device(destination, source, bytes);
    }
    void copy_to_host(void* destination, const ops::Tensor& source, int64_t bytes) override {
        cpu_->copy_to_host(destination, source, bytes);
    }
    ops::Linear make_linear(std::span<const ops::HostMatrixView> matrices) override {
        if (control_.load_fault) throw ops::DeviceFault("a fault that the test asked for", *control_.load_fault);
        return cpu_->make_linear(matrices);
    }
    void prepare(const ops::StepLimits& limits) override { cpu_->prepare(limits); }
    ops::MemoryUse memory_use() const override {
        ops::MemoryUse use = cpu_->memory_use();
        use.device_bytes = control_.memory_bytes;
        return use;
    }
    int64_t available_bytes() const override { return control_.available_bytes; }

    void repeat(uint64_t key, const std::function<void()>& record) override {
        auto [entry, is_new] = recorded_.try_emplace(key);
        if (is_new) {
            recording_ = &entry->second;
            record();
            recording_ = nullptr;
        }
        ++(is_new ? control_.num_recorded : control_.num_repeated);
        for (const auto& op : entry->second) op();
    }

    void embed(const ops::EmbedArgs& args) override {
        if (control_.fails) throw ops::DeviceFault("a fault that the test asked for");
        run(&ops::Backend::embed, args);
    }
    void rope_table(const ops::RopeTableArgs& args) override { run(&ops::Backend::rope_table, args); }
    void add_norm(const ops::AddNormArgs& args) override { run(&ops::Backend::add_norm, args); }
    void fused_a(const ops::FusedAArgs& args) override { run(&ops::Backend::fused_a, args); }
    void mla_prologue(const ops::MlaPrologueArgs& args) override { run(&ops::Backend::mla_prologue, args); }
    void query_b(const ops::QueryBArgs& args) override { run(&ops::Backend::query_b, args); }
    void query_finish(const ops::QueryFinishArgs& args) override { run(&ops::Backend::query_finish, args); }
    void index_select(const ops::IndexSelectArgs& args) override { run(&ops::Backend::index_select, args); }
    void sparse_mla(const ops::SparseMlaArgs& args) override { run(&ops::Backend::sparse_mla, args); }
    void value_up(const ops::ValueUpArgs& args) override { run(&ops::Backend::value_up, args); }
    void linear(const ops::LinearArgs& args) override { run(&ops::Backend::linear, args); }
    void dense_mlp(const ops::DenseMlpArgs& args) override { run(&ops::Backend::dense_mlp, args); }
    void route(const ops::RouteArgs& args) override { run(&ops::Backend::route, args); }
    void moe(const ops::MoeArgs& args) override { run(&ops::Backend::moe, args); }
    void lm_head(const ops::LmHeadArgs& args) override { run(&ops::Backend::lm_head, args); }
    void sample(const ops::SampleArgs& args) override { cpu_->sample(args); }

private:
    using Op = std::function<void()>;

    // While a sequence is recorded its ops are kept, with the batch that they refer to, and run afterwards.
    template <typename Args>
    void run(void (ops::Backend::*op)(const Args&), Args args) {
        if (!recording_) return (cpu_.get()->*op)(args);
        if constexpr (requires { args.batch; }) {
            const auto batch = std::make_shared<const ops::Batch>(*args.batch);
            args.batch = batch.get();
            recording_->push_back([this, op, args, batch] { (cpu_.get()->*op)(args); });
        } else {
            recording_->push_back([this, op, args] { (cpu_.get()->*op)(args); });
        }
    }

    DeviceControl& control_;
    const std::unique_ptr<ops::Backend> cpu_ = backend::make_backend({.kind = "cpu"}, {}).value();
    std::map<uint64_t, std::vector<Op>> recorded_;
    std::vector<Op>* recording_ = nullptr;
};

}  // namespace glm5
