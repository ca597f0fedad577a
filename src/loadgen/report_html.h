// A sweep as one HTML page that needs nothing else: plots as inline SVG, no scripts, light and dark.
#pragma once

#include <string>

#include "loadgen/sweep_reference.h"
#include "loadgen/sweep_result.h"

namespace glm5::loadgen {

// `reference` may be nullptr: then nothing published is on the page.
std::string to_html(const Sweep& sweep, const ReferenceTable* reference);

}  // namespace glm5::loadgen
