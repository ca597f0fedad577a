// Shards, and the text format: https://prometheus.io/docs/instrumenting/exposition_formats.
#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace glm5::metrics {
namespace {

bool is_name(std::string_view name, bool colons) {
    auto letter = [&](char c) {
        return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || (colons && c == ':');
    };
    return !name.empty() && letter(name[0]) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// Bytes of the UTF-8 sequence at the start of `text`; 0 when it is none.
size_t sequence_length(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const size_t length = first < 0x80   ? 1
                          : first < 0xc2 ? 0
                          : first < 0xe0 ? 2
                          : first < 0xf0 ? 3
                          : first < 0xf5 ? 4
                                         : 0;
    if (length == 0 || text.size() < length) return 0;
    for (size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
    const bool beyond = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
    return overlong || beyond ? 0 : length;
}

// One bad byte would make a scraper refuse the whole page, so what is not UTF-8 becomes "?".
std::string escape(std::string_view text, bool quotes) {
    std::string out;
    while (!text.empty()) {
        const size_t length = sequence_length(text);
        const char c = text[0];
        if (length == 0)
            out += '?';
        else if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && quotes)
            out += "\\\"";
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<size_t>(length, 1));
    }
    return out;
}

std::string label_text(const Labels& labels) {
    std::string out;
    for (const auto& [name, value] : labels) {
        GLM5_CHECK(is_name(name, false) && name != "le", "label {}", name);
        out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", name, escape(value, true));
    }
    return out;
}

// As clients of Python write it: whole numbers as "5.0", which makes the `le` of a bucket equal theirs.
std::string number_text(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    if (value == std::floor(value) && std::fabs(value) < 1e15) return fmt::format("{:.1f}", value);
    return fmt::format("{}", value);
}

void append_sample(std::string& out, std::string_view name, std::string_view labels, std::string_view value) {
    if (labels.empty())
        out += fmt::format("{} {}\n", name, value);
    else
        out += fmt::format("{}{{{}}} {}\n", name, labels, value);
}

void append_histogram(std::string& out, const std::string& name, const std::string& labels,
                      const Histogram& histogram) {
    const Histogram::Snapshot snapshot = histogram.snapshot();
    const std::string before = labels.empty() ? "" : labels + ",";
    for (size_t i = 0; i < snapshot.cumulative.size(); ++i) {
        const bool last = i == histogram.bounds().size();
        out += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, before,
                           last ? "+Inf" : number_text(histogram.bounds()[i]), snapshot.cumulative[i]);
    }
    append_sample(out, name + "_sum", labels, number_text(snapshot.sum));
    append_sample(out, name + "_count", labels, fmt::format("{}", snapshot.cumulative.back()));
}

}  // namespace

size_t shard_of_this_thread() {
    static std::atomic<size_t> num_threads = 0;
    static thread_local const size_t shard = num_threads.fetch_add(1, std::memory_order_relaxed) % kShards;
    return shard;
}

uint64_t Counter::value() const {
    uint64_t sum = 0;
    for (const Cell& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
    return sum;
}

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)) {
    GLM5_CHECK(!bounds_.empty() &&
               std::adjacent_find(bounds_.begin(), bounds_.end(), std::greater_equal<>()) == bounds_.end());
    GLM5_CHECK(std::isfinite(bounds_.front()) && std::isfinite(bounds_.back()));
    for (Shard& shard : shards_) shard.counts = std::vector<std::atomic<uint64_t>>(bounds_.size() + 1);
}

void Histogram::observe(double value) {
    if (std::isnan(value)) return;
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    Shard& shard = shards_[shard_of_this_thread()];
    shard.counts[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    shard.sum.fetch_add(value, std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::snapshot() const {
    Snapshot snapshot;
    snapshot.cumulative.resize(bounds_.size() + 1);
    for (const Shard& shard : shards_) {
        snapshot.sum += shard.sum.load(std::memory_order_relaxed);
        for (size_t i = 0; i < shard.counts.size(); ++i)
            snapshot.cumulative[i] += shard.counts[i].load(std::memory_order_relaxed);
    }
    for (size_t i = 1; i < snapshot.cumulative.size(); ++i) snapshot.cumulative[i] += snapshot.cumulative[i - 1];
    return snapshot;
}

void Registry::add(const std::string& name, const std::string& help, Type type, const Labels& labels, Source source) {
    GLM5_CHECK(is_name(name, true), "metric {}", name);
    const std::string text = label_text(labels);
    const std::lock_guard lock(mutex_);
    auto found =
        std::find_if(families_.begin(), families_.end(), [&](const auto& family) { return family->name == name; });
    if (found == families_.end())
        found = families_.insert(found, std::make_unique<Family>(Family{name, help, type, {}}));
    Family& family = **found;
    GLM5_CHECK(family.type == type && family.help == help, "metric {} is of another kind already", name);
    for (const Series& series : family.series) GLM5_CHECK(series.labels != text, "{}{{{}}} exists already", name, text);
    family.series.push_back({text, std::move(source)});
}

Counter& Registry::counter(const std::string& name, const std::string& help, const Labels& labels) {
    auto owned = std::make_unique<Counter>();
    Counter& counter = *owned;
    add(name, help, Type::counter, labels, std::move(owned));
    return counter;
}

Gauge& Registry::gauge(const std::string& name, const std::string& help, const Labels& labels) {
    auto owned = std::make_unique<Gauge>();
    Gauge& gauge = *owned;
    add(name, help, Type::gauge, labels, std::move(owned));
    return gauge;
}

Histogram& Registry::histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                               const Labels& labels) {
    auto owned = std::make_unique<Histogram>(std::move(bounds));
    Histogram& histogram = *owned;
    add(name, help, Type::histogram, labels, std::move(owned));
    return histogram;
}

void Registry::counter_callback(const std::string& name, const std::string& help, const Labels& labels, Read read) {
    add(name, help, Type::counter, labels, std::move(read));
}

void Registry::gauge_callback(const std::string& name, const std::string& help, const Labels& labels, Read read) {
    add(name, help, Type::gauge, labels, std::move(read));
}

void Registry::before_render(std::function<void()> prepare) {
    const std::lock_guard lock(mutex_);
    prepare_.push_back(std::move(prepare));
}

std::string Registry::render() const {
    const std::lock_guard lock(mutex_);
    for (const auto& prepare : prepare_) prepare();
    std::string out;
    for (const auto& family : families_) {
        constexpr const char* kTypeNames[] = {"counter", "gauge", "histogram"};
        out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", family->name, escape(family->help, false), family->name,
                           kTypeNames[static_cast<int>(family->type)]);
        for (const Series& series : family->series) {
            if (const auto* histogram = std::get_if<std::unique_ptr<Histogram>>(&series.source))
                append_histogram(out, family->name, series.labels, **histogram);
            else if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&series.source))
                append_sample(out, family->name, series.labels, fmt::format("{}", (*counter)->value()));
            else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&series.source))
                append_sample(out, family->name, series.labels, number_text((*gauge)->value()));
            else
                append_sample(out, family->name, series.labels, number_text(std::get<Read>(series.source)()));
        }
    }
    return out;
}

}  // namespace glm5::metrics
