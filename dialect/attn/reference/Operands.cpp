// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Operands.h"

#include "dialect/attn/reference/Failure.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <limits>
#include <optional>

using namespace heddle::attn;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

static double roundToFloat(double Value) {
  return static_cast<double>(static_cast<float>(Value));
}

Operand Operand::real(double Value) {
  Operand Out;
  Out.Kind = HEDDLE_REAL;
  Out.Real = roundToFloat(Value);
  return Out;
}

Operand Operand::integers(std::vector<int64_t> Shape,
                          std::vector<int64_t> Values) {
  Data Content;
  Content.Shape = std::move(Shape);
  Content.Integers = std::move(Values);
  return {HEDDLE_INTEGER_TABLE, std::move(Content)};
}

Operand Operand::reals(std::vector<int64_t> Shape, std::vector<double> Values) {
  Data Content;
  Content.Shape = std::move(Shape);
  Content.Reals = std::move(Values);
  for (double &Value : Content.Reals)
    Value = roundToFloat(Value);
  return {HEDDLE_REAL_TABLE, std::move(Content)};
}

Operand Operand::sets(std::vector<int64_t> Shape, int64_t Size,
                      std::vector<std::vector<int64_t>> Rows) {
  Data Content;
  Content.Shape = std::move(Shape);
  Content.Rows = std::move(Rows);
  Content.Size = Size;
  return {HEDDLE_SET, std::move(Content)};
}

int64_t Operand::find(const int64_t *Indices, unsigned &Axis) const {
  int64_t Number = 0;
  for (unsigned A = 0; A < Content->Shape.size(); ++A) {
    const int64_t Extent = Content->Shape[A];
    const int64_t Index = Extent == 1 ? 0 : Indices[A];
    if (Index < 0 || Index >= Extent) {
      Axis = A;
      return -1;
    }
    Number = Number * Extent + Index;
  }
  return Number;
}

static llvm::StringRef nameOf(heddle_param_kind Kind) {
  switch (Kind) {
  case HEDDLE_INTEGER:
    return "an integer";
  case HEDDLE_REAL:
    return "a real number";
  case HEDDLE_INTEGER_TABLE:
    return "a table of integers";
  case HEDDLE_REAL_TABLE:
    return "a table of reals";
  case HEDDLE_SET:
    return "sets";
  }
  return "something unknown";
}

llvm::Error Operand::check(const ParamInfo &Param) const {
  if (Kind != Param.Kind)
    return invalid("expected " + nameOf(Param.Kind) + " for parameter '" +
                   Param.Name + "', found " + nameOf(Kind));
  if (!Content)
    return llvm::Error::success();
  if (Content->Shape.size() != Param.Rank)
    return invalid("expected " + llvm::Twine(Param.Rank) +
                   " axes for parameter '" + Param.Name + "', found " +
                   llvm::Twine(Content->Shape.size()));
  uint64_t Elements = 1;
  for (int64_t Extent : Content->Shape)
    Elements *= static_cast<uint64_t>(std::max<int64_t>(Extent, 0));
  const size_t Held = Kind == HEDDLE_SET             ? Content->Rows.size()
                      : Kind == HEDDLE_INTEGER_TABLE ? Content->Integers.size()
                                                     : Content->Reals.size();
  if (Held != Elements)
    return invalid("expected " + llvm::Twine(Elements) +
                   " elements for the shape of parameter '" + Param.Name +
                   "', found " + llvm::Twine(Held));
  return llvm::Error::success();
}

llvm::Error OperandList::check(const llvm::Twine &Of,
                               llvm::ArrayRef<ParamInfo> Params) const {
  if (size() != Params.size())
    return invalid(Of + " has " + llvm::Twine(Params.size()) +
                   " parameters, found " + llvm::Twine(size()) + " values");
  for (auto [I, Param] : llvm::enumerate(Params))
    if (llvm::Error E = (*this)[I].check(Param))
      return E;
  return llvm::Error::success();
}

llvm::Expected<OperandList>
OperandList::read(const heddle_value *Values,
                  llvm::ArrayRef<ParamInfo> Params) {
  if (!Values && !Params.empty())
    return invalid("expected " + llvm::Twine(Params.size()) +
                   " parameters, found none");
  std::vector<Operand> Out;
  for (auto [I, Param] : llvm::enumerate(Params)) {
    llvm::Expected<Operand> One = Operand::read(Values[I], Param);
    if (!One)
      return One.takeError();
    Out.push_back(std::move(*One));
  }
  return OperandList(std::move(Out));
}

