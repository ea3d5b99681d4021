// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Shape.h"

#include "frontends/common/Numbers.h"
#include "runtime/npy/Header.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

using namespace heddle;
using namespace heddle::frontend;

/// In the order of ShapeSolver::Size.
static constexpr std::array<const char *, 7> SizeNames = {
    "b", "hq", "hkv", "sq", "sk", "d", "dv"};
static constexpr int64_t MaxSize = int64_t(1) << 31;
static constexpr int64_t MaxHeadDim = 512;

static constexpr std::array<const char *, 3> LayoutNames = {"bhsd", "bshd",
                                                            "packed"};

const char *frontend::layoutName(Layout Order) {
  return LayoutNames[static_cast<size_t>(Order)];
}

ErrorText frontend::parseLayout(std::string_view Text, Layout &Out) {
  const auto *Found = std::find(LayoutNames.begin(), LayoutNames.end(), Text);
  if (Found == LayoutNames.end())
    return fmt::format("--layout is '{}', expected bhsd, bshd or packed", Text);
  Out = static_cast<Layout>(Found - LayoutNames.begin());
  return std::nullopt;
}

static int64_t longest(const std::vector<int64_t> &Ends, int64_t Otherwise) {
  if (Ends.empty())
    return Otherwise;
  int64_t Result = 0;
  for (size_t I = 1; I < Ends.size(); ++I)
    Result = std::max(Result, Ends[I] - Ends[I - 1]);
  return Result;
}

int64_t Problem::longestQ() const { return longest(CuSeqlensQ, SeqQ); }
int64_t Problem::longestK() const { return longest(CuSeqlensK, SeqK); }

static int64_t ceilDivide(int64_t X, int64_t Y) { return (X + Y - 1) / Y; }

int64_t Problem::blockRows(int64_t Block) const {
  if (!isRagged())
    return ceilDivide(SeqQ, Block);
  int64_t Rows = 0;
  for (size_t B = 1; B < CuSeqlensQ.size(); ++B)
    Rows += ceilDivide(CuSeqlensQ[B] - CuSeqlensQ[B - 1], Block);
  return Rows;
}

int64_t Problem::blockColumns(int64_t Block, size_t Source) const {
  return ceilDivide(Source == 0 ? longestK() : keys(Source), Block);
}

double Problem::pairs() const {
  double PerHead = 0;
  for (size_t B = 1; B < CuSeqlensQ.size(); ++B)
    PerHead += static_cast<double>(CuSeqlensQ[B] - CuSeqlensQ[B - 1]) *
               static_cast<double>(CuSeqlensK[B] - CuSeqlensK[B - 1]);
  const double Queries =
      static_cast<double>(tensorBatch()) * static_cast<double>(SeqQ);
  if (!isRagged())
    PerHead = Queries * static_cast<double>(SeqK);
  for (int64_t Keys : MoreKeys)
    PerHead += Queries * static_cast<double>(Keys);
  return PerHead * static_cast<double>(HeadsQ);
}

ErrorText ShapeSolver::add(Size Which, int64_t Value,
                           const std::string &Source) {
  bool IsHeadDim = Which == D || Which == Dv;
  int64_t Min = IsHeadDim ? 1 : 0, Max = IsHeadDim ? MaxHeadDim : MaxSize;
  if (Value < Min || Value > Max)
    return fmt::format("'{}' is {} in {}, expected {} to {}", SizeNames[Which],
                       Value, Source, Min, Max);
  Known &K = Sizes[Which];
  if (!K.Source.empty() && K.Value != Value)
    return fmt::format("'{}' is {} in {} but {} in {}", SizeNames[Which],
                       K.Value, K.Source, Value, Source);
  if (K.Source.empty())
    K = {Value, Source};
  return std::nullopt;
}

ErrorText ShapeSolver::addText(std::string_view Text) {
  std::array<bool, 7> Seen = {};
  for (std::string_view Item : split(Text, ',')) {
    size_t Equals = Item.find('=');
    std::string_view Name = Item.substr(0, Equals);
    size_t Which = 0;
    while (Which < SizeNames.size() && Name != SizeNames[Which])
      ++Which;
    if (Equals == Item.npos || Which == SizeNames.size())
      return fmt::format("--shape has '{}', expected size=number with one of "
                         "{}, as in b=1,hq=8,hkv=2,sq=4096,sk=4096,d=64",
                         Item, fmt::join(SizeNames, ", "));
    if (Seen[Which])
      return fmt::format("--shape gives '{}' twice", Name);
    Seen[Which] = true;
    int64_t Value = 0;
    if (ErrorText Bad = parseInteger(Item.substr(Equals + 1),
                                     fmt::format("'{}' in --shape", Name),
                                     INT64_MIN, INT64_MAX, Value))
      return Bad;
    if (ErrorText Bad = add(static_cast<Size>(Which), Value, "--shape"))
      return Bad;
  }
  return std::nullopt;
}

ErrorText ShapeSolver::addTensor(char Tensor, const std::vector<int64_t> &Shape,
                                 Layout Order, const std::string &Source) {
  bool HasQueries = Tensor == 'q' || Tensor == 'o';
  bool HasValues = Tensor == 'v' || Tensor == 'o';
  std::array<Size, 4> Axes = {B, HasQueries ? Hq : Hkv, HasQueries ? Sq : Sk,
                              HasValues ? Dv : D};
  if (Order != Layout::Bhsd)
    std::swap(Axes[1], Axes[2]);
  if (Shape.size() != Axes.size())
    return fmt::format("'{}' has rank {} (shape {}), expected rank 4 in the "
                       "order {}",
                       Source, Shape.size(), npy::shapeText(Shape),
                       layoutName(Order));
  for (size_t Axis = 0; Axis < Axes.size(); ++Axis)
    if (ErrorText Bad = addAxis(Axes[Axis], Shape, Axis, Source))
      return Bad;
  return std::nullopt;
}

