// What the server spends on a request beside the model: HTTP, JSON, the template and the tokenizer on the way in; the
// detokenizer, JSON and SSE on the way out. An engine that answers at once takes the model's place; one client sends
// one request after another on one connection. Prints the processor time of the server's threads, least and median of
// rounds.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <fstream>
#include <sstream>
#include <thread>

#include "api/service.h"
#include "http/server.h"
#include "json/parse.h"
#include "json/write.h"

namespace glm5 {
namespace {

constexpr int kRounds = 9;
constexpr int kStreamTokens = 256;

double cpu_us(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

// Answers every request with max_tokens tokens, one event each, from a thread of its own.
class InstantEngine {
public:
    api::EngineHandle handle() {
        return {[this](Request request, EventSink sink) -> Result<RequestId> {
                    const std::lock_guard lock(mutex_);
                    queue_.emplace_back(request.sampling.max_tokens, std::move(sink));
                    wake_.notify_one();
                    return next_id_++;
                },
                [](RequestId) {}, [](RequestId, int) {}, [] { return EngineStats(); }};
    }
    double cpu_time_us() const { return cpu_us_; }

private:
    void run(const std::stop_token& stop) {
        for (;;) {
            std::unique_lock lock(mutex_);
            if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
            auto [num_tokens, sink] = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            for (int i = 1; i <= num_tokens; ++i)
                sink(Event{.tokens = {300 + i % 512},
                           .finish_reason = i == num_tokens ? FinishReason::length : FinishReason::none});
            cpu_us_ = cpu_us(CLOCK_THREAD_CPUTIME_ID);
        }
    }

    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<std::pair<int, EventSink>> queue_;
    RequestId next_id_ = 0;
    std::atomic<double> cpu_us_ = 0;
    std::jthread thread_{[this](const std::stop_token& stop) { run(stop); }};
};

// One connection that is kept.
class Client {
public:
    explicit Client(uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        GLM5_CHECK(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    ~Client() { ::close(descriptor_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Until the answer ends with `end`.
    void exchange(const std::string& request, std::string_view end) {
        for (size_t sent = 0; sent < request.size();) {
            const ssize_t count = ::send(descriptor_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
            GLM5_CHECK(count > 0);
            sent += static_cast<size_t>(count);
        }
        answer_.clear();
        char buffer[1 << 16];
        while (!answer_.ends_with(end)) {
            const ssize_t count = ::recv(descriptor_, buffer, sizeof buffer, 0);
            GLM5_CHECK(count > 0, "{}", answer_);
            answer_.append(buffer, static_cast<size_t>(count));
        }
        GLM5_CHECK(answer_.starts_with("HTTP/1.1 200"), "{}", answer_);
    }

private:
    const int descriptor_;
    std::string answer_;
};

std::string read_source_file(const std::string& path) {
    std::ifstream stream(std::string(GLM5_SOURCE_DIR) + "/" + path, std::ios::binary);
    std::ostringstream content;
    content << stream.rdbuf();
    GLM5_CHECK(!content.str().empty(), "{}", path);
    return content.str();
}

// The prompts of the golden values, again and again.
std::string prose(const text::Tokenizer& tokenizer, size_t num_bytes) {
    const json::Value golden = json::parse(read_source_file("tests/fixtures/nano/nano-fp8.json")).value();
    std::string text;
    while (text.size() < num_bytes) {
        for (const json::Value& row : golden.as_array()) {
            std::vector<int32_t> ids;
            for (const json::Value& id : row.find("prompt_ids")->as_array())
                ids.push_back(static_cast<int32_t>(*id.to_int64()));
            text += tokenizer.decode(ids, true);
        }
    }
    return text.substr(0, num_bytes);
}

std::string chat_request(const std::string& content, int max_tokens, bool stream) {
    const std::string body = json::write(json::Value::object(
        {{"messages", json::Value::array({json::Value::object({{"role", "user"}, {"content", content}})})},
         {"max_tokens", max_tokens},
         {"stream", stream}}));
    return fmt::format(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: "
        "{}\r\n\r\n{}",
        body.size(), body);
}

struct Bench {
    InstantEngine& engine;
    Client& client;

    // Processor time of the server for each of `count` requests: {least, median} of rounds.
    std::pair<double, double> server_us(const std::string& request, std::string_view end, int count) {
        std::vector<double> rounds;
        for (int round = 0; round < kRounds; ++round) {
            const auto others_us = [&] { return cpu_us(CLOCK_THREAD_CPUTIME_ID) + engine.cpu_time_us(); };
            const double begin = cpu_us(CLOCK_PROCESS_CPUTIME_ID) - others_us();
            for (int i = 0; i < count; ++i) client.exchange(request, end);
            rounds.push_back((cpu_us(CLOCK_PROCESS_CPUTIME_ID) - others_us() - begin) / count);
        }
        std::sort(rounds.begin(), rounds.end());
        return {rounds.front(), rounds[kRounds / 2]};
    }
};

int run() {
    const std::string directory = GLM5_SOURCE_DIR "/models/glm5-nano";
    InstantEngine engine;
    api::Service service({.model_names = {"nano"}});
    service.set_model({text::Tokenizer::load(directory + "/tokenizer.json").value(),
                       chat::ChatFormat::load(directory).value(),
                       {.directory = directory, .max_model_len = 1'000'000, .num_vocab_tokens = 4132},
                       engine.handle()});
    auto server =
        http::Server::start({.handler = service.handler(), .error_body = api::http_error, .access_log = false});
    GLM5_CHECK(server.ok(), "{}", server.status().message());
    const auto tokenizer = text::Tokenizer::load(directory + "/tokenizer.json").value();
    {
        Client client((*server)->port());
        Bench bench{engine, client};
        for (const size_t num_bytes : {64, 2048, 16 << 10, 256 << 10}) {
            const std::string text = prose(tokenizer, num_bytes);
            const auto [least, median] = bench.server_us(chat_request(text, 1, false), "}",
                                                         std::max<int>(20, 2'000'000 / int(num_bytes + 2000)));
            fmt::print("chat request of {:6} bytes, {:5} tokens: {:.0f} / {:.0f} us of processor time\n", num_bytes,
                       tokenizer.encode(text).size(), least, median);
        }
        constexpr std::string_view kEnd = "\r\n0\r\n\r\n";
        const auto one = bench.server_us(chat_request("hi", 1, true), kEnd, 200);
        const auto many = bench.server_us(chat_request("hi", kStreamTokens, true), kEnd, 50);
        fmt::print("token of a chat stream: {:.2f} / {:.2f} us of processor time\n",
                   (many.first - one.first) / (kStreamTokens - 1), (many.second - one.second) / (kStreamTokens - 1));
    }
    (*server)->stop();
    (*server)->wait();
    return 0;
}

}  // namespace
}  // namespace glm5

int main() {
    return glm5::run();
}
