// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_NPY_ERRORTEXT_H
#define HEDDLE_RUNTIME_NPY_ERRORTEXT_H

#include <optional>
#include <string>

namespace heddle {

/// What went wrong, or nothing: the result of a function that can fail. True
/// means failure. The text is a lower-case sentence without a full stop.
using ErrorText = std::optional<std::string>;

} // namespace heddle

#endif // HEDDLE_RUNTIME_NPY_ERRORTEXT_H
