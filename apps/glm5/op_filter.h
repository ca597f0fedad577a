// OpFilter: a backend that passes on every op, or those of one name only. So the time of one op within a step is the
// time of a step that runs nothing else: the same weights, one after the other, the same buffers and the same launches.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ops/backend.h"

namespace glm5 {

class OpFilter final : public ops::Backend {
public:
    explicit OpFilter(std::unique_ptr<ops::Backend> backend) : backend_(std::move(backend)) {}

    static constexpr std::array<std::string_view, 15> kNames = {
        "embed",      "rope_table", "add_norm", "fused_a",   "mla_prologue", "query_b", "query_finish", "index_select",
        "sparse_mla", "value_up",   "linear",   "dense_mlp", "route",        "moe",     "lm_head"};
    // One of kNames; empty: all ops.
    void run_only(std::string_view name) { only_ = name; }

    std::string description() const override { return backend_->description(); }
    const ops::Numerics& numerics() const override { return backend_->numerics(); }
    DType activation_dtype() const override { return backend_->activation_dtype(); }
    DType index_query_dtype() const override { return backend_->index_query_dtype(); }
    ops::Tensor allocate(DType dtype, std::initializer_list<int64_t> shape) override {
        return backend_->allocate(dtype, shape);
    }
    ops::Activation allocate_activation(int64_t rows, int64_t width) override {
        return backend_->allocate_activation(rows, width);
    }
    void copy_to_device(const ops::Tensor& destination, const void* source, int64_t bytes) override {
        backend_->copy_to_device(destination, source, bytes);
    }
    void copy_to_host(void* destination, const ops::Tensor& source, int64_t bytes) override {
        backend_->copy_to_host(destination, source, bytes);
    }
    using ops::Backend::make_linear;
    ops::Linear make_linear(std::span<const ops::HostMatrixView> matrices) override {
        return backend_->make_linear(matrices);
    }
    void prepare(const ops::StepLimits& limits) override { backend_->prepare(limits); }
    ops::MemoryUse memory_use() const override { return backend_->memory_use(); }
    int64_t available_bytes() const override { return backend_->available_bytes(); }
    void repeat(uint64_t key, const std::function<void()>& record) override { backend_->repeat(key, record); }

    void embed(const ops::EmbedArgs& args) override { pass("embed", &ops::Backend::embed, args); }
    void rope_table(const ops::RopeTableArgs& args) override { pass("rope_table", &ops::Backend::rope_table, args); }
    void add_norm(const ops::AddNormArgs& args) override { pass("add_norm", &ops::Backend::add_norm, args); }
    void fused_a(const ops::FusedAArgs& args) override { pass("fused_a", &ops::Backend::fused_a, args); }
    void mla_prologue(const ops::MlaPrologueArgs& args) override {
        pass("mla_prologue", &ops::Backend::mla_prologue, args);
    }
    void query_b(const ops::QueryBArgs& args) override { pass("query_b", &ops::Backend::query_b, args); }
    void query_finish(const ops::QueryFinishArgs& args) override {
        pass("query_finish", &ops::Backend::query_finish, args);
    }
    void index_select(const ops::IndexSelectArgs& args) override {
        pass("index_select", &ops::Backend::index_select, args);
    }
    void sparse_mla(const ops::SparseMlaArgs& args) override { pass("sparse_mla", &ops::Backend::sparse_mla, args); }
    void value_up(const ops::ValueUpArgs& args) override { pass("value_up", &ops::Backend::value_up, args); }
    void linear(const ops::LinearArgs& args) override { pass("linear", &ops::Backend::linear, args); }
    void dense_mlp(const ops::DenseMlpArgs& args) override { pass("dense_mlp", &ops::Backend::dense_mlp, args); }
    void route(const ops::RouteArgs& args) override { pass("route", &ops::Backend::route, args); }
    void moe(const ops::MoeArgs& args) override { pass("moe", &ops::Backend::moe, args); }
    void lm_head(const ops::LmHeadArgs& args) override { pass("lm_head", &ops::Backend::lm_head, args); }
    void sample(const ops::SampleArgs& args) override { backend_->sample(args); }

private:
    template <typename Args>
    void pass(std::string_view name, void (ops::Backend::*op)(const Args&), const Args& args) {
        if (only_.empty() || only_ == name) ((*backend_).*op)(args);
    }

    const std::unique_ptr<ops::Backend> backend_;
    std::string_view only_;
};

}  // namespace glm5
