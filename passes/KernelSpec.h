// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernel of an entry computes: the sources of its keys, and the
// parameters of their patterns as one list.

#ifndef HEDDLE_PASSES_KERNELSPEC_H
#define HEDDLE_PASSES_KERNELSPEC_H

#include "codegen/Target.h"
#include "dialect/attn/Attn.h"
#include "mlir/IR/BuiltinOps.h"

namespace heddle {

/// Keys and values under one pattern.
struct KernelSource {
  attn::PatternOp pattern; ///< Null under a recurrence.
  /// That of the pattern, and the end of the keys; null under a recurrence.
  attn::FormulaAttr formula;
  /// The pattern's parameters as numbers of the kernel's.
  llvm::SmallVector<unsigned> params;
};

struct KernelParam {
  llvm::StringRef name;
  mlir::Type type;
  mlir::TypedAttr defaultValue; ///< Null: none.
  /// Axes of a table, indices of a set, 0 for numbers.
  unsigned rank;
};

struct KernelSpec {
  attn::EntryAttr entry;
  /// What a linear attention computes; null for an attention. It has one
  /// source.
  attn::RecurrenceOp recurrence;
  llvm::SmallVector<KernelSource> sources; ///< At least one.
  llvm::SmallVector<KernelParam> params;

  bool isLinear() const { return static_cast<bool>(recurrence); }
  // For attentions.
  attn::PatternOp first() const { return sources.front().pattern; }
  /// That of every source.
  attn::NormalizerAttr normalizer() const { return first().getNormalization(); }
  bool isSoftmax() const { return normalizer().isSoftmax(); }
  bool hasGrid() const { return first().hasGrid(); }
  attn::OutputsAttr outputs() const { return entry.getOutputs(); }
};

/// Looks the pattern of an entry up, or the sources of its `attn.combine`, or
/// its recurrence. Emits an error at `user` when there is none, or at a pattern
/// that has no formula yet.
mlir::FailureOr<KernelSpec> findKernelSpec(mlir::Operation *user,
                                           attn::EntryAttr entry);

/// The patterns that a symbol stands for: itself or the sources of an
/// `attn.combine`; empty when there is no such pattern.
llvm::SmallVector<attn::PatternOp> findPatterns(mlir::Operation *user,
                                                mlir::FlatSymbolRefAttr symbol);

/// What schedules and costs of an attention under these patterns depend on,
/// with head dims `qk` and `v` and elements of type `input` in memory.
KernelShape describeKernel(llvm::ArrayRef<attn::PatternOp> patterns, int64_t qk,
                           int64_t v, mlir::Type input);
KernelShape describeKernel(attn::RecurrenceOp recurrence, int64_t qk, int64_t v,
                           mlir::Type input);

} // namespace heddle

#endif // HEDDLE_PASSES_KERNELSPEC_H
