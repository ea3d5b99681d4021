// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel costs on a machine, by counting the instructions that the
// lowering makes. The ceiling comes first: a vector of scores is Qk + V
// multiply-adds, and whatever else a tile needs is time in which the units that
// multiply could have done more of these:
//
//   register tiles  a step of the reduction loads one element per row and each
//                   vector; the chain of sums must fill and drain, and what is
//                   summed up is loaded and stored
//   softmax         passes over the scores, see the table in CostModel.cpp
//   masks           bits of every pair, their use on scores and on weights
//   fetch           the lines of k and v from L2, L3 or memory
//   copies          of rows that cannot be used where they are
//   queries         transposing q and o, once per task
//
// Two simplifications: what is counted in different parts does not overlap, and
// what the caches hold is decided by sizes alone.

#ifndef HEDDLE_CODEGEN_CPU_COSTMODEL_H
#define HEDDLE_CODEGEN_CPU_COSTMODEL_H

#include "codegen/cpu/Machine.h"

namespace heddle::cpu {

/// What another schedule must gain over the usual one: predictions of two are
/// off by as much in either direction.
constexpr double NeededGain = 0.03;
/// Keys of a long sequence: more than L2 holds.
constexpr int64_t LongKeyBytes = int64_t(4) << 20;

/// The sizes of a kernel.
struct Blocking {
  /// Queries whose scores are in registers at the same time, and how many such
  /// parts share a tile of keys.
  int64_t Queries = 0, Parts = 1;
  int64_t Keys = 0;
  int64_t Rows = 0, Lanes = 0;
  /// Query heads of a task.
  int64_t Heads = 1;

  int64_t vectors() const { return (Queries + Lanes - 1) / Lanes; }
};
Blocking blockingOf(attn::ScheduleAttr Schedule);

/// The register tile that rows x vectors of a product are computed in.
struct RegisterBlock {
  int64_t Rows, Vectors;
};
RegisterBlock registerBlock(const Machine &M, const Blocking &Sizes,
                            int64_t Rows);

/// Bytes of a tile with `Features` rows of queries.
int64_t tileBytes(const Blocking &Sizes, int64_t Features);

/// The part of `Bytes`, swept over and over, that L1 does not give.
double missesOfL1(const Machine &M, int64_t Bytes);

/// Adds what `Rows` x queries cost, summed up over `Depth` steps and, with
/// `HasSum`, to what is there. A register tile reads `RowBytes` of the other
/// operand, a step has `LoadsBeside` those of its operands.
void addProduct(const Machine &M, const Blocking &Sizes, int64_t Rows,
                int64_t Depth, bool HasSum, int64_t RowBytes, Cost &Out,
                double LoadsBeside = 0);

/// Slots per element that is turned from rows into lanes.
double turnSlots(const Machine &M);

/// Slots until `Bytes` of keys and values are there, of `KeyBytes` that a task
/// reads in all.
double fetchSlots(const Machine &M, int64_t Bytes, int64_t KeyBytes);

/// Of one head, where those of a task share what is made of keys.
KernelCost estimateCost(const Machine &M, const Blocking &Sizes,
                        const KernelShape &Shape, int64_t KeyBytes);

/// Mean number of blocks of `Block` queries that a tile of `Tile` queries
/// touches, at least 1.
double blocksPerTile(int64_t Tile, int64_t Block);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_COSTMODEL_H
