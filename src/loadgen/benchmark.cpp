// One benchmark from its options to its result.
#include "loadgen/benchmark.h"

#include <fmt/chrono.h>

#include <cmath>
#include <ctime>
#include <random>

#include "base/log.h"
#include "json/parse.h"
#include "loadgen/arrivals.h"
#include "loadgen/client.h"
#include "loadgen/dataset.h"
#include "loadgen/figures.h"
#include "loadgen/request_text.h"

namespace glm5::loadgen {
namespace {

using Clock = std::chrono::steady_clock;
using Outcome = RequestRecord::Outcome;

constexpr std::chrono::seconds kExchangeLimit{30}, kMetricsLimit{10};
constexpr std::chrono::milliseconds kReadyRetry{500};

Status check(const BenchmarkOptions& options) {
    GLM5_RETURN_IF_ERROR(check_headers(options));
    if (options.num_prompts < 1) return invalid_argument("--num-prompts {}: must be at least 1", options.num_prompts);
    if (options.model.empty()) return invalid_argument("--model: must not be empty");
    if (options.request_rate && !(*options.request_rate > 0 && std::isfinite(*options.request_rate)))
        return invalid_argument("--request-rate {}: must be above 0", *options.request_rate);
    if (!(options.burstiness > 0)) return invalid_argument("--burstiness {}: must be above 0", options.burstiness);
    if (options.max_concurrency && *options.max_concurrency < 1)
        return invalid_argument("--max-concurrency {}: must be at least 1", *options.max_concurrency);
    if (options.ramp_up == RampUp::none) return {};
    if (options.request_rate) return invalid_argument("--request-rate does not go with --ramp-up-strategy");
    if (options.ramp_up_start_rps < 1 || options.ramp_up_end_rps < options.ramp_up_start_rps)
        return invalid_argument(
            "--ramp-up-strategy: --ramp-up-start-rps must be above 0, --ramp-up-end-rps not below it");
    return {};
}

std::string random_prefix() {
    return fmt::format("bench-{:08x}-", std::random_device()());
}

// Local time.
std::string time_text(const char* format) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    return fmt::format(fmt::runtime(format), local);
}

// One benchmark's parts while it runs.
class Run {
public:
    Run(const BenchmarkOptions& options, const text::Tokenizer* tokenizer, const Hooks& hooks)
        : tokenizer_(tokenizer), hooks_(hooks), random_(options.seed) {
        result_.options = options;
        if (result_.options.request_id_prefix.empty()) result_.options.request_id_prefix = random_prefix();
        if (options.dataset.kind == DatasetKind::random) result_.options.ignore_eos = true;
    }

    Result<BenchmarkResult> run() {
        GLM5_RETURN_IF_ERROR(prepare());
        GLM5_RETURN_IF_ERROR(wait_until_ready());
        if (interrupted()) return finished({});
        GLM5_RETURN_IF_ERROR(warm_up());
        if (interrupted()) return finished({});
        profile("/start_profile");
        const auto before = speculation();
        GLM5_ASSIGN_OR_RETURN(LoadOutcome outcome, run_load(main_load(), hooks_));
        if (!outcome.interrupted) result_.speculation = speculation_between(before, speculation());
        profile("/stop_profile");
        return finished(std::move(outcome));
    }

private:
    const BenchmarkOptions& options() const { return result_.options; }
    bool interrupted() const { return hooks_.interrupted && hooks_.interrupted(); }

    Status prepare() {
        GLM5_RETURN_IF_ERROR(check(options()));
        GLM5_ASSIGN_OR_RETURN(url_, parse_url(options().base_url));
        GLM5_ASSIGN_OR_RETURN(samples_, make_dataset(options(), tokenizer_, random_));
        arrivals_ = make_arrivals(options(), static_cast<int>(samples_.size()), random_);
        return {};
    }

    std::string request(size_t sample, const std::string& id) const {
        return http_request(options(), url_, "POST", endpoint_path(options()), id,
                            request_body(options(), samples_[sample]));
    }

    // `count` requests of the first prompt.
    Load first_prompt(int count, std::string_view name) const {
        return {.url = url_,
                .num_requests = count,
                .max_concurrency = options().max_concurrency,
                .times_s = std::vector<double>(static_cast<size_t>(count)),
                .request = [this, name](int i) {
                    return request(0, fmt::format("{}{}-{}", options().request_id_prefix, name, i));
                }};
    }

    Status wait_until_ready() const {
        if (options().ready_check_timeout_s <= 0) return {};
        const auto deadline = Clock::now() + std::chrono::duration<double>(options().ready_check_timeout_s);
        const Hooks hooks{.interrupted = [&] { return interrupted() || Clock::now() > deadline; }};
        std::string error = "no answer";
        while (!hooks.interrupted()) {
            const auto outcome = run_load(first_prompt(1, "ready"), hooks);
            if (!outcome.ok()) return outcome.status();
            const RequestRecord& record = outcome->records[0];
            if (record.outcome == Outcome::succeeded) return {};
            if (!record.error.empty()) error = record.error;
            timespec pause{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(kReadyRetry).count()};
            nanosleep(&pause, nullptr);
        }
        if (interrupted()) return {};
        return io_error("{}: not ready after {:g} s: {}", url_.authority(), options().ready_check_timeout_s, error);
    }

