// EventStream: bytes of a text/event-stream → the data of each event. Comments and other fields are dropped.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace glm5::loadgen {

class EventStream {
public:
    static constexpr size_t kMaxEventBytes = 16 << 20;

    // Calls on_data(std::string_view) → Status for each event that `bytes` completes; the lines of one are joined with
    // newlines. Lines end with \n or \r\n. Errors: an event that is too long, on_data's.
    template <typename OnData>
    Status feed(std::string_view bytes, OnData&& on_data) {
        while (!bytes.empty()) {
            const size_t newline = bytes.find('\n');
            if (newline == std::string_view::npos) {
                line_.append(bytes);
                break;
            }
            std::string_view line = bytes.substr(0, newline);
            bytes.remove_prefix(newline + 1);
            if (line_.empty()) {
                GLM5_RETURN_IF_ERROR(take_line(line, on_data));
            } else {
                const std::string whole = std::exchange(line_, {}).append(line);
                GLM5_RETURN_IF_ERROR(take_line(whole, on_data));
            }
        }
        if (line_.size() + data_.size() > kMaxEventBytes)
            return io_error("an event of the stream is longer than {} bytes", kMaxEventBytes);
        return {};
    }

private:
    template <typename OnData>
    Status take_line(std::string_view line, OnData&& on_data) {
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) {
            if (!has_data_) return {};
            has_data_ = false;
            const Status status = on_data(std::string_view(data_));
            data_.clear();
            return status;
        }
        if (!line.starts_with("data:")) return {};
        line.remove_prefix(line.starts_with("data: ") ? 6 : 5);
        if (has_data_) data_ += '\n';
        data_ += line;
        has_data_ = true;
        return {};
    }

    std::string line_;  // begun
    std::string data_;  // of the event so far
    bool has_data_ = false;
};

}  // namespace glm5::loadgen
