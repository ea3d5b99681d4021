// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every emitter needs around LLVM.

#ifndef HEDDLE_CODEGEN_EMITTOOLS_H
#define HEDDLE_CODEGEN_EMITTOOLS_H

#include "llvm/IR/DiagnosticHandler.h"

#include <chrono>
#include <string>

namespace heddle {

/// Adds the time of its scope to a sum, in milliseconds.
class Stopwatch {
public:
  explicit Stopwatch(double &Sum)
      : Sum(Sum), Start(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    Sum += std::chrono::duration<double, std::milli>(
               std::chrono::steady_clock::now() - Start)
               .count();
  }
  Stopwatch(const Stopwatch &) = delete;
  Stopwatch &operator=(const Stopwatch &) = delete;

private:
  double &Sum;
  std::chrono::steady_clock::time_point Start;
};

/// Keeps what LLVM reports while code is made: errors, joined by semicolons.
class CollectErrors : public llvm::DiagnosticHandler {
public:
  explicit CollectErrors(std::string &Text) : Text(Text) {}

  bool handleDiagnostics(const llvm::DiagnosticInfo &Info) override;

private:
  std::string &Text;
};

} // namespace heddle

#endif // HEDDLE_CODEGEN_EMITTOOLS_H