    Status warm_up() const {
        if (options().num_warmups == 0) return {};
        const Hooks hooks{.interrupted = hooks_.interrupted};
        GLM5_ASSIGN_OR_RETURN(const LoadOutcome outcome,
                              run_load(first_prompt(options().num_warmups, "warmup"), hooks));
        for (const RequestRecord& record : outcome.records) {
            if (record.outcome != Outcome::failed) continue;
            log_warning("a warm-up request failed: {}", record.error);
            break;
        }
        return {};
    }

    Load main_load() {
        return {.url = url_,
                .num_requests = static_cast<int>(samples_.size()),
                .max_concurrency = options().max_concurrency,
                .times_s = arrivals_.times_s,
                .request =
                    [this](int i) {
                        return request(static_cast<size_t>(i), fmt::format("{}{}", options().request_id_prefix, i));
                    },
                .on_arrival = [this](int i) { note_rate(arrivals_.rates[static_cast<size_t>(i)]); }};
    }

    // Whole numbers of requests/s that a ramp-up reaches, with the time.
    void note_rate(double rate) {
        if (options().ramp_up == RampUp::none) return;
        auto& changes = result_.rps_changes;
        int next = changes.empty() ? options().ramp_up_start_rps : changes.back().first + 1;
        for (; next <= static_cast<int>(rate); ++next) changes.emplace_back(next, time_text("{:%Y-%m-%dT%H:%M:%S}"));
    }

    void profile(std::string_view path) const {
        if (!options().profile) return;
        const auto answer = fetch(options(), path, true);
        if (!answer.ok()) log_warning("--profile: {}", answer.status().message());
    }

    std::optional<SpeculationCounters> speculation() const {
        const auto answer = exchange(url_, http_request(options(), url_, "GET", "/metrics", "", ""), kMetricsLimit);
        if (!answer.ok() || answer->status != 200) return std::nullopt;
        return read_speculation(answer->body);
    }

    Result<BenchmarkResult> finished(LoadOutcome outcome) {
        outcome.records.resize(samples_.size());
        for (size_t i = 0; i < samples_.size(); ++i) {
            RequestRecord& record = outcome.records[i];
            if (record.input_tokens == 0) record.input_tokens = samples_[i].prompt_tokens;
            if (record.outcome == Outcome::succeeded && record.output_tokens == 0)
                record.output_tokens =
                    tokenizer_ ? static_cast<int64_t>(tokenizer_->encode(record.text).size()) : int64_t{1};
        }
        result_.date = time_text("{:%Y%m%d-%H%M%S}");
        result_.interrupted = outcome.interrupted || interrupted();
        result_.duration_s = outcome.duration_s;
        result_.records = std::move(outcome.records);
        fill_figures(result_);
        return std::move(result_);
    }

    const text::Tokenizer* tokenizer_;
    const Hooks& hooks_;
    NumpyLegacyRandom random_;
    BenchmarkResult result_;
    Url url_;
    std::vector<Sample> samples_;
    Arrivals arrivals_;
};

}  // namespace

Result<BenchmarkResult> run_benchmark(const BenchmarkOptions& options, const text::Tokenizer* tokenizer,
                                      const Hooks& hooks) {
    return Run(options, tokenizer, hooks).run();
}

Result<std::string> fetch(const BenchmarkOptions& options, std::string_view path, bool post) {
    GLM5_RETURN_IF_ERROR(check_headers(options));
    GLM5_ASSIGN_OR_RETURN(const Url url, parse_url(options.base_url));
    GLM5_ASSIGN_OR_RETURN(
        Answer answer, exchange(url, http_request(options, url, post ? "POST" : "GET", path, "", ""), kExchangeLimit));
    if (answer.status / 100 != 2) return io_error("{}: {} is answered {}", url.authority(), path, answer.status);
    return std::move(answer.body);
}

Result<std::string> first_model(const BenchmarkOptions& options) {
    GLM5_ASSIGN_OR_RETURN(const std::string body, fetch(options, "/v1/models"));
    const auto models = json::parse(body);
    const json::Value* data = models.ok() ? models->find("data") : nullptr;
    const json::Value* id =
        data && data->is_array() && !data->as_array().empty() ? data->as_array()[0].find("id") : nullptr;
    if (!id || !id->is_string()) return io_error("{}: /v1/models names no model; give --model", options.base_url);
    return id->as_string();
}

}  // namespace glm5::loadgen
