// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the compiler library reports: as values, never on a stream.

#ifndef HEDDLE_FRONTENDS_CPP_DIAGNOSTICS_H
#define HEDDLE_FRONTENDS_CPP_DIAGNOSTICS_H

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace heddle {

/// One message, located in a source where it has a place there.
struct Diagnostic {
  enum class Severity { Error, Warning, Remark, Note };

  Severity Kind = Severity::Error;
  /// Lower-case sentence without a full stop.
  std::string Text;
  std::string File;
  /// From one; zero when the message has no place.
  unsigned Line = 0, Column = 0;
  /// The source line and a caret below the column; empty when unknown.
  std::string Snippet;

  /// "file:line:column: error: text", then the snippet, without a newline at
  /// the end.
  std::string str() const;
};

/// Why something could not be done: an error, perhaps followed by notes and
/// further errors. Never empty.
class Failure {
public:
  explicit Failure(std::string Text) {
    All.emplace_back();
    All.back().Text = std::move(Text);
  }
  explicit Failure(std::vector<Diagnostic> Messages)
      : All(std::move(Messages)) {}

  const std::vector<Diagnostic> &diagnostics() const { return All; }
  /// Every message on lines of its own.
  std::string str() const;

private:
  std::vector<Diagnostic> All;
};

/// A value, or why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T Value) : Content(std::in_place_index<0>, std::move(Value)) {}
  Result(Failure Why) : Content(std::in_place_index<1>, std::move(Why)) {}

  explicit operator bool() const { return Content.index() == 0; }
  T &operator*() { return std::get<0>(Content); }
  const T &operator*() const { return std::get<0>(Content); }
  T *operator->() { return &std::get<0>(Content); }
  const T *operator->() const { return &std::get<0>(Content); }
  /// Why there is no value; only when there is none.
  const Failure &failure() const { return std::get<1>(Content); }

private:
  std::variant<T, Failure> Content;
};

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_DIAGNOSTICS_H
