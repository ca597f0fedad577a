// The parser: Boost.JSON's push parser feeds a builder of json::Value. The only user of Boost.JSON.
#include "json/parse.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <limits>

#include "json/write.h"

namespace glm5::json {
namespace {

using Error = boost::json::error_code;
using Text = boost::json::string_view;
using Members = std::vector<Object::Member>;

// Members whose keys repeat: the last value at the first one's place, as in a Python dict.
void keep_last_of_each(Members& members, const std::vector<size_t>& order) {
    std::vector<bool> dropped(members.size(), false);
    for (size_t i = 0; i < order.size();) {
        size_t next = i + 1;
        while (next < order.size() && members[order[next]].first == members[order[i]].first)
            dropped[order[next++]] = true;
        if (next - i > 1) members[order[i]].second = std::move(members[order[next - 1]].second);
        i = next;
    }
    size_t kept = 0;
    for (size_t i = 0; i < members.size(); ++i) {
        if (dropped[i]) continue;
        if (kept != i) members[kept] = std::move(members[i]);
        ++kept;
    }
    members.resize(kept);
}

// Builds the value from the parser's events. Open arrays and objects wait on a stack of `Frame`s.
class Builder {
public:
    static constexpr size_t max_object_size = std::numeric_limits<size_t>::max();
    static constexpr size_t max_array_size = max_object_size;
    static constexpr size_t max_key_size = max_object_size;
    static constexpr size_t max_string_size = max_object_size;

    explicit Builder(const ParseOptions& options) : options_(options) {}

    Value take() { return std::move(root_); }
    // Why it stopped the parser; empty when it did not.
    const std::string& refusal() const { return refusal_; }

    bool on_document_begin(Error&) { return true; }
    bool on_document_end(Error&) { return true; }
    bool on_array_begin(Error&) { return open(); }
    bool on_object_begin(Error&) { return open(); }
    bool on_array_end(size_t, Error& error) {
        Array array = std::move(frames_.back().items);
        frames_.pop_back();
        return add(Value(std::move(array)), error);
    }
    bool on_object_end(size_t, Error& error) {
        Members members = std::move(frames_.back().members);
        frames_.pop_back();
        return unify_keys(members, error) && add(Value(Object(std::move(members))), error);
    }
    bool on_string_part(Text text, size_t, Error&) { return append(text); }
    bool on_string(Text text, size_t, Error& error) {
        append(text);
        return add(Value(std::exchange(pending_, {})), error);
    }
    bool on_key_part(Text text, size_t, Error&) { return append(text); }
    bool on_key(Text text, size_t, Error&) {
        append(text);
        frames_.back().key = std::exchange(pending_, {});
        return true;
    }
    bool on_number_part(Text text, Error&) { return append(text); }
    bool on_int64(int64_t, Text text, Error& error) { return add_number(text, error); }
    bool on_uint64(uint64_t, Text text, Error& error) { return add_number(text, error); }
    bool on_double(double, Text text, Error& error) { return add_number(text, error); }
    bool on_bool(bool value, Error& error) { return add(Value(value), error); }
    bool on_null(Error& error) { return add(Value(), error); }
    bool on_comment_part(Text, Error&) { return true; }
    bool on_comment(Text, Error&) { return true; }

private:
    struct Frame {
        Array items;                     // of an open array
        Members members;                 // of an open object
        std::optional<std::string> key;  // read, its value not yet
    };

    bool open() {
        frames_.emplace_back();
        return true;
    }

    bool append(Text text) {
        pending_.append(text.data(), text.size());
        return true;
    }

    bool refuse(std::string why, Error& error) {
        refusal_ = std::move(why);
        error = boost::json::error::syntax;
        return false;
    }

    bool add_number(Text text, Error& error) {
        append(text);
        return add(Value(Number{std::exchange(pending_, {})}), error);
    }

    bool add(Value value, Error& error) {
        if (++num_values_ > options_.max_values)
            return refuse(fmt::format("more than {} values", options_.max_values), error);
        if (frames_.empty()) {
            root_ = std::move(value);
        } else if (Frame& frame = frames_.back(); frame.key) {
            frame.members.emplace_back(*std::exchange(frame.key, {}), std::move(value));
        } else {
            frame.items.push_back(std::move(value));
        }
        return true;
    }

    // False when a key repeats and must not. Sorting keeps this n log n for any input.
    bool unify_keys(Members& members, Error& error) {
        std::vector<size_t> order(members.size());
        for (size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return members[a].first < members[b].first; });
        const auto repeated = std::adjacent_find(
            order.begin(), order.end(), [&](size_t a, size_t b) { return members[a].first == members[b].first; });
        if (repeated == order.end()) return true;
        if (options_.reject_duplicate_keys) {
            std::string why = "the object that ends here has the key ";
            write_string(why, members[*repeated].first);
            return refuse(why + " twice", error);
        }
        keep_last_of_each(members, order);
        return true;
    }

    const ParseOptions options_;
    std::string refusal_;
    size_t num_values_ = 0;
    std::string pending_;  // the string, key or number whose parts are coming in
    std::vector<Frame> frames_;
    Value root_;
};

std::string describe(const Error& error, const Builder& builder, int max_depth) {
    namespace json = boost::json;
    if (!builder.refusal().empty()) return builder.refusal();
    if (error == json::error::incomplete) return "the text ends inside a value";
    if (error == json::error::extra_data) return "text follows the value";
    if (error == json::error::too_deep)
        return fmt::format("more than {} arrays and objects inside one another", max_depth);
    return error.message();
}

// Lines and columns count from 1; a column is a character.
Status error_at(std::string_view text, size_t offset, const std::string& message) {
    size_t line = 1, column = 1;
    for (char c : text.substr(0, offset)) {
        if (c == '\n') {
            ++line;
            column = 1;
        } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
            ++column;
        }
    }
    return invalid_argument("line {}, column {}: {}", line, column, message);
}

}  // namespace

Result<Value> parse(std::string_view text, const ParseOptions& options) {
    boost::json::parse_options boost_options;
    boost_options.max_depth = static_cast<size_t>(options.max_depth);
    boost::json::basic_parser<Builder> parser(boost_options, options);
    Error error;
    size_t used = parser.write_some(false, text.data(), text.size(), error);
    if (!error && used < text.size()) error = boost::json::error::extra_data;
    if (error) return error_at(text, used, describe(error, parser.handler(), options.max_depth));
    return parser.handler().take();
}

}  // namespace glm5::json
