// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who has which memory of a CTA while a kernel with a state is built, and when
// its threads must meet between a write and a read of it.

#ifndef HEDDLE_CODEGEN_NV_TILEARENA_H
#define HEDDLE_CODEGEN_NV_TILEARENA_H

#include "codegen/nv/MemoryTile.h"

#include "llvm/ADT/SmallVector.h"

#include <map>
#include <utility>

namespace heddle::nv {

/// Hands out pieces of shared memory, and when those are used up, of the CTA's
/// part of the workspace.
class TileArena {
public:
  /// `Workspace`: that part, a pointer to global memory. No more than
  /// `SharedLimit` bytes of shared memory are handed out.
  TileArena(NvBuilder &B, mlir::Value Workspace, int64_t SharedLimit)
      : B(B), Workspace(Workspace), SharedLimit(SharedLimit) {}

  /// Memory for a tile; with `Transposed` the rows lie side by side.
  MemoryTile allocate(int64_t Rows, int64_t Columns, bool Transposed = false);
  void release(int Place);

  /// Makes the threads meet where one of them may read what another one has
  /// written since they last met, or write what another one has read or
  /// written. To be called before the code that does so.
  void access(llvm::ArrayRef<MemoryTile> Reads,
              llvm::ArrayRef<MemoryTile> Writes);
  /// Makes them meet if there is any access since: before and at the end of
  /// code that may run again.
  void settle();

  /// The most bytes that were ever in use.
  int64_t sharedBytes() const { return MostShared; }
  int64_t workspaceBytes() const { return MostWorkspace; }

private:
  struct Piece {
    bool IsShared;
    int64_t Offset, Bytes;
    bool IsFree = false;

    bool overlaps(const Piece &Other) const {
      return IsShared == Other.IsShared &&
             Offset < Other.Offset + Other.Bytes &&
             Other.Offset < Offset + Bytes;
    }
  };
  /// The first gap of so many bytes.
  int64_t findGap(bool IsShared, int64_t Bytes) const;
  bool touches(const MemoryTile &Tile, llvm::ArrayRef<Piece> Any) const;
  /// The address of a piece, there for all of the function.
  mlir::Value baseOf(const Piece &P);

  NvBuilder &B;
  mlir::Value Workspace;
  int64_t SharedLimit;
  std::map<std::pair<bool, int64_t>, mlir::Value> Bases;
  /// By place.
  llvm::SmallVector<Piece> Pieces;
  /// Since the threads last met.
  llvm::SmallVector<Piece> Read, Written;
  int64_t MostShared = 0, MostWorkspace = 0;
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_TILEARENA_H
