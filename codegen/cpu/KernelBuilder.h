// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vocabulary the lowering of tile verbs is written in: f32 vectors of the
// schedule's width, and what the lowering knows of the machine.

#ifndef HEDDLE_CODEGEN_CPU_KERNELBUILDER_H
#define HEDDLE_CODEGEN_CPU_KERNELBUILDER_H

#include "codegen/lanes/LaneBuilder.h"

namespace heddle::cpu {

/// What the lowering knows of the machine and the schedule.
struct Shape {
  /// Elements of a vector value.
  int64_t Lanes;
  /// Rows of the micro-kernel's register tile.
  int64_t Rows;
  /// Steps of the reduction per loop iteration.
  int64_t Unroll;
  /// Vector values that the registers hold at once, and how many a
  /// multiply-add needs for itself.
  int64_t Registers;
  int64_t ProductScratch;
  /// Conversions between f16 and f32 are instructions.
  bool ConvertsHalf;
  /// x 2^n of a vector is an instruction.
  bool ScalesBy2;

  /// `Elements` in whole vectors.
  int64_t vectors(int64_t Elements) const {
    return (Elements + Lanes - 1) / Lanes;
  }
};

enum class CacheLevel { First, Second };

/// The largest divisor of `N` that is at most `Limit`; at least 1.
int64_t largestDivisor(int64_t N, int64_t Limit);

class KernelBuilder : public LaneBuilder {
public:
  /// Builds at the end of `Entry`, the first block of the new function.
  KernelBuilder(mlir::Location Loc, mlir::Block *Entry, const Shape &S);

  const Shape &shape() const { return S; }
  mlir::VectorType vectorType() const { return Vector; }

  /// Vectors lie at multiples of their width from a 64-byte boundary.
  mlir::Value loadVector(mlir::Value Pointer);
  void storeVector(mlir::Value Vector, mlir::Value Pointer);
  /// Asks for the cache line of an address. Any address will do.
  void prefetch(mlir::Value Pointer, CacheLevel To = CacheLevel::Second);

private:
  Shape S;
  mlir::VectorType Vector;
  unsigned VectorAlignment;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_KERNELBUILDER_H
