// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vocabulary the lowering to a CTA's code is written in: every thread runs
// it. Scalars that are the same in all threads are called uniform. Addresses,
// positions and extents are i64, numbers of rows, columns, lanes and warps i32,
// elements f32.

#ifndef HEDDLE_CODEGEN_NV_NVBUILDER_H
#define HEDDLE_CODEGEN_NV_NVBUILDER_H

#include "codegen/lanes/CodeBuilder.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace heddle::nv {

/// Threads of a warp.
constexpr int64_t WarpSize = 32;

/// What the lowering knows of the schedule and of the kernel's tensors.
struct Config {
  /// Rows of the CTA's tile of queries, and of its tiles of keys and values.
  int64_t QueryTile = 64, KeyTile = 64;
  /// Query rows of a warp: a multiple of 16. Warp w owns rows
  /// [w * Rows, (w + 1) * Rows).
  int64_t Rows = 16;
  /// QueryTile / Rows.
  int64_t Warps = 4;
  /// Slots of the ring of keys and values.
  int64_t Stages = 2;
  /// Element types in memory of q, k, v and of o: f32, f16 or bf16.
  mlir::Type Input, Output;
  /// Rows of f32 are multiplied by tensor cores, rounded to tf32.
  bool Tf32 = false;
  /// Features of q and k, and of v and o.
  int64_t Qk = 0, V = 0;
  /// Registers that a thread may spend on queries: those of 128 features for 16
  /// rows, which leaves room for as wide outputs, scores of 64 keys and
  /// weights. Wider queries are read from shared memory for every tile of keys.
  int64_t QueryRegisters = 32;
  /// Scores are computed a tile ahead, beside the softmax.
  bool ScoresAhead = false;
  /// Bytes of shared memory that a CTA may have.
  int64_t SharedLimit = 0;
  /// Features of rows that are there at once; 0 for whole rows.
  int64_t Slice = 0;
  /// In kernels with a state: elements that a thread reads before it stores the
  /// first of them, and steps of a product that read together.
  int64_t ElementsTogether = 4, StepsTogether = 2;

  int64_t threads() const { return Warps * WarpSize; }
  /// Keys and values take turns in one slot of a ring: see Schedules.h.
  bool takesTurns() const { return Warps == 1 && Rows == 16 && Stages == 1; }
};

/// Address spaces of pointers; see the NVPTX back end's documentation.
enum class Space : unsigned { Generic = 0, Global = 1, Shared = 3 };

class NvBuilder : public CodeBuilder {
public:
  /// Builds at the end of `Entry`, the first block of the new function.
  NvBuilder(mlir::Location Loc, mlir::Block *Entry, const Config &C);

  const Config &config() const { return C; }
  mlir::Type ptrType(Space S) const;

  mlir::Value i1(bool Value);
  mlir::Value i32(int64_t Value);

  /// Between `index`, i64 and i32. Values already of the type are unchanged;
  /// widening to i64 keeps the sign.
  mlir::Value toI64(mlir::Value X);
  mlir::Value toI32(mlir::Value X);
  mlir::Value toIndex(mlir::Value X);
  /// A signed integer as f32.
  mlir::Value toF32(mlir::Value X);

  mlir::Value sub(mlir::Value X, mlir::Value Y);
  /// Unsigned quotient and remainder by a constant.
  mlir::Value div(mlir::Value X, int64_t Y);
  mlir::Value rem(mlir::Value X, int64_t Y);
  mlir::Value max(mlir::Value X, mlir::Value Y);
  mlir::Value bitAnd(mlir::Value X, mlir::Value Y);
  mlir::Value bitAnd(mlir::Value X, int64_t Y);
  mlir::Value bitOr(mlir::Value X, mlir::Value Y);
  mlir::Value bitXor(mlir::Value X, mlir::Value Y);
  mlir::Value shl(mlir::Value X, int64_t Bits);
  /// Logical.
  mlir::Value shr(mlir::Value X, int64_t Bits);
  using CodeBuilder::cmp;
  mlir::Value cmp(mlir::arith::CmpIPredicate P, mlir::Value X, mlir::Value Y);
  mlir::Value cmp(mlir::arith::CmpIPredicate P, mlir::Value X, int64_t Y);

  /// f32.
  /// x * y + z, rounded once.
  mlir::Value fma(mlir::Value X, mlir::Value Y, mlir::Value Z);
  mlir::Value fdiv(mlir::Value X, mlir::Value Y);
  /// The larger one, or the one that is a number.
  mlir::Value fmax(mlir::Value X, mlir::Value Y);
  /// 2^x and log2 x by the special function unit; 2^-inf = 0, 2^0 = 1.
  mlir::Value ex2(mlir::Value X);
  mlir::Value lg2(mlir::Value X);

  mlir::Value bitcast(mlir::Value X, mlir::Type To);
  /// f32 from f16 or bf16 and back, to nearest even; f32 is unchanged.
  mlir::Value widen(mlir::Value X);
  mlir::Value round(mlir::Value X, mlir::Type To);
  /// Two f32 rounded to f16 or bf16 as the halves of an i32, `Low` in the lower
  /// one.
  mlir::Value pack(mlir::Value Low, mlir::Value High, mlir::Type To);
  /// The two f16 or bf16 in an i32 as f32, the lower half first.
  std::pair<mlir::Value, mlir::Value> unpack(mlir::Value X, mlir::Type From);

  /// `Base` plus so many bytes.
  mlir::Value bytes(mlir::Value Base, mlir::Value Bytes);
  mlir::Value bytes(mlir::Value Base, int64_t Bytes);
  /// `Alignment` 0: that of the type.
  mlir::Value load(mlir::Type T, mlir::Value Pointer, unsigned Alignment = 0);
  /// ... where nobody writes while a kernel runs.
  mlir::Value loadInvariant(mlir::Type T, mlir::Value Pointer);
  void store(mlir::Value Value, mlir::Value Pointer, unsigned Alignment = 0);
  /// The address as an integer.
  mlir::Value address(mlir::Value Pointer);

  /// Number of this thread in the CTA, of its warp, and of the thread in the
  /// warp: i32. Made once, in the entry block.
  mlir::Value thread();
  mlir::Value warp();
  mlir::Value lane();
  /// Number of the CTA in its one-dimensional grid.
  mlir::Value cta();

  /// Waits for all threads of the CTA and orders their shared memory accesses.
  void barrier();
  /// True in all threads where it is in any thread of the CTA; a barrier.
  mlir::Value anyOfCta(mlir::Value Predicate);
  /// True in all lanes where it is in any lane of the warp.
  mlir::Value anyOfWarp(mlir::Value Predicate);
  /// An f32 or i32 of the lane whose number differs in the bits of `Mask`, or
  /// of lane number `Lane`; for all lanes of the warp at once.
  mlir::Value shuffleXor(mlir::Value X, int64_t Mask);
  mlir::Value shuffle(mlir::Value X, mlir::Value Lane);

  /// One of two pieces of code with results.
  using CodeBuilder::branch;
  Values branch(mlir::Value Condition, mlir::TypeRange Types,
                llvm::function_ref<Values()> Then,
                llvm::function_ref<Values()> Else);

private:
  Config C;
  mlir::Value Thread, Warp, Lane, Cta;
};

/// Bytes of an element.
int64_t byteWidth(mlir::Type Element);

/// `N` rounded up to a multiple of `To`.
constexpr int64_t roundUp(int64_t N, int64_t To) {
  return (N + To - 1) / To * To;
}

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_NVBUILDER_H
