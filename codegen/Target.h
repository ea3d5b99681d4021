// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The only door to a target. A target serves one or more levels (variants of
// its code for machines with different instruction-set extensions); everything
// outside `codegen/<target>/` knows levels as names and nothing else.

#ifndef HEDDLE_CODEGEN_TARGET_H
#define HEDDLE_CODEGEN_TARGET_H

#include "codegen/Cost.h"
#include "dialect/attn/Attn.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>
#include <vector>

namespace heddle {

/// What a `func.func` with one `attn.attention` carries until its schedule is
/// assigned: the kernel's name in the bundle, and the level its code is for.
/// `attn-assign-schedule` replaces both by `tile.entry`.
inline constexpr llvm::StringLiteral KernelNameAttr = "attn.kernel";
inline constexpr llvm::StringLiteral LevelAttr = "attn.level";
/// It shall have a second code for short queries; `attn-pack-heads` adds it as
/// a function with the other attribute.
inline constexpr llvm::StringLiteral ShortQueriesAttr = "attn.short_queries";
inline constexpr llvm::StringLiteral PackedAttr = "attn.packed";
/// Its f32 operands of products are to be rounded to tf32.
inline constexpr llvm::StringLiteral Tf32Attr = "attn.tf32";
/// Code of devices takes so many bytes of their fast memory at most
/// (KernelShape::SharedLimit); kernels of the function have it too.
inline constexpr llvm::StringLiteral SharedMemoryAttr = "attn.shared_memory";

/// One level of a target.
struct Level {
  /// Unique over all targets.
  std::string Name;
  /// Names of the instruction-set extensions its code needs.
  std::vector<std::string> Features;
  /// Those of them (or the architecture) that this machine lacks.
  std::vector<std::string> Missing;

  bool runsHere() const { return Missing.empty(); }
};

/// Turns modules in the LLVM dialect into code of a target. Owns what is slow
/// to make (target machines), so keep one for many modules; not thread-safe.
class Emitter {
public:
  virtual ~Emitter() = default;

  /// The time spent in each step, summed over the calls, in milliseconds.
  struct Times {
    double Translate = 0, Optimize = 0, Codegen = 0;
    /// In programs of others.
    double Assemble = 0;
  };

  /// LLVM IR text, after the target's optimisations.
  virtual llvm::Error emitLLVM(mlir::ModuleOp Module,
                               llvm::raw_ostream &Out) = 0;
  /// Assembly text.
  virtual llvm::Error emitAssembly(mlir::ModuleOp Module,
                                   llvm::raw_pwrite_stream &Out) = 0;
  /// A relocatable object file.
  virtual llvm::Error emitObject(mlir::ModuleOp Module,
                                 llvm::raw_pwrite_stream &Out) = 0;

  /// Of a device target: makes the code of a module with `tile.device` and
  /// leaves it there as data, as `attn-emit-entry` takes it: text, and what an
  /// assembler makes of it if `Assembles` and there is one.
  virtual llvm::Error embed(mlir::ModuleOp /*Module*/, bool /*Assembles*/) {
    return llvm::createStringError("the target makes no code of devices");
  }

  const Times &times() const { return Spent; }

protected:
  Times Spent;
};

/// What a schedule depends on.
struct KernelShape {
  /// Head dims of q and k, and of v and o.
  int64_t Qk = 0, V = 0;
  /// Axes of the token grid; 0 for plain sequences.
  unsigned Axes = 0;
  /// Keys of a group of a grouped normaliser, which is the key tile then; 0 for
  /// the others.
  int64_t Group = 0;
  /// Queries of a block that the pattern treats alike, 0 where it does not look
  /// at blocks: tiles that fit into blocks see one row of them.
  int64_t QueryBlock = 0;
  /// The same of keys.
  int64_t KeyBlock = 0;
  /// Keys that a query keeps along each axis of the token grid, the outermost
  /// first, as far as a pattern tells before its parameters are known; 0 along
  /// an axis whose keys it may keep at any distance, and empty where it may
  /// along all.
  llvm::SmallVector<int64_t, 3> Windows = {};
  /// Rows are the heads of a group, of which there are few.
  bool IsPacked = false;
  /// A linear attention whose queries see every key: no chunk has pairs.
  bool IsBidirectional = false;

  /// Bytes of a device's fast memory that a group of threads may take at most;
  /// 0: what the level has.
  int64_t SharedLimit = 0;

  // What costs depend on beside.
  /// Bytes of an element of q, k and v in memory.
  int64_t ElementBytes = 4;
  /// Products round f32 operands to tf32.
  bool Tf32 = false;
  /// Questions that the pattern asks about a pair.
  int64_t Conditions = 1;
  /// Operations per score of the score region and of a normaliser without a
  /// sum; 0 for none.
  int64_t ScoreOperations = 0;
  /// Weights are a softmax of the scores.
  bool HasSoftmax = true;
  /// Queries and keys are turned by their positions.
  bool Rotates = false;
  /// All query heads are known to keep the same pairs.
  bool HeadsAgree = false;

