// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles in shared memory. Rows lie one after the other, padded to 16 elements
// with zeros, in chunks of 16 bytes. Chunk c of row r lies in place
// c ^ swizzle(r) of its row: with 2^t the largest power of two, up to 8, that
// divides the number of chunks of a row, swizzle(r) is bits 3 - t … 2 of r as a
// number below 2^t. Any eight rows that start at a multiple of eight then have
// chunk c in eight different places modulo 128 bytes, whatever the row's
// length: chunks of rows that differ in the lower 3 - t bits differ by an odd
// multiple of 2^t places, and those that differ in the upper bits differ in the
// lower t bits of the place. So ldmatrix reads without bank conflicts.

#ifndef HEDDLE_CODEGEN_NV_SHAREDTILE_H
#define HEDDLE_CODEGEN_NV_SHAREDTILE_H

#include "codegen/nv/NvBuilder.h"

namespace heddle::nv {

struct SharedTile {
  /// Row 0, in shared memory, at a multiple of 128 bytes.
  mlir::Value Base;
  int64_t Rows = 0;
  /// Elements of a row, padded to 16.
  int64_t Columns = 0;
  /// f32, f16 or bf16.
  mlir::Type Element;

  /// A tile of `Rows` rows of `Features` elements.
  static SharedTile get(mlir::Value Base, int64_t Rows, int64_t Features,
                        mlir::Type Element);

  static constexpr int64_t ChunkBytes = 16;
  /// Rows that are so far apart have the same swizzle.
  static constexpr int64_t SwizzleRows = 8;
  int64_t rowBytes() const;
  /// Multiple of 128: tiles can follow one another.
  int64_t bytes() const;
  int64_t chunks() const { return rowBytes() / ChunkBytes; }
  int64_t chunkElements() const { return Columns / chunks(); }

  /// The bits of a chunk's number that swizzles may change: 2^t - 1.
  int64_t swizzleMask() const;
  /// The swizzle in numbers: the place of a chunk.
  int64_t placeOf(int64_t Row, int64_t Chunk) const;

  /// The address of a chunk: i32 row and chunk.
  mlir::Value chunk(NvBuilder &B, mlir::Value Row, mlir::Value Chunk) const;
  /// The address of element (Row, Column).
  mlir::Value element(NvBuilder &B, mlir::Value Row, mlir::Value Column) const;
  /// Code for swizzle(Row).
  mlir::Value swizzle(NvBuilder &B, mlir::Value Row) const;
};

/// The same with a base of its own: for slots of a ring.
inline SharedTile withBase(SharedTile T, mlir::Value Base) {
  T.Base = Base;
  return T;
}

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_SHAREDTILE_H
