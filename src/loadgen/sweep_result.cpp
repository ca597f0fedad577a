#include "loadgen/sweep_result.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "json/parse.h"
#include "json/write.h"

namespace glm5::loadgen {
namespace {

constexpr std::string_view kFormat = "glm5-sweep-1";
constexpr std::uintmax_t kMaxFileBytes = 64 << 20;
constexpr double kSaturationShare = 0.95;
constexpr size_t kNumPercentiles = 101;

json::Value number_or_null(double value) {
    return std::isfinite(value) ? json::Value(value) : json::Value();
}

json::Value numbers_to_json(const std::vector<double>& numbers) {
    json::Array array;
    for (const double number : numbers) array.push_back(number_or_null(number));
    return array;
}

using TimelineMember = double TimelinePoint::*;
constexpr std::pair<std::string_view, TimelineMember> kTimelineMembers[] = {
    {"time_s", &TimelinePoint::time_s},
    {"running", &TimelinePoint::num_running},
    {"waiting", &TimelinePoint::num_waiting},
    {"cache_usage", &TimelinePoint::cache_usage},
};

// One array for each member.
json::Value timeline_to_json(const std::vector<TimelinePoint>& timeline) {
    json::Object object;
    for (const auto& [name, member] : kTimelineMembers) {
        std::vector<double> column;
        for (const TimelinePoint& point : timeline) column.push_back(point.*member);
        object.append(std::string(name), numbers_to_json(column));
    }
    return object;
}

json::Value level_to_json(const SweepLevel& level) {
    json::Object object;
    object.append("concurrency", level.concurrency);
    object.append("benchmark", level.benchmark);
    json::Object causes;
    for (const auto& [cause, count] : level.failure_causes) causes.append(cause, count);
    object.append("failure_causes", std::move(causes));
    object.append("num_preemptions", level.num_preemptions ? json::Value(*level.num_preemptions) : json::Value());
    object.append("itl_percentiles_ms", numbers_to_json(level.itl_percentiles_ms));
    object.append("timeline", timeline_to_json(level.timeline));
    return object;
}

Result<const json::Value*> member(const json::Value& object, std::string_view key, bool (json::Value::*is_type)() const,
                                  std::string_view type) {
    const json::Value* value = object.find(key);
    if (!value) return invalid_argument("{}: missing", key);
    if (!(value->*is_type)()) return invalid_argument("{}: expected {}, found {}", key, type, value->type_name());
    return value;
}

Result<std::vector<double>> numbers_from_json(const json::Value& object, std::string_view key) {
    GLM5_ASSIGN_OR_RETURN(const json::Value* array, member(object, key, &json::Value::is_array, "array"));
    std::vector<double> numbers;
    for (const json::Value& item : array->as_array()) {
        const auto number = item.to_double();
        if (!number)
            return invalid_argument("{}[{}]: expected number, found {}", key, numbers.size(), item.type_name());
        numbers.push_back(*number);
    }
    return numbers;
}

Result<std::vector<TimelinePoint>> timeline_from_json(const json::Value& level) {
    GLM5_ASSIGN_OR_RETURN(const json::Value* object, member(level, "timeline", &json::Value::is_object, "object"));
    std::vector<TimelinePoint> timeline;
    for (const auto& [name, point_member] : kTimelineMembers) {
        GLM5_ASSIGN_OR_RETURN(const std::vector<double> column, numbers_from_json(*object, name));
        if (name == kTimelineMembers[0].first) timeline.resize(column.size());
        if (column.size() != timeline.size())
            return invalid_argument("timeline: {} of time_s, {} of {}", timeline.size(), column.size(), name);
        for (size_t i = 0; i < column.size(); ++i) timeline[i].*point_member = column[i];
    }
    return timeline;
}

Result<SweepLevel> level_from_json(const json::Value& value) {
    SweepLevel level;
    const json::Value* concurrency = value.find("concurrency");
    const auto number = concurrency ? concurrency->to_int64() : std::nullopt;
    if (!number || *number < 1 || *number > std::numeric_limits<int>::max())
        return invalid_argument("concurrency: expected a positive integer");
    level.concurrency = static_cast<int>(*number);
    GLM5_ASSIGN_OR_RETURN(const json::Value* benchmark, member(value, "benchmark", &json::Value::is_object, "object"));
    level.benchmark = benchmark->as_object();
    for (const std::string_view key : {"num_prompts", "completed", "failed"}) {
        const double count = level.figure(key);
        if (!(count >= 0 && count <= std::numeric_limits<int>::max()))
            return invalid_argument("benchmark.{}: expected a number of requests", key);
    }
    GLM5_ASSIGN_OR_RETURN(const json::Value* causes,
                          member(value, "failure_causes", &json::Value::is_object, "object"));
    for (const auto& [cause, count] : causes->as_object())
        level.failure_causes.emplace_back(cause, static_cast<int>(count.to_int64().value_or(0)));
    const json::Value* preemptions = value.find("num_preemptions");
    if (preemptions) level.num_preemptions = preemptions->to_int64();
    GLM5_ASSIGN_OR_RETURN(level.itl_percentiles_ms, numbers_from_json(value, "itl_percentiles_ms"));
    if (!level.itl_percentiles_ms.empty() && level.itl_percentiles_ms.size() != kNumPercentiles)
        return invalid_argument("itl_percentiles_ms: expected {} numbers, found {}", kNumPercentiles,
                                level.itl_percentiles_ms.size());
    GLM5_ASSIGN_OR_RETURN(level.timeline, timeline_from_json(value));
    return level;
}

}  // namespace

double SweepLevel::figure(std::string_view key) const {
    const json::Value* value = benchmark.find(key);
    const auto number = value ? value->to_double() : std::nullopt;
    return number.value_or(std::numeric_limits<double>::quiet_NaN());
}

std::string Sweep::setting(std::string_view key) const {
    const json::Value* value = settings.find(key);
    return value && value->is_string() ? value->as_string() : "";
}

const SweepLevel* Sweep::find(int concurrency) const {
    for (const SweepLevel& level : levels)
        if (level.concurrency == concurrency) return &level;
    return nullptr;
}

void Sweep::put(SweepLevel level) {
    const auto place =
        std::lower_bound(levels.begin(), levels.end(), level.concurrency,
                         [](const SweepLevel& a, int concurrency) { return a.concurrency < concurrency; });
    if (place != levels.end() && place->concurrency == level.concurrency)
        *place = std::move(level);
    else
        levels.insert(place, std::move(level));
}

std::optional<Saturation> find_saturation(const Sweep& sweep) {
    std::vector<const SweepLevel*> complete;
    double greatest = 0;
    for (const SweepLevel& level : sweep.levels) {
        if (!level.is_complete()) continue;
        complete.push_back(&level);
        greatest = std::max(greatest, level.figure("output_throughput"));
    }
    if (complete.size() < 2 || greatest <= 0) return {};
    for (const SweepLevel* level : complete) {
        const double throughput = level->figure("output_throughput");
        if (throughput >= kSaturationShare * greatest)
            return Saturation{level->concurrency, throughput, greatest, level == complete.back()};
    }
    return {};
}

json::Value to_json(const Sweep& sweep) {
    json::Object object;
    object.append("format", kFormat);
    object.append("date", sweep.date);
    object.append("server", sweep.server);
    object.append("settings", sweep.settings);
    object.append("note", sweep.note);
    json::Array levels;
    for (const SweepLevel& level : sweep.levels) levels.push_back(level_to_json(level));
    object.append("levels", std::move(levels));
    return object;
}

Result<Sweep> sweep_from_json(const json::Value& value) {
    const json::Value* format = value.find("format");
    if (!format || !format->is_string() || format->as_string() != kFormat)
        return invalid_argument("not the result of a sweep: expected \"format\": \"{}\"", kFormat);
    Sweep sweep;
    const std::pair<std::string_view, std::string Sweep::*> texts[] = {
        {"date", &Sweep::date}, {"server", &Sweep::server}, {"note", &Sweep::note}};
    for (const auto& [key, text] : texts) {
        GLM5_ASSIGN_OR_RETURN(const json::Value* found, member(value, key, &json::Value::is_string, "string"));
        sweep.*text = found->as_string();
    }
    GLM5_ASSIGN_OR_RETURN(const json::Value* settings, member(value, "settings", &json::Value::is_object, "object"));
    sweep.settings = settings->as_object();
    GLM5_ASSIGN_OR_RETURN(const json::Value* levels, member(value, "levels", &json::Value::is_array, "array"));
    for (size_t i = 0; i < levels->as_array().size(); ++i) {
        auto level = level_from_json(levels->as_array()[i]);
        if (!level.ok()) return level.status().with_context(fmt::format("levels[{}]", i));
        sweep.put(std::move(*level));
    }
    return sweep;
}

Result<std::optional<Sweep>> read_sweep(const std::string& path) {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    if (error == std::errc::no_such_file_or_directory) return std::optional<Sweep>();
    if (error) return io_error("{}: {}", path, error.message());
    if (bytes > kMaxFileBytes)
        return invalid_argument("{}: {} bytes are too many for the result of a sweep", path, bytes);
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!(text << file.rdbuf())) return io_error("{}: cannot be read", path);
    const auto value = json::parse(text.str());
    if (!value.ok()) return value.status().with_context(path);
    auto sweep = sweep_from_json(*value);
    if (!sweep.ok()) return sweep.status().with_context(path);
    return std::optional<Sweep>(std::move(*sweep));
}

Status write_file(const std::string& path, std::string_view text) {
    const std::string partial = path + ".partial";
    std::ofstream file(partial, std::ios::binary | std::ios::trunc);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    file.close();
    if (!file) return io_error("{}: cannot be written: {}", partial, std::strerror(errno));
    if (std::rename(partial.c_str(), path.c_str()) != 0) return io_error("{}: {}", path, std::strerror(errno));
    return {};
}

}  // namespace glm5::loadgen
