// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_FLOATENV_H
#define HEDDLE_CODEGEN_CPU_FLOATENV_H

#include <cstdint>

namespace heddle::cpu {

/// While it lives, the calling thread computes as kernels expect, whatever its
/// owner had set: round to nearest, no traps, denormal results flushed to zero
/// (a denormal costs over a hundred cycles, and exp2 of very negative scores
/// makes many). Denormal operands keep their value. Restores the previous
/// state, sticky exception flags included, when it dies.
class FloatEnvScope {
public:
  FloatEnvScope();
  ~FloatEnvScope();
  FloatEnvScope(const FloatEnvScope &) = delete;
  FloatEnvScope &operator=(const FloatEnvScope &) = delete;

private:
  [[maybe_unused]] uint64_t Control = 0;
  [[maybe_unused]] uint64_t Status = 0;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_FLOATENV_H
