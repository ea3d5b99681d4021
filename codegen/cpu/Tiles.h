// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where tile values live. Queries run along the lanes: a tile of n x d elements
// that was computed, or that a query-side verb wants, is stored as [d][n] in
// the task's workspace, so that no reduction crosses lanes. Rows of keys and
// values are used as rows: those of f32 where they are, so that such a tile is
// only an address, or of a list one per row; all others as copies in the
// workspace, of the whole tile or of what a product is at (Panels.h).

#ifndef HEDDLE_CODEGEN_CPU_TILES_H
#define HEDDLE_CODEGEN_CPU_TILES_H

#include "codegen/cpu/KernelBuilder.h"
#include "mlir/IR/BuiltinTypes.h"

#include <map>
#include <optional>

namespace heddle::cpu {

/// A piece of the workspace.
struct Buffer {
  int64_t Offset = -1;
  int64_t Bytes = 0;
  mlir::Value Base;

  bool operator==(const Buffer &Other) const { return Offset == Other.Offset; }
  bool operator<(const Buffer &Other) const { return Offset < Other.Offset; }
  explicit operator bool() const { return Offset >= 0; }
};

/// Rows of elements somewhere in memory, ready for a product.
struct RowView {
  /// The tile's row 0, whether or not it exists.
  mlir::Value Base;
  /// Elements from row to row.
  mlir::Value Stride;
  /// The last row that may be read, relative to row 0; null when every row of
  /// the tile exists.
  mlir::Value Last;
  /// Instead of all these: pointer to the address of every row, and all rows
  /// can be read.
  mlir::Value Addresses = {};

  /// The address of a row of f32; that of the last one for a row that does not
  /// exist.
  mlir::Value row(KernelBuilder &B, mlir::Value Row) const;
};

/// Rows of a tensor in memory, by position: a stretch of positions or a list.
struct RowSource {
  /// f32, f16 or bf16.
  mlir::Type Element;
  /// Position 0.
  mlir::Value Base;
  /// Elements from one position to the next; features have stride 1.
  mlir::Value Stride;
  /// Positions [0, Length) exist.
  mlir::Value Length;
  /// The position of row 0; null where there is a list.
  mlir::Value First;
  /// One i64 per row.
  mlir::Value Positions;
  /// Those of all rows are known to exist.
  bool AllExist = false;

  /// True for rows that are ready where they are.
  bool isStretchOfF32() const { return First && Element.isF32(); }
  /// True for rows that are ready where they are once their addresses are
  /// known.
  bool isListOfF32() const { return Positions && Element.isF32(); }
  mlir::Value position(KernelBuilder &B, mlir::Value Row) const;
  mlir::Value exists(KernelBuilder &B, mlir::Value Position) const;
  /// The address of a position that exists.
  mlir::Value row(KernelBuilder &B, mlir::Value Position) const;
  /// The rows of a stretch where they lie.
  RowView view(KernelBuilder &B) const;
};

/// What every element of a stored tile is still to be multiplied with: at most
/// one of these.
struct TileFactor {
  /// Pointer to one per query, in whole vectors.
  mlir::Value PerQuery;
  /// One per feature: the first element of every row.
  RowView PerFeature;
  mlir::Value All;

  explicit operator bool() const { return PerQuery || PerFeature.Base || All; }
  /// Factors of `Count` vectors of one feature from an offset on; empty for
  /// none.
  KernelBuilder::Values vectors(KernelBuilder &B, mlir::Value Feature,
                                mlir::Value Offset, int64_t Count) const;
};

/// Keys [First, End) of a tile, i64; null for all of them.
struct KeySpan {
  mlir::Value First, End;
};

/// Rows of a stored tile times their factors.
struct ScaledRows {
  int64_t Rows, Length;
  mlir::Value From;
  TileFactor By;
  mlir::Value To;
};

/// The value of an SSA tile.
struct Tile {
  mlir::RankedTensorType Type;
  /// [axis 1][axis 0 rounded up to whole vectors] elements, or for a tile of
  /// bits [axis 1] rows of one mask word per vector, for positions one i64
  /// each.
  Buffer Data;
  /// Instead of `Data`: a tile nobody needs along the lanes.
  std::optional<RowView> InPlace;
  /// Instead of `Data`: rows of the transposed tile, likewise. Element (i, c)
  /// is element i of row c.
  std::optional<RowView> Columns;
  /// Instead of `Data`: rows that the only user fetches itself.
  std::optional<RowSource> Unfetched;
  /// `Data` stands for its elements times these.
  TileFactor Factor;

  int64_t queries() const { return Type.getDimSize(0); }
  /// Extent of axis 1; 1 for row statistics.
  int64_t features() const {
    return Type.getRank() == 2 ? Type.getDimSize(1) : 1;
  }
  bool isBits() const { return Type.getElementType().isInteger(1); }
  bool inWorkspace() const { return Data && !Factor; }
};

/// A tile as the scalar operand of a product: rows, or with `ByColumns` rows of
/// the transposed tile. What was computed serves as the latter, without a copy.
struct KeySide {
  RowView View;
  bool ByColumns;

  /// The address of an element.
  mlir::Value element(KernelBuilder &B, mlir::Value Row,
                      mlir::Value Column) const;
};

/// Hands out the workspace. What is allocated between `open` and `close` is
/// free again afterwards, apart from what is kept.
class Workspace {
public:
  Workspace(KernelBuilder &B, mlir::Block *Entry, mlir::Value Base)
      : B(B), Entry(Entry), Base(Base) {}

  Buffer allocate(int64_t Bytes);
  size_t open() const { return Live.size(); }
  void close(size_t Mark, llvm::ArrayRef<Buffer> Kept = {});
  /// True if the buffer was allocated after `Mark` was taken.
  bool isSince(const Buffer &Buf, size_t Mark) const;

  /// How much of it was in use at most.
  int64_t size() const { return End; }

private:
  KernelBuilder &B;
  mlir::Block *Entry;
  mlir::Value Base;
  int64_t End = 0;
  llvm::SmallVector<Buffer> Live;
  std::multimap<int64_t, Buffer> Free;
};

/// The integer type that holds the mask bits of one vector.
mlir::IntegerType wordType(KernelBuilder &B);
/// Bytes of a tile of this type.
int64_t tileBytes(KernelBuilder &B, mlir::RankedTensorType Type);
/// Elements from one row of the stored tile to the next.
int64_t rowLength(KernelBuilder &B, mlir::RankedTensorType Type);

/// Element by element over the whole of two stored tiles of one type.
void forEachVector(KernelBuilder &B, mlir::RankedTensorType Type,
                   llvm::function_ref<void(mlir::Value Offset)> Body);
void copyBuffer(KernelBuilder &B, mlir::RankedTensorType Type,
                const Buffer &From, const Buffer &To);
void emitScaledRows(KernelBuilder &B, const ScaledRows &S);
/// The addresses of the rows of a list. Rows that do not exist are all where
/// `Zeros` is: `Width` elements, in whole vectors.
struct RowAddresses {
  int64_t Rows, Width;
  RowSource From;
  mlir::Value Zeros, To;
};
void emitAddresses(KernelBuilder &B, const RowAddresses &A);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_TILES_H
