// What Linux says about this process, under the names that Prometheus clients use; and the build.
#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "api/metrics_http.h"

namespace glm5::api {
namespace {

// A field of /proc/self/statm, in bytes.
double memory_bytes(int field) {
    std::ifstream file("/proc/self/statm");
    double pages = 0;
    for (int i = 0; i <= field; ++i) file >> pages;
    return file ? pages * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

double processor_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double open_files() {
    DIR* const directory = opendir("/proc/self/fd");
    if (!directory) return 0;
    int count = -3;  // ".", "..", and the directory itself
    while (readdir(directory)) ++count;
    closedir(directory);
    return count;
}

double max_open_files() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<double>(limit.rlim_cur);
}

// Seconds since 1970: the boot of the machine plus field 22 of /proc/self/stat.
double start_time() {
    double boot = 0;
    std::ifstream machine("/proc/stat");
    for (std::string word; machine >> word;)
        if (word == "btime") machine >> boot;
    std::ifstream file("/proc/self/stat");
    std::string line;
    std::getline(file, line);
    std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));  // the name may hold anything
    std::string field;
    for (int i = 3; i <= 22; ++i) fields >> field;
    return boot + std::strtod(field.c_str(), nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

constexpr const char* architecture() {
#if defined(__x86_64__)
    return "x86_64";
#elif defined(__aarch64__)
    return "aarch64";
#else
    return "unknown";
#endif
}

}  // namespace

void add_process_metrics(metrics::Registry& registry) {
    registry.gauge_callback("process_resident_memory_bytes", "Resident memory.", {}, [] { return memory_bytes(1); });
    registry.gauge_callback("process_virtual_memory_bytes", "Virtual memory.", {}, [] { return memory_bytes(0); });
    registry.counter_callback("process_cpu_seconds_total", "Processor time, of user and system.", {},
                              processor_seconds);
    registry.gauge_callback("process_open_fds", "Open file descriptors.", {}, open_files);
    registry.gauge_callback("process_max_fds", "The limit of open file descriptors.", {}, max_open_files);
    registry.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.").set(start_time());
}

void add_build_info(metrics::Registry& registry) {
    registry.gauge("glm5:build_info", "The build, as labels.", {{"version", GLM5_VERSION}, {"arch", architecture()}})
        .set(1);
}

}  // namespace glm5::api
