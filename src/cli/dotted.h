// Dotted JSON: --option.key.key VALUE sets one member of an option whose value is a JSON object.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/option.h"
#include "json/value.h"

namespace glm5::cli {

using DottedObjects = std::map<const Option*, json::Object>;

// Takes dotted arguments out of `arguments` (names as in the option table) and collects them by option, the command's own
// where several have the name. VALUE is JSON, or else a string; a last key with "+" appends to a list, a bare VALUE's
// commas separating items: --option.list+ a,b. Errors name the argument.
Status take_dotted(std::vector<std::string>& arguments, const CommandInfo& command, DottedObjects& objects);

// Sets the members of `from` in `into`; objects that both have are merged.
void merge(json::Object& into, json::Object from);

}  // namespace glm5::cli
