// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_SHAREDMEMORY_H
#define HEDDLE_CODEGEN_NV_SHAREDMEMORY_H

#include "codegen/nv/NvBuilder.h"

namespace heddle::nv {

/// Who gets which part of a CTA's dynamic shared memory, decided while a kernel
/// is built: what is reserved in a scope is given back at its end, and those
/// after it use it again.
class SharedMemory {
public:
  explicit SharedMemory(NvBuilder &B) : B(B) {}

  /// Bytes from the start of the memory on, a multiple of 128.
  struct Part {
    int64_t Offset;
    /// No thread can still be using it for what it held before: it held
    /// nothing, or all threads have met since.
    bool IsFree;
  };
  Part reserve(int64_t Bytes);
  /// A pointer to so many bytes of their own.
  mlir::Value allocate(int64_t Bytes) { return at(reserve(Bytes).Offset); }
  mlir::Value at(int64_t Offset);
  /// All threads of the CTA meet.
  void barrier();
  /// The same where somebody may still be using the part.
  void barrierUnlessFree(const Part &Of) {
    if (!Of.IsFree)
      barrier();
  }

  /// A loop or branch. What is `Repeated` finds the memory as the turn before
  /// has left it.
  class Scope {
  public:
    explicit Scope(SharedMemory &Of, bool Repeated = false)
        : Of(Of), Mark(Of.Used), Depth(Of.Depth) {
      Of.Depth += Repeated;
    }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;
    ~Scope() { Of.close(Mark, Depth); }

  private:
    SharedMemory &Of;
    int64_t Mark, Depth;
  };

  /// The most that was ever in use.
  int64_t size() const { return Most; }

private:
  /// Bytes that somebody used before the given time.
  struct Use {
    int64_t Begin, End, Until;
  };
  void close(int64_t Mark, int64_t Depth);

  NvBuilder &B;
  int64_t Used = 0, Most = 0;
  int64_t Depth = 0; ///< of repeated scopes
  /// Moves on with every barrier and end of a scope, in the order of the code.
  int64_t Time = 0;
  llvm::SmallVector<Use> Earlier;
  /// The last barrier.
  int64_t Met = 0;
  mlir::Block *MetIn = nullptr;
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_SHAREDMEMORY_H
