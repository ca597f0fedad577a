// The bench client: what to send, what came back, and the figures made from it, as `vllm bench serve` defines them.
// Start here. options → dataset and arrivals → client (one thread, many streams) → records → figures → table and JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "json/value.h"
#include "text/tokenizer.h"

namespace glm5::loadgen {

enum class Api { completions, chat };
enum class DatasetKind { random, sharegpt, custom, prefix_repetition };
enum class RampUp { none, linear, exponential };
enum class Metric { ttft, tpot, itl, e2el };

struct DatasetOptions {
    DatasetKind kind = DatasetKind::random;
    std::string path;              // sharegpt: a JSON file; custom: JSON lines
    bool disable_shuffle = false;  // of sharegpt, custom, prefix_repetition
    // Random. Lengths are uniform in [len(1 - ratio), len(1 + ratio)].
    int64_t input_len = 1024, output_len = 128, prefix_len = 0;
    double input_range_ratio = 0, output_range_ratio = 0;  // [0, 1)
    // Sharegpt and custom: instead of the length that the file gives.
    std::optional<int64_t> fixed_output_len;
    // Prefix repetition.
    int64_t repeated_prefix_len = 256, suffix_len = 256, num_prefixes = 10, repeated_output_len = 128;
};

struct BenchmarkOptions {
    Api api = Api::completions;
    std::string backend = "openai";  // as the result names it
    std::string base_url = "http://127.0.0.1:8000";
    std::string endpoint;      // empty: /v1/completions, /v1/chat/completions
    std::string model;         // as it is sent
    std::string model_id;      // as the result names it; empty: model
    std::string tokenizer_id;  // as the result names it
    std::string api_key;       // empty: none is sent
    std::vector<std::pair<std::string, std::string>> headers;

    DatasetOptions dataset;
    int num_prompts = 1000;
    uint32_t seed = 0;
    int num_warmups = 0;               // requests of the first prompt, before the clock starts
    double ready_check_timeout_s = 0;  // > 0: waits so long for a first answer

    std::optional<double> request_rate;  // requests/s; none: all at once
    double burstiness = 1;               // shape of the gamma distribution of intervals; infinity: constant ones
    std::optional<int> max_concurrency;
    RampUp ramp_up = RampUp::none;  // else request_rate is none
    int ramp_up_start_rps = 0, ramp_up_end_rps = 0;

    bool ignore_eos = false;  // random data: always
    std::optional<int> logprobs;
    json::Object sampling;          // temperature, top_p …: members of the body
    json::Object extra_body;        // the same, last
    std::string request_id_prefix;  // empty: bench-XXXXXXXX-
    bool profile = false;           // POST /start_profile and /stop_profile around the measurement

    std::vector<Metric> percentile_metrics = {Metric::ttft, Metric::tpot, Metric::itl};
    std::vector<double> percentiles = {99};
    std::vector<std::pair<Metric, double>> goodput_ms;  // limits; empty: no goodput
    std::string label;
    std::vector<std::pair<std::string, std::string>> metadata;
};

// One request. Times are in seconds of one monotonic clock.
struct RequestRecord {
    enum class Outcome {
        unsent,       // the run was interrupted before
        interrupted,  // the same, while it ran
        failed,       // `error` says why
        succeeded
    };
    Outcome outcome = Outcome::unsent;
    double start_s = 0;          // since the benchmark's begin; after the wait for a place among max_concurrency
    double queue_s = 0;          // that wait
    double ttft_s = 0;           // start → first message with choices
    double latency_s = 0;        // start → last message with choices
    std::vector<double> itls_s;  // gaps between such messages
    int64_t input_tokens = 0;    // usage.prompt_tokens, else of the dataset
    int64_t output_tokens = 0;   // usage.completion_tokens, else of the text
    int http_status = 0;         // 0: no answer
    std::string text;
    std::string cause;  // a failure's kind, the same for alike ones: "HTTP 429", "connection refused"
    std::string error;  // one line
};

// In milliseconds; all zero when there is no sample.
struct Distribution {
    size_t count = 0;
    double mean = 0, median = 0, std = 0;
    std::vector<std::pair<double, double>> percentiles;  // (99, value): those of the options, linear interpolation
};

// Of the server's counters, after minus before.
struct SpeculationFigures {
    int64_t num_drafts = 0, draft_tokens = 0, accepted_tokens = 0;
    std::vector<double> per_position_acceptance;  // shares

    double acceptance_rate() const;    // accepted / draft tokens, in percent
    double acceptance_length() const;  // 1 + accepted / drafts
};

struct BenchmarkResult {
    BenchmarkOptions options;
    std::string date;                    // YYYYmmdd-HHMMSS
    bool interrupted = false;            // by a person: the figures are of what had ended until then
    double duration_s = 0;               // first dispatch → last answer
    std::vector<RequestRecord> records;  // one per request; prefix repetition may make fewer than num_prompts
    std::vector<std::pair<std::string, int>> failure_causes;  // most frequent first
    std::vector<std::pair<int, std::string>> rps_changes;     // ramp-up: (requests/s, ISO time)

    // Of the requests that succeeded.
    int completed = 0, failed = 0, unfinished = 0;
    int64_t total_input_tokens = 0, total_output_tokens = 0;
    double request_throughput = 0, output_throughput = 0, total_token_throughput = 0;  // per second
    std::optional<double> request_goodput;
    double max_output_tokens_per_s = 0;  // messages in the fullest second
    int max_concurrent_requests = 0;     // in the fullest second
    Distribution ttft, tpot, itl, e2el, queue;
    std::optional<SpeculationFigures> speculation;  // none: the server has no such counters, or drafted nothing

    const Distribution& distribution(Metric metric) const;
};

struct Progress {
    int finished = 0, failed = 0, running = 0, total = 0;
    double elapsed_s = 0;
    int64_t messages = 0;
};

struct Hooks {
    std::function<void(const Progress&)> on_progress;  // some times a second, and at the end
    std::function<bool()> interrupted;                 // asked some times a second
};

// Runs one benchmark on the calling thread. `tokenizer` may be nullptr where the dataset needs none (custom with
// lengths); it gives lengths and random prompts. Failed requests are records, not errors. Errors: options that do not
// fit, a dataset that cannot be read, no answer within ready_check_timeout_s.
Result<BenchmarkResult> run_benchmark(const BenchmarkOptions& options, const text::Tokenizer* tokenizer,
                                      const Hooks& hooks = {});

// The id of the server's first model (GET /v1/models).
Result<std::string> first_model(const BenchmarkOptions& options);

// The body of GET `path` or, with `post`, of POST `path` without a body; error: no answer with status 2xx.
Result<std::string> fetch(const BenchmarkOptions& options, std::string_view path, bool post = false);

// The keys and units of `vllm bench serve --save-result`; `detailed` adds the lists of --save-detailed.
json::Value to_json(const BenchmarkResult& result, bool detailed);
// {label or backend}-{rate}qps[-concurrency{N}]-{model basename}-{date}.json
std::string result_file_name(const BenchmarkResult& result);
// The table that `vllm bench serve` prints, and what it does not have behind it.
std::string to_table(const BenchmarkResult& result);

std::string_view metric_name(Metric metric);  // "ttft"

}  // namespace glm5::loadgen
