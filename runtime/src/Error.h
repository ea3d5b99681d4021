// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_ERROR_H
#define HEDDLE_RUNTIME_SRC_ERROR_H

#include "heddle/heddle.h"

#include <fmt/format.h>

#include <new>
#include <stdexcept>
#include <string>
#include <utility>

struct heddle_error {
  heddle_code_kind Kind;
  std::string Message;
};

namespace heddle::runtime {

/// An error object with a formatted message.
template <typename... Args>
[[nodiscard]] heddle_error *makeError(heddle_code_kind Kind,
                                      fmt::format_string<Args...> Format,
                                      Args &&...Values) {
  return new heddle_error{Kind,
                          fmt::format(Format, std::forward<Args>(Values)...)};
}

/// The error that needs no memory: it is always at hand.
heddle_error *outOfMemory();

/// Runs the body of a C entry point: no C++ exception leaves it.
template <typename Body> heddle_error *guarded(Body Fn) noexcept {
  try {
    try {
      return Fn();
    } catch (const std::bad_alloc &) {
      return outOfMemory();
    } catch (const std::length_error &) {
      return outOfMemory();
    } catch (const std::exception &E) {
      return makeError(HEDDLE_OUT_OF_MEMORY, "the system refused: {}",
                       E.what());
    }
  } catch (...) {
    return outOfMemory();
  }
}

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_ERROR_H
