// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/FloatEnv.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

using namespace heddle::cpu;

#if defined(__SSE2__)

FloatEnvScope::FloatEnvScope() {
  // MXCSR: all exceptions masked (0x1f80), flush to zero (bit 15); denormals
  // are zero (bit 6) stays off. Control and status share the register.
  constexpr unsigned Wanted = 0x1f80 | 0x8000;
  Control = _mm_getcsr();
  _mm_setcsr(Wanted);
}

FloatEnvScope::~FloatEnvScope() { _mm_setcsr(static_cast<unsigned>(Control)); }

#elif defined(__aarch64__)

FloatEnvScope::FloatEnvScope() {
  // FPCR.FZ would flush operands as well, so denormals stay: zero means round
  // to nearest and no traps.
  uint64_t Wanted = 0;
  asm volatile("mrs %0, fpcr" : "=r"(Control));
  asm volatile("mrs %0, fpsr" : "=r"(Status));
  asm volatile("msr fpcr, %0" : : "r"(Wanted));
}

FloatEnvScope::~FloatEnvScope() {
  asm volatile("msr fpcr, %0" : : "r"(Control));
  asm volatile("msr fpsr, %0" : : "r"(Status));
}

#else

FloatEnvScope::FloatEnvScope() = default;
FloatEnvScope::~FloatEnvScope() = default;

#endif