//===----------------------------------------------------------------------===//
// Tensors of a caller
//===----------------------------------------------------------------------===//

namespace {

/// A tensor whose elements are read one by one, in any strides.
class TensorReader {
public:
  static llvm::Expected<TensorReader>
  create(const heddle_tensor *Tensor, llvm::StringRef What, const ParamInfo &Of,
         unsigned Rank, llvm::ArrayRef<heddle_dtype> Types) {
    const std::string Name =
        ("the " + What + " of parameter '" + Of.Name + "'").str();
    if (!Tensor)
      return invalid(Name + " are absent");
    if (Tensor->rank != static_cast<int32_t>(Rank))
      return invalid("expected " + llvm::Twine(Rank) + " axes for " + Name +
                     ", found " + llvm::Twine(Tensor->rank));
    if (!llvm::is_contained(Types, Tensor->dtype))
      return invalid(Name + " have the wrong element type");
    TensorReader Out;
    Out.From = Tensor;
    Out.Elements = 1;
    for (unsigned A = 0; A < Rank; ++A) {
      if (Tensor->shape[A] < 0)
        return invalid(Name + " have the negative extent " +
                       llvm::Twine(Tensor->shape[A]));
      Out.Elements *= Tensor->shape[A];
    }
    if (Out.Elements != 0 && !Tensor->data)
      return invalid(Name + " have no data");
    Out.Strides.resize(Rank);
    int64_t Gapless = 1;
    for (unsigned A = Rank; A-- > 0; Gapless *= Tensor->shape[A])
      Out.Strides[A] = Tensor->strides ? Tensor->strides[A] : Gapless;
    return Out;
  }

  int64_t extent(size_t Axis) const { return From->shape[Axis]; }
  int64_t elements() const { return Elements; }

  /// Offset in memory of element `Number` in row-major order of `Shape`, which
  /// is the tensor's own but where that has extent 1.
  int64_t offset(int64_t Number, llvm::ArrayRef<int64_t> Shape) const {
    int64_t Offset = 0;
    for (size_t A = Shape.size(); A-- > 0; Number /= Shape[A])
      if (extent(A) != 1)
        Offset += Number % Shape[A] * Strides[A];
    return Offset;
  }
  int64_t stride(size_t Axis) const { return Strides[Axis]; }

  int64_t integer(int64_t Offset) const {
    switch (From->dtype) {
    case HEDDLE_I32:
      return static_cast<const int32_t *>(From->data)[Offset];
    case HEDDLE_I64:
      return static_cast<const int64_t *>(From->data)[Offset];
    default:
      return static_cast<const uint8_t *>(From->data)[Offset];
    }
  }
  double real(int64_t Offset) const {
    return static_cast<double>(static_cast<const float *>(From->data)[Offset]);
  }

private:
  const heddle_tensor *From = nullptr;
  llvm::SmallVector<int64_t, 4> Strides;
  int64_t Elements = 0;
};

constexpr heddle_dtype IndexTypes[] = {HEDDLE_I32, HEDDLE_I64};

/// Joins the leading extents of two tensors: equal, or 1 in one of them.
llvm::Error joinShape(std::vector<int64_t> &Shape, const TensorReader &Of,
                      const ParamInfo &Param) {
  for (auto [A, Extent] : llvm::enumerate(Shape)) {
    if (Extent != Of.extent(A) && Extent != 1 && Of.extent(A) != 1)
      return invalid("the tensors of parameter '" + Param.Name +
                     "' do not fit together along axis " + llvm::Twine(A) +
                     ", found the extents " + llvm::Twine(Extent) + " and " +
                     llvm::Twine(Of.extent(A)));
    if (Extent == 1)
      Extent = Of.extent(A);
  }
  return llvm::Error::success();
}

int64_t product(llvm::ArrayRef<int64_t> Shape) {
  int64_t Out = 1;
  for (int64_t Extent : Shape)
    Out *= Extent;
  return Out;
}

/// The sets of one parameter while they are read.
class SetReader {
public:
  SetReader(const ParamInfo &Of, int64_t Size) : Of(Of), Size(Size) {}

