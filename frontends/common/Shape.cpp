// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Shape.h"

#include "frontends/common/Numbers.h"
#include "runtime/npy/Header.h"

#include <fmt/format.h>

using namespace heddle;
using namespace heddle::frontend;

/// In the order of ShapeSolver::Size.
static constexpr std::array<const char *, 7> SizeNames = {
    "b", "hq", "hkv", "sq", "sk", "d", "dv"};
static constexpr int64_t MaxSize = int64_t(1) << 31;
static constexpr int64_t MaxHeadDim = 512;

const char *frontend::layoutName(Layout Order) {
  return Order == Layout::Bhsd ? "bhsd" : "bshd";
}

ErrorText frontend::parseLayout(std::string_view Text, Layout &Out) {
  if (Text != "bhsd" && Text != "bshd")
    return fmt::format("--layout is '{}', expected bhsd or bshd", Text);
  Out = Text == "bhsd" ? Layout::Bhsd : Layout::Bshd;
  return std::nullopt;
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
  if (Order == Layout::Bshd)
    std::swap(Axes[1], Axes[2]);
  if (Shape.size() != Axes.size())
    return fmt::format("'{}' has rank {} (shape {}), expected rank 4 in the "
                       "order {}",
                       Source, Shape.size(), npy::shapeText(Shape),
                       layoutName(Order));
  for (size_t Axis = 0; Axis < Axes.size(); ++Axis)
    if (ErrorText Bad = add(Axes[Axis], Shape[Axis],
                            fmt::format("'{}' (axis {} of {})", Source, Axis,
                                        npy::shapeText(Shape))))
      return Bad;
  return std::nullopt;
}

void ShapeSolver::addDefault(Size Which, int64_t Value) {
  if (Sizes[Which].Source.empty())
    Sizes[Which] = {Value, "default"};
}

ErrorText ShapeSolver::solve(Problem &Out) const {
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
  if (Out.HeadsQ > 0 && (Out.HeadsKv == 0 || Out.HeadsQ % Out.HeadsKv != 0))
    return fmt::format(
        "'hq' is {} ({}), expected a multiple of 'hkv', which is "
        "{} ({})",
        Out.HeadsQ, Sizes[Hq].Source, Out.HeadsKv, Sizes[Hkv].Source);
  return std::nullopt;
}
