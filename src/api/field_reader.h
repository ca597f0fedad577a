// FieldReader: typed access to the fields of a request. Keeps the first error, and knows which fields nobody asked for.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/error.h"
#include "json/value.h"

namespace glm5::api {

enum class Bound { inclusive, above_minimum };

// null equals absence. Integers may be written as 5.0. After an error every getter answers none.
class FieldReader {
public:
    explicit FieldReader(const json::Object& object) : object_(&object) {}

    std::optional<bool> boolean(std::string_view name);
    std::optional<int64_t> integer(std::string_view name, int64_t minimum = std::numeric_limits<int64_t>::min(),
                                   int64_t maximum = std::numeric_limits<int64_t>::max());
    std::optional<double> number(std::string_view name, double minimum, double maximum, Bound bound = Bound::inclusive);
    std::optional<std::string> text(std::string_view name);
    const json::Array* array(std::string_view name);    // nullptr: absent
    const json::Object* object(std::string_view name);  // nullptr: absent
    const json::Value* any(std::string_view name);      // nullptr: absent

    // Sets the error if there is none yet.
    void fail(ApiError error);
    // The value of `name` has the wrong type.
    void fail_type(std::string_view name, std::string_view expected, const json::Value& found);
    const std::optional<ApiError>& error() const { return error_; }

    // Names of the object that no getter has asked for.
    std::vector<std::string> unknown() const;

private:
    const json::Object* object_;
    std::set<std::string, std::less<>> asked_;
    std::optional<ApiError> error_;
};

}  // namespace glm5::api