  llvm::Error readLists(const heddle_sets &From) {
    auto Indices = TensorReader::create(From.indices, "indices", Of,
                                        Of.Rank + 1, IndexTypes);
    if (!Indices)
      return Indices.takeError();
    for (unsigned A = 0; A < Of.Rank; ++A)
      Shape.push_back(Indices->extent(A));
    std::optional<TensorReader> Lengths;
    if (From.lengths) {
      auto Made = TensorReader::create(From.lengths, "lengths", Of, Of.Rank,
                                       IndexTypes);
      if (!Made)
        return Made.takeError();
      Lengths = *Made;
      if (llvm::Error E = joinShape(Shape, *Lengths, Of))
        return E;
    }
    for (int64_t Row = 0, E = product(Shape); Row < E; ++Row) {
      const int64_t Length = Lengths
                                 ? Lengths->integer(Lengths->offset(Row, Shape))
                                 : Indices->extent(Of.Rank);
      if (llvm::Error Bad =
              append(*Indices, Indices->offset(Row, Shape), 0, Length))
        return Bad;
    }
    return llvm::Error::success();
  }

  llvm::Error readCsr(const heddle_sets &From) {
    IsCsr = true;
    if (Of.Rank == 0)
      return invalid("the one set of parameter '" + Of.Name +
                     "' has no rows, expected it as a list or a map");
    auto Starts =
        TensorReader::create(From.indptr, "indptr", Of, Of.Rank, IndexTypes);
    if (!Starts)
      return Starts.takeError();
    auto Indices =
        TensorReader::create(From.indices, "indices", Of, Of.Rank, IndexTypes);
    if (!Indices)
      return Indices.takeError();
    std::vector<int64_t> Leading;
    for (unsigned A = 0; A + 1 < Of.Rank; ++A)
      Leading.push_back(Indices->extent(A));
    if (llvm::Error E = joinShape(Leading, *Starts, Of))
      return E;
    const int64_t RowCount = Starts->extent(Of.Rank - 1) - 1;
    if (RowCount < 0)
      return invalid("the indptr of parameter '" + Of.Name +
                     "' is empty, expected one element more than rows");
    Shape = Leading;
    Shape.push_back(RowCount);
    const int64_t Stride = Starts->stride(Of.Rank - 1);
    for (int64_t Outer = 0, E = product(Leading); Outer < E; ++Outer) {
      const int64_t First = Starts->offset(Outer, Leading);
      for (int64_t Row = 0; Row < RowCount; ++Row)
        if (llvm::Error Bad =
                append(*Indices, Indices->offset(Outer, Leading),
                       Starts->integer(First + Row * Stride),
                       Starts->integer(First + (Row + 1) * Stride)))
          return Bad;
    }
    return llvm::Error::success();
  }

  llvm::Error readMap(const heddle_sets &From) {
    const heddle_dtype Types[] = {HEDDLE_BOOL};
    auto Map = TensorReader::create(From.map, "map", Of, Of.Rank + 1, Types);
    if (!Map)
      return Map.takeError();
    if (Map->extent(Of.Rank) != Size)
      return invalid("expected " + llvm::Twine(Size) +
                     " elements along the last axis of the map of parameter '" +
                     Of.Name + "', found " + llvm::Twine(Map->extent(Of.Rank)));
    for (unsigned A = 0; A < Of.Rank; ++A)
      Shape.push_back(Map->extent(A));
    for (int64_t Row = 0, E = product(Shape); Row < E; ++Row) {
      const int64_t Offset = Map->offset(Row, Shape);
      std::vector<int64_t> &Members = Rows.emplace_back();
      for (int64_t X = 0; X < Size; ++X)
        if (Map->integer(Offset + X * Map->stride(Of.Rank)) != 0)
          Members.push_back(X);
    }
    return llvm::Error::success();
  }

