// ConfigFile: the options of a YAML file (--config): a map of option names to scalars, lists and maps.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace glm5::cli {

struct ConfigEntry {
    std::string key;  // as it is written
    int line = 0;
    bool is_list = false;
    std::vector<std::string> values;  // of a scalar: one; of a list: its items; of a map: one, as JSON
};

// The entries in the order of the file; keys without a value are left out. The file is hostile: its size, depth and
// number of values are bounded, aliases are refused. Errors: "NAME:LINE: …", or "NAME: …".
Result<std::vector<ConfigEntry>> parse_config_file(std::string_view text, const std::string& name);
// The same, read from the disk.
Result<std::vector<ConfigEntry>> read_config_file(const std::string& path);

}  // namespace glm5::cli