  // Of a linear attention, whose tiles are chunks of tokens; 0 for the others.
  /// Features of q and k as mapped, whose products pairs of tokens take, and
  /// features of the state.
  int64_t Mapped = 0, State = 0;
  /// Decay per feature: products of pairs have a factor per feature.
  bool DecaysByFeature = false;
  /// The delta rule: a triangular system per chunk.
  bool HasDelta = false;
  /// What the delta rule takes away is not where it writes: decay per feature
  /// lies between the two.
  bool ErasesFirst = false;

  bool isLinear() const { return State > 0; }
};

/// Floating-point operations of a chunk of `Tokens` of one head of a linear
/// attention: the products among its tokens, out of the state and into it,
/// which all kernels have in common; not maps, factors or a window. The floor
/// of every schedule with such chunks.
double chunkFlop(const KernelShape &Shape, int64_t Tokens);

class Target {
public:
  virtual ~Target() = default;

  virtual llvm::StringRef name() const = 0;

  /// Its levels, best first.
  virtual std::vector<Level> levels() const = 0;

  /// The dialects that occur in its lowering, and their interfaces and
  /// translations.
  virtual void registerDialects(mlir::DialectRegistry &Registry) const = 0;

  /// Its own passes, for `heddle-opt`.
  virtual void registerPasses() const = 0;

  /// Code of its levels runs on a device beside the machine that calls it: a
  /// bundle has it as data, and has host code that counts and checks for it.
  virtual bool isDevice() const { return false; }

  /// It has products of f32 whose operands are rounded to tf32.
  virtual bool hasTf32() const { return false; }

  /// Its lowering takes loops over the live tiles of an `attn.tiles` as they
  /// are in the kernels "task" and "columns"; in others they are expanded.
  virtual bool keepsTileLoops() const { return false; }

  /// The sizes it builds a kernel with for one of its levels; head dims are in
  /// [1, 512]. There are boxes where there are axes.
  virtual attn::ScheduleAttr chooseSchedule(mlir::MLIRContext *Context,
                                            llvm::StringRef Level,
                                            const KernelShape &Shape) const = 0;

  /// The schedules that the one of `chooseSchedule` was chosen from, itself
  /// included.
  virtual std::vector<ScheduleChoice>
  weighSchedules(mlir::MLIRContext *Context, llvm::StringRef Level,
                 const KernelShape &Shape) const = 0;

  /// What a kernel costs, where the keys and values that a task reads take
  /// `KeyBytes`. Goes by this machine where it runs the level, otherwise by an
  /// assumed one.
  virtual KernelCost estimateCost(attn::ScheduleAttr Schedule,
                                  llvm::StringRef Level,
                                  const KernelShape &Shape,
                                  int64_t KeyBytes) const = 0;

  /// What `estimateCost` goes by.
  virtual std::vector<MachineFact>
  describeMachine(llvm::StringRef Level) const = 0;

  /// The floating-point operations of a slot (see Cost.h).
  virtual double flopPerSlot(llvm::StringRef Level) const = 0;

  /// GFLOP/s of multiply-adds that a level which runs here sustains on
  /// `Threads` threads; 0 when it cannot be measured.
  virtual double measurePeak(llvm::StringRef Level, int Threads) const = 0;

  /// Gigabytes per second that `Threads` threads read from memory; 0 when it
  /// cannot be measured.
  virtual double measureReadBandwidth(int Threads) const = 0;

  /// Empty if code can be made for this schedule at this level, otherwise what
  /// is wrong with it, in the style of an error message.
  virtual std::string checkSchedule(attn::ScheduleAttr Schedule,
                                    llvm::StringRef Level) const = 0;

  /// Empty if a level has code for such kernels, otherwise what it does not do,
  /// in the style of an error message.
  virtual std::string checkShape(const KernelShape & /*Shape*/,
                                 llvm::StringRef /*Level*/) const {
    return "";
  }

  /// What a device target calls its assembly text, as a stage of the compiler.
  virtual llvm::StringRef assemblyName() const { return ""; }

  /// Triple and data layout of its code, as attributes of the module. Comes
  /// before the lowering.
  virtual void setModuleAttributes(mlir::ModuleOp Module) const = 0;

  /// Tile level to the target's level.
  virtual void addLoweringPasses(mlir::OpPassManager &Passes) const = 0;

  /// The target's level (with the entry emitted, where code runs on this
  /// machine) to the LLVM dialect.
  virtual void addLLVMPasses(mlir::OpPassManager &Passes) const = 0;

  virtual std::unique_ptr<Emitter> createEmitter() const = 0;
};

/// Every target of this build; the first is the default.
llvm::ArrayRef<const Target *> targets();

/// The target called `Name`, or null.
const Target *findTarget(llvm::StringRef Name);

/// The target that serves the level called `Name`, or null.
const Target *findTargetOfLevel(llvm::StringRef Name);

/// Registers the dialects / the passes of every target.
void registerTargetDialects(mlir::DialectRegistry &Registry);
void registerTargetPasses();

} // namespace heddle

#endif // HEDDLE_CODEGEN_TARGET_H
