// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_SETTINGS_H
#define HEDDLE_FRONTENDS_COMMON_SETTINGS_H

#include "runtime/npy/ErrorText.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace heddle::frontend {

/// A pattern parameter as a front end sees it.
struct Parameter {
  std::string Name;
  std::optional<int64_t> Default;
};

/// Matches the "name=value" items of --set with the parameters of `Pattern`:
/// one value per parameter, in their order. Fails on an unknown or repeated
/// name, a value that is no integer in [-2^31, 2^31], and on a parameter
/// without value and default.
ErrorText bindParameters(const std::string &Pattern,
                         const std::vector<Parameter> &Parameters,
                         const std::vector<std::string> &Settings,
                         std::vector<int64_t> &Values);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_SETTINGS_H
