// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/Operand.h"

#include <algorithm>
#include <numeric>

using namespace heddle;
using namespace heddle::importers;

int64_t importers::product(const std::vector<int64_t> &Shape) {
  return std::accumulate(Shape.begin(), Shape.end(), int64_t(1),
                         [](int64_t A, int64_t B) { return A * B; });
}

int64_t importers::sortUnique(std::vector<int32_t> &Members) {
  std::sort(Members.begin(), Members.end());
  auto End = std::unique(Members.begin(), Members.end());
  const int64_t Dropped = Members.end() - End;
  Members.erase(End, Members.end());
  return Dropped;
}

Operand Operand::table(std::string Name, std::vector<int64_t> Shape,
                       std::vector<int32_t> Values) {
  Operand Result;
  Result.Name = std::move(Name);
  Result.Shape = std::move(Shape);
  Result.Values = std::move(Values);
  return Result;
}

/// Whether all of `Count` stretches of `Length` elements are equal.
static bool repeats(const int32_t *First, int64_t Count, int64_t Length) {
  for (int64_t I = 1; I < Count; ++I)
    if (!std::equal(First, First + Length, First + I * Length))
      return false;
  return true;
}

Operand Operand::collapsed() && {
  if (Values.empty())
    return std::move(*this);
  for (size_t Axis = 0; Axis < std::min<size_t>(2, Shape.size()); ++Axis) {
    const int64_t Extent = Shape[Axis];
    int64_t Length = 1;
    for (size_t Inner = Axis + 1; Inner < Shape.size(); ++Inner)
      Length *= Shape[Inner];
    const int64_t Outer =
        static_cast<int64_t>(Values.size()) / (Extent * Length);
    bool Same = true;
    for (int64_t I = 0; I < Outer; ++I)
      Same &= repeats(Values.data() + I * Extent * Length, Extent, Length);
    if (!Same)
      continue;
    for (int64_t I = 0; I < Outer; ++I)
      std::copy_n(Values.begin() + I * Extent * Length, Length,
                  Values.begin() + I * Length);
    Values.resize(static_cast<size_t>(Outer * Length));
    Shape[Axis] = 1;
  }
  return std::move(*this);
}

Operand Operand::sets(std::string Name, std::vector<int64_t> Shape,
                      int64_t Size, std::vector<std::vector<int32_t>> Rows) {
  Operand Result;
  Result.Name = std::move(Name);
  Result.Shape = std::move(Shape);
  Result.Size = Size;
  Result.Rows = std::move(Rows);
  for (std::vector<int32_t> &Row : Result.Rows)
    sortUnique(Row);
  Result.As = Storage::Lists;
  // CSR counts rows along the last index, of which there must be one, and
  // members in 32 bits.
  if (!Result.Shape.empty() && Result.members() <= INT32_MAX &&
      Result.bytesAs(Storage::Csr) < Result.bytesAs(Result.As))
    Result.As = Storage::Csr;
  if (Result.bytesAs(Storage::Map) < Result.bytesAs(Result.As))
    Result.As = Storage::Map;
  return Result;
}

int64_t Operand::members() const {
  int64_t Count = 0;
  for (const std::vector<int32_t> &Row : Rows)
    Count += static_cast<int64_t>(Row.size());
  return Count;
}

/// The largest number of members of `Group` consecutive rows.
static int64_t capacity(const std::vector<std::vector<int32_t>> &Rows,
                        size_t Group) {
  int64_t Largest = 0;
  for (size_t Begin = 0; Begin < Rows.size(); Begin += Group) {
    int64_t Sum = 0;
    for (size_t I = Begin; I < std::min(Rows.size(), Begin + Group); ++I)
      Sum += static_cast<int64_t>(Rows[I].size());
    Largest = std::max(Largest, Sum);
  }
  return Largest;
}

int64_t Operand::bytesAs(Storage How) const {
  const auto NumRows = static_cast<int64_t>(Rows.size());
  switch (How) {
  case Storage::Table:
    return 4 * static_cast<int64_t>(Values.size());
  case Storage::Lists:
    return 4 * (NumRows * capacity(Rows, 1) + NumRows);
  case Storage::Csr: {
    const int64_t Last = std::max<int64_t>(1, Shape.back());
    const int64_t Groups = NumRows / Last;
    return 4 * Groups * (Last + 1 + capacity(Rows, static_cast<size_t>(Last)));
  }
  case Storage::Map:
    return NumRows * Size;
  }
  return 0;
}

int64_t Operand::offset(const int64_t *Indices) const {
  int64_t Number = 0;
  for (size_t Axis = 0; Axis < Shape.size(); ++Axis)
    Number = Number * Shape[Axis] + (Shape[Axis] == 1 ? 0 : Indices[Axis]);
  return Number;
}
