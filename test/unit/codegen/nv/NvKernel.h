// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small kernels written with the fragment library, compiled to PTX and run by
// the emulator.

#ifndef HEDDLE_TEST_UNIT_CODEGEN_NV_NVKERNEL_H
#define HEDDLE_TEST_UNIT_CODEGEN_NV_NVKERNEL_H

#include "codegen/nv/NvBuilder.h"
#include "codegen/nv/emulation/Launch.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace heddle {

/// An argument of a kernel: a pointer to global memory, or a number.
enum class NvArgument { Pointer, Integer, Real };

/// A compiled kernel.
class NvKernel {
public:
  using Code = std::function<void(nv::NvBuilder &B, mlir::Value Shared,
                                  llvm::ArrayRef<mlir::Value> Arguments)>;

  /// `Make` builds the body; `Config`'s types are made for its context by
  /// `Types` ("f16", "bf16", "f32").
  NvKernel(nv::Config Config, llvm::StringRef Type,
           llvm::ArrayRef<NvArgument> Arguments, const Code &Make);

  /// Empty when compilation failed (a test failure is recorded then).
  const std::string &ptx() const { return Ptx; }

  /// Each value is the bits of an argument. Records a test failure for
  /// a fault.
  void run(ptx::Device &On, llvm::ArrayRef<uint64_t> Values,
           uint64_t SharedBytes, uint32_t Ctas = 1) const;

private:
  std::vector<NvArgument> Arguments;
  unsigned Threads;
  std::string Ptx;
};

/// What ptxas says of a text for sm_80 (-v); nothing where there is no ptxas.
std::optional<std::string> assemble(const std::string &Ptx);

/// f16 and bf16 in numbers.
uint16_t toBits(float Value, llvm::StringRef Type);
float fromBits(uint16_t Bits, llvm::StringRef Type);

/// Memory of the emulated device that holds elements of a type.
class NvArray {
public:
  /// `Offset`: bytes from a 256-byte boundary to the first element.
  NvArray(ptx::Device &On, llvm::StringRef Type, int64_t Count,
          int64_t Offset = 0);
  ~NvArray();
  NvArray(const NvArray &) = delete;
  NvArray &operator=(const NvArray &) = delete;

  uint64_t address() const { return First; }
  float get(int64_t I) const;
  void set(int64_t I, float Value);
  int64_t size() const { return Count; }

private:
  ptx::Device &On;
  std::string Type;
  int64_t Count;
  uint64_t Allocated, First;
};

} // namespace heddle

#endif // HEDDLE_TEST_UNIT_CODEGEN_NV_NVKERNEL_H