  std::vector<int64_t> Shape;
  std::vector<std::vector<int64_t>> Rows;

private:
  /// Appends members [Begin, End) of a row of `Indices` that starts at
  /// `Offset` as the next set.
  llvm::Error append(const TensorReader &Indices, int64_t Offset, int64_t Begin,
                     int64_t End) {
    // Rows of CSR share the last axis of the sets.
    const unsigned Axis = Of.Rank - (IsCsr ? 1 : 0);
    const int64_t Capacity = Indices.extent(Axis);
    if (Begin < 0 || Begin > End || End > Capacity)
      return invalid("set " + llvm::Twine(Rows.size()) + " of parameter '" +
                     Of.Name + "' has the members [" + llvm::Twine(Begin) +
                     ", " + llvm::Twine(End) + ") of " + llvm::Twine(Capacity));
    std::vector<int64_t> &Row = Rows.emplace_back();
    const int64_t Stride = Indices.stride(Axis);
    for (int64_t I = Begin; I < End; ++I) {
      const int64_t Member = Indices.integer(Offset + I * Stride);
      if (Member < 0 || Member >= Size)
        return invalid("expected the members of parameter '" + Of.Name +
                       "' in [0, " + llvm::Twine(Size) + "), found " +
                       llvm::Twine(Member) + " in set " +
                       llvm::Twine(Rows.size() - 1));
      if (!Row.empty() && Row.back() >= Member)
        return invalid("expected ascending members of parameter '" + Of.Name +
                       "', found " + llvm::Twine(Member) + " after " +
                       llvm::Twine(Row.back()) + " in set " +
                       llvm::Twine(Rows.size() - 1));
      Row.push_back(Member);
    }
    return llvm::Error::success();
  }

  const ParamInfo &Of;
  int64_t Size;
  bool IsCsr = false;
};

} // namespace

llvm::Expected<Operand> Operand::readTable(const heddle_tensor *Table,
                                           const ParamInfo &Of) {
  const heddle_dtype RealTypes[] = {HEDDLE_F32};
  const bool IsReal = Of.Kind == HEDDLE_REAL_TABLE;
  auto Reader = TensorReader::create(Table, "elements", Of, Of.Rank,
                                     IsReal ? llvm::ArrayRef(RealTypes)
                                            : llvm::ArrayRef(IndexTypes));
  if (!Reader)
    return Reader.takeError();
  const std::vector<int64_t> Shape(Table->shape, Table->shape + Of.Rank);
  std::vector<int64_t> Integers;
  std::vector<double> Reals;
  for (int64_t I = 0; I < Reader->elements(); ++I) {
    const int64_t Offset = Reader->offset(I, Shape);
    if (IsReal)
      Reals.push_back(Reader->real(Offset));
    else
      Integers.push_back(Reader->integer(Offset));
  }
  return IsReal ? reals(Shape, std::move(Reals))
                : integers(Shape, std::move(Integers));
}

llvm::Expected<Operand> Operand::readSets(const heddle_sets *Sets,
                                          const ParamInfo &Of) {
  if (!Sets)
    return invalid("the sets of parameter '" + Of.Name + "' are absent");
  if (Sets->size < 0)
    return invalid("the sets of parameter '" + Of.Name +
                   "' have the negative size " + llvm::Twine(Sets->size));
  SetReader Reader(Of, Sets->size);
  llvm::Error Bad = Sets->format == HEDDLE_LISTS ? Reader.readLists(*Sets)
                    : Sets->format == HEDDLE_CSR ? Reader.readCsr(*Sets)
                    : Sets->format == HEDDLE_MAP
                        ? Reader.readMap(*Sets)
                        : invalid("the sets of parameter '" + Of.Name +
                                  "' have the unknown format " +
                                  llvm::Twine(static_cast<int>(Sets->format)));
  if (Bad)
    return std::move(Bad);
  return sets(std::move(Reader.Shape), Sets->size, std::move(Reader.Rows));
}

llvm::Expected<Operand> Operand::read(const heddle_value &Value,
                                      const ParamInfo &Of) {
  switch (Of.Kind) {
  case HEDDLE_INTEGER:
    return Operand(Value.integer);
  case HEDDLE_REAL:
    return real(Value.real);
  case HEDDLE_INTEGER_TABLE:
  case HEDDLE_REAL_TABLE:
    return readTable(Value.table, Of);
  case HEDDLE_SET:
    return readSets(Value.sets, Of);
  }
  return invalid("parameter '" + llvm::Twine(Of.Name) +
                 "' has the unknown kind " +
                 llvm::Twine(static_cast<int>(Of.Kind)));
}
