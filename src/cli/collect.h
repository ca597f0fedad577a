// Values of the options, from the command line, the configuration file, the environment and the defaults: the first of
// them that has one decides.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/config_file.h"
#include "cli/dotted.h"
#include "cli/parse.h"

namespace glm5::cli {

struct Sources {
    std::map<const Option*, std::vector<std::string>> arguments;
    DottedObjects dotted;  // over the object of the argument, or of the file
    std::vector<ConfigEntry> file;
    std::string file_name;
};

// Fills line.values and line.warnings; requires line.arguments.
Status collect(const CommandInfo& command, const Sources& sources, const Environment& environment, CommandLine& line);

// "; did you mean --port?", or nothing. `name` and the suggestion begin with "--".
std::string suggestion(std::string_view name, const CommandInfo& command);

}  // namespace glm5::cli
