// What the HTTP layer alone can stream: a stub handler writes events to many clients, and the processor time of the io
// thread is set against them. Prints one line per number of streams.
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "http/server.h"

namespace glm5 {
namespace {

constexpr int kEventsInAll = 200'000;
// The size of a delta of chat.
const std::string kEvent(230, 'x');

double thread_cpu_s() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double io_thread_cpu_s(const http::ExchangePtr& exchange) {
    std::promise<double> result;
    exchange->post([&] { result.set_value(thread_cpu_s()); });
    return result.get_future().get();
}

int connect_to(uint16_t port) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    GLM5_CHECK(::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    const std::string_view request = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
    GLM5_CHECK(::send(descriptor, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
    return descriptor;
}

// Reads every stream to its end.
void read_all(std::vector<int> descriptors) {
    std::vector<pollfd> open;
    for (int descriptor : descriptors) open.push_back({descriptor, POLLIN, 0});
    std::vector<char> buffer(1 << 16);
    while (!open.empty()) {
        ::poll(open.data(), open.size(), -1);
        for (size_t i = open.size(); i-- > 0;) {
            if (open[i].revents == 0) continue;
            const ssize_t count = ::recv(open[i].fd, buffer.data(), buffer.size(), 0);
            const std::string_view bytes(buffer.data(), count > 0 ? static_cast<size_t>(count) : 0);
            if (count > 0 && !bytes.ends_with("0\r\n\r\n")) continue;  // the last chunk
            ::close(open[i].fd);
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

void bench_streams(int num_streams) {
    std::mutex mutex;
    std::vector<http::ExchangePtr> exchanges;
    std::promise<void> all_here;
    http::ServerOptions options;
    options.access_log = false;
    options.max_queued_bytes = size_t{1} << 30;  // the writer below never waits
    options.handler = [&](const http::ExchangePtr& exchange) {
        exchange->start_stream();
        std::lock_guard lock(mutex);
        exchanges.push_back(exchange);
        if (static_cast<int>(exchanges.size()) == num_streams) all_here.set_value();
    };
    options.error_body = [](int status, const std::string& message) {
        return http::Response{status, "text/plain", message, {}};
    };
    auto server = http::Server::start(std::move(options)).value();

    std::vector<int> descriptors;
    for (int i = 0; i < num_streams; ++i) descriptors.push_back(connect_to(server->port()));
    all_here.get_future().wait();
    const double cpu_before = io_thread_cpu_s(exchanges[0]);
    const auto begin = std::chrono::steady_clock::now();
    std::jthread reader(read_all, descriptors);
    const int rounds = kEventsInAll / num_streams;
    for (int round = 0; round < rounds; ++round)
        for (const auto& exchange : exchanges) exchange->write_event(kEvent);
    const http::ExchangePtr last = exchanges.back();
    for (const auto& exchange : exchanges) exchange->finish();
    reader.join();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double cpu_s = io_thread_cpu_s(last) - cpu_before;
    const double events = static_cast<double>(rounds) * num_streams;
    fmt::print("{:4} streams: {:.0f} events/s, {:.0f} per second of the io thread's processor time\n", num_streams,
               events / seconds, events / cpu_s);
    exchanges.clear();
    server->stop();
    server->wait();
}

}  // namespace
}  // namespace glm5

int main() {
    glm5::http::raise_open_file_limit();
    for (int num_streams : {1, 16, 64, 1024}) glm5::bench_streams(num_streams);
}
