// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/MaskForms.h"
#include "runtime/npy/Header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

using namespace heddle;
using namespace heddle::importers;

int64_t MaskSlice::pairsAt(int64_t Distance) const {
  const int64_t Begin = std::max<int64_t>(0, -Distance);
  const int64_t End = std::min(Keys, Queries - Distance);
  return std::max<int64_t>(0, End - Begin);
}

int64_t MaskSlice::eligible(int64_t Key) const {
  return Queries - std::clamp<int64_t>(Key + Nearest, 0, Queries);
}

/// Fills what is counted.
static void count(MaskSlice &Of) {
  Of.ByKey.assign(static_cast<size_t>(Of.Keys), 0);
  Of.ByDistance.assign(static_cast<size_t>(Of.Queries + Of.Keys - 1), 0);
  Of.First.assign(static_cast<size_t>(Of.Queries), 0);
  Of.End.assign(static_cast<size_t>(Of.Queries), 0);
  for (int64_t Q = 0; Q < Of.Queries; ++Q) {
    const auto Row = static_cast<size_t>(Q);
    int64_t InRow = 0;
    for (int64_t K = 0; K < Of.Keys; ++K) {
      if (!Of.at(Q, K))
        continue;
      if (InRow++ == 0)
        Of.First[Row] = K;
      Of.End[Row] = K + 1;
      ++Of.ByKey[static_cast<size_t>(K)];
      ++Of.ByDistance[static_cast<size_t>(Q - K + Of.Keys - 1)];
    }
    Of.Kept += InRow;
    Of.RowsAreRuns &= Of.End[Row] - Of.First[Row] == InRow;
    if (InRow == 0)
      continue;
    const int64_t Nearest = Q - (Of.End[Row] - 1), Farthest = Q - Of.First[Row];
    const bool IsFirst = Of.Kept == InRow;
    Of.Nearest = IsFirst ? Nearest : std::min(Of.Nearest, Nearest);
    Of.Farthest = IsFirst ? Farthest + 1 : std::max(Of.Farthest, Farthest + 1);
  }
}

ErrorText Mask::read(const std::string &Path) {
  if (ErrorText Bad = npy::read(Path, Data, {HEDDLE_BOOL}))
    return Bad;
  std::vector<int64_t> Shape = Data.Shape;
  if (Shape.size() < 2 || Shape.size() > 4)
    return fmt::format("'{}' has shape {}, expected (queries, keys), (heads, "
                       "queries, keys) or (batch, heads, queries, keys)",
                       Path, npy::shapeText(Shape));
  if (Data.Data.size() == 0)
    return fmt::format("'{}' has shape {}, expected at least one pair", Path,
                       npy::shapeText(Shape));
  Shape.insert(Shape.begin(), 4 - Shape.size(), 1);
  FileBatch = Batch = Shape[0];
  FileHeads = Heads = Shape[1];
  Queries = Shape[2];
  Keys = Shape[3];
  auto *Bytes = Data.Data.data<uint8_t>();
  std::transform(Bytes, Bytes + Data.Data.size(), Bytes,
                 [](uint8_t X) { return static_cast<uint8_t>(X != 0); });

  // Equal sequences count once, and equal heads.
  const auto Pairs = static_cast<size_t>(Queries * Keys);
  auto SliceOf = [&](int64_t B, int64_t H) {
    return Bytes + static_cast<size_t>(B * FileHeads + H) * Pairs;
  };
  bool SameBatch = true, SameHeads = true;
  for (int64_t B = 0; B < FileBatch; ++B)
    for (int64_t H = 0; H < FileHeads; ++H) {
      SameBatch &= std::memcmp(SliceOf(B, H), SliceOf(0, H), Pairs) == 0;
      SameHeads &= std::memcmp(SliceOf(B, H), SliceOf(B, 0), Pairs) == 0;
    }
  Batch = SameBatch ? 1 : FileBatch;
  Heads = SameHeads ? 1 : FileHeads;
  for (int64_t B = 0; B < Batch; ++B)
    for (int64_t H = 0; H < Heads; ++H) {
      MaskSlice Slice;
      Slice.Queries = Queries;
      Slice.Keys = Keys;
      Slice.Data = SliceOf(B, H);
      count(Slice);
      Slices.push_back(std::move(Slice));
    }
  return std::nullopt;
}

int64_t Mask::kept() const {
  int64_t Sum = 0;
  for (const MaskSlice &Slice : Slices)
    Sum += Slice.Kept;
  return Sum * (FileBatch / Batch) * (FileHeads / Heads);
}

bool Mask::isKeptBy(const Keep &Pattern) const {
  std::vector<uint8_t> Row(static_cast<size_t>(Keys));
  for (int64_t B = 0; B < Batch; ++B)
    for (int64_t H = 0; H < Heads; ++H)
      for (int64_t Q = 0; Q < Queries; ++Q) {
        Pattern.evaluate(B, H, Q, Row);
        const MaskSlice &Slice = Slices[static_cast<size_t>(B * Heads + H)];
        if (std::memcmp(Row.data(), Slice.Data + Q * Keys, Row.size()) != 0)
          return false;
      }
  return true;
}
