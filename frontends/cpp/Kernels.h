// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From options to the module that the passes start from.

#ifndef HEDDLE_FRONTENDS_CPP_KERNELS_H
#define HEDDLE_FRONTENDS_CPP_KERNELS_H

#include "frontends/cpp/Session.h"

namespace heddle {

/// A level with its target.
struct LevelOfTarget {
  const Target *Of = nullptr;
  Level Variant;

  const std::string &name() const { return Variant.Name; }
};

/// Options that have been checked: what exactly is to be built.
struct BuildPlan {
  std::vector<LevelOfTarget> Levels; ///< Best first, target by target.
  std::string Pattern;
  std::string Kernel;
  mlir::Type InputType, OutputType;
  OutputOptions Outputs;
  KernelShape Shape;
  bool ShortQueries = false;
  bool Assemble = true;
  bool LineInfo = false;
  bool Quadratic = false;
  /// Of an `attn.recurrence`; 0 of others.
  int64_t StateRows = 0;

  bool isRecurrence() const { return StateRows > 0; }
  /// Nothing is for this machine but what counts and checks for devices.
  bool isForDevices() const;
  /// The target of this machine: that of the first level which is not a
  /// device's, or the default one.
  const Target &host() const;
};

/// The levels that `Names` (targets and levels) stand for.
Result<std::vector<LevelOfTarget>>
findLevels(const std::vector<std::string> &Names);

/// Checks everything in `Options` but the schedule, for a pattern or
/// combination or recurrence. With `HereOnly`, keeps of the levels that are not
/// of devices only the best one that this machine runs.
Result<BuildPlan> makePlan(mlir::Operation *Pattern,
                           const CompileOptions &Options, bool HereOnly);

/// The outputs as an attribute.
attn::OutputsAttr outputsAttr(mlir::MLIRContext *Context,
                              const OutputOptions &Outputs);

/// A module with the pattern, all that it uses, and per level one function of
/// an attention, or of linear attention by a recurrence.
Result<mlir::OwningOpRef<mlir::ModuleOp>>
buildKernels(mlir::ModuleOp From, const BuildPlan &What,
             const ScheduleOptions &Schedule);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_KERNELS_H