ErrorText ShapeSolver::addAxis(Size Which, const std::vector<int64_t> &Shape,
                               size_t Axis, const std::string &Source) {
  if (Which == B && !CuQ.empty()) {
    if (Shape[Axis] == 1)
      return std::nullopt;
    return fmt::format("'{}' has shape {}, expected one batch element that "
                       "holds all sequences of a ragged batch",
                       Source, npy::shapeText(Shape));
  }
  return add(
      Which, Shape[Axis],
      fmt::format("'{}' (axis {} of {})", Source, Axis, npy::shapeText(Shape)));
}

ErrorText ShapeSolver::addPacked(const std::vector<int64_t> &Shape,
                                 const std::string &Source) {
  if (Shape.size() != 4)
    return fmt::format("'{}' has rank {} (shape {}), expected rank 4: batch, "
                       "sequence, heads of q, k and v, feature",
                       Source, Shape.size(), npy::shapeText(Shape));
  const std::pair<Size, size_t> Axes[] = {
      {B, 0}, {Sq, 1}, {Sk, 1}, {D, 3}, {Dv, 3}};
  for (auto [Which, Axis] : Axes)
    if (ErrorText Bad = addAxis(Which, Shape, Axis, Source))
      return Bad;
  PackedHeads = {Shape[2], fmt::format("'{}' (axis 2 of {})", Source,
                                       npy::shapeText(Shape))};
  return std::nullopt;
}

ErrorText ShapeSolver::addRagged(const std::vector<int64_t> &CuSeqlensQ,
                                 const std::vector<int64_t> &CuSeqlensK) {
  CuQ = CuSeqlensQ;
  CuK = CuSeqlensK;
  const std::tuple<Size, int64_t, const char *> Facts[] = {
      {B, static_cast<int64_t>(CuQ.size()) - 1, "--cu-seqlens-q"},
      {B, static_cast<int64_t>(CuK.size()) - 1, "--cu-seqlens-k"},
      {Sq, CuQ.back(), "--cu-seqlens-q"},
      {Sk, CuK.back(), "--cu-seqlens-k"}};
  for (auto [Which, Value, Source] : Facts)
    if (ErrorText Bad = add(Which, Value, Source))
      return Bad;
  return std::nullopt;
}

/// Splits the heads of a packed tensor: q has as many as it is known to have,
/// and what is left is shared by k and v.
ErrorText ShapeSolver::splitHeads() {
  if (PackedHeads.Source.empty())
    return std::nullopt;
  const int64_t All = PackedHeads.Value;
  int64_t Queries = Sizes[Hq].Value, Keys = Sizes[Hkv].Value;
  if (Queries < 0 && Keys < 0)
    Queries = Keys = All / 3;
  else if (Queries < 0)
    Queries = All - 2 * Keys;
  else if (Keys < 0)
    Keys = (All - Queries) / 2;
  if (Queries < 0 || Keys < 0 || Queries + 2 * Keys != All)
    return fmt::format("{} heads in {} cannot be split into those of q, k "
                       "and v; give 'hq' and 'hkv' in --shape such "
                       "that hq + 2 hkv = {}",
                       All, PackedHeads.Source, All);
  if (ErrorText Bad = add(Hq, Queries, PackedHeads.Source))
    return Bad;
  return add(Hkv, Keys, PackedHeads.Source);
}

void ShapeSolver::addDefault(Size Which, int64_t Value) {
  if (Sizes[Which].Source.empty())
    Sizes[Which] = {Value, "default"};
}

ErrorText ShapeSolver::solve(Problem &Out) {
  if (ErrorText Bad = splitHeads())
    return Bad;
  for (Size Needed : {Hq, Sq, D})
    if (Sizes[Needed].Source.empty())
      return fmt::format("the size '{}' is not known; give it as --shape "
                         "{}=number",
                         SizeNames[Needed], SizeNames[Needed]);
  auto Get = [&](Size Which, int64_t Default) {
    return Sizes[Which].Source.empty() ? Default : Sizes[Which].Value;
  };
  Out.Batch = Get(B, 1);
  Out.HeadsQ = Sizes[Hq].Value;
  Out.HeadsKv = Get(Hkv, Out.HeadsQ);
  Out.SeqQ = Sizes[Sq].Value;
  Out.SeqK = Get(Sk, Out.SeqQ);
  Out.HeadDim = Sizes[D].Value;
  Out.ValueDim = Get(Dv, Out.HeadDim);
  Out.CuSeqlensQ = CuQ;
  Out.CuSeqlensK = CuK;
  if (Out.HeadsQ > 0 && (Out.HeadsKv == 0 || Out.HeadsQ % Out.HeadsKv != 0))
    return fmt::format(
        "'hq' is {} ({}), expected a multiple of 'hkv', which is "
        "{} ({})",
        Out.HeadsQ, Sizes[Hq].Source, Out.HeadsKv, Sizes[Hkv].Source);
  return std::nullopt;
}
