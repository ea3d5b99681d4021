// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/Import.h"
#include "frontends/importers/IndexTensor.h"
#include "frontends/importers/Keep.h"
#include "frontends/importers/Text.h"
#include "runtime/npy/Header.h"

#include <fmt/format.h>

using namespace heddle;
using namespace heddle::importers;

/// What the bounds of a column are, by their number and the causal flag.
static ErrorText boundNames(const FlashMaskOptions &Options, int64_t Bounds,
                            std::vector<std::string> &Out) {
  if (Options.Causal && Bounds == 1)
    Out = {"lower_start"};
  else if (Options.Causal && Bounds == 2)
    Out = {"lower_start", "lower_end"};
  else if (!Options.Causal && Bounds == 2)
    Out = {"lower_start", "upper_end"};
  else if (!Options.Causal && Bounds == 4)
    Out = {"lower_start", "lower_end", "upper_start", "upper_end"};
  else
    return fmt::format("'{}' has {} per column, expected {}; {}",
                       Options.Bounds, counted(Bounds, "bound"),
                       Options.Causal ? "1 or 2 for a causal mask"
                                      : "2 or 4 for a mask that is not causal",
                       Options.Causal ? "leave out --causal for 4"
                                      : "give --causal for 1");
  return std::nullopt;
}

static ErrorText checkTensor(const IndexTensor &Tensor) {
  if (Tensor.rank() != 4)
    return fmt::format("'{}' has shape {}, expected (batch, heads, keys, "
                       "bounds)",
                       Tensor.path(), npy::shapeText(Tensor.shape()));
  for (size_t Axis = 0; Axis < 3; ++Axis)
    if (Tensor.shape()[Axis] == 0)
      return fmt::format("'{}' has shape {}, expected at least one sequence, "
                         "head and key",
                         Tensor.path(), npy::shapeText(Tensor.shape()));
  for (int64_t I = 0; I < Tensor.size(); ++I)
    if (Tensor[I] < 0)
      return fmt::format("'{}' has {} at {}, expected a row, 0 or above",
                         Tensor.path(), Tensor[I], Tensor.place(I));
  return std::nullopt;
}

/// Rows outside of [Start, End).
static Expr outside(Keep &Of, Expr Start, Expr End) {
  return Of.either(Of.less(Of.q(), Start), Of.lessEqual(End, Of.q()));
}

ErrorText importers::importFlashMask(const FlashMaskOptions &Options,
                                     Import &Out) {
  IndexTensor Tensor;
  if (ErrorText Bad = Tensor.read(Options.Bounds, {HEDDLE_I32}))
    return Bad;
  if (ErrorText Bad = checkTensor(Tensor))
    return Bad;
  const std::vector<int64_t> Shape = {Tensor.shape()[0], Tensor.shape()[1],
                                      Tensor.shape()[2]};
  const int64_t Bounds = Tensor.shape()[3];
  std::vector<std::string> Names;
  if (ErrorText Bad = boundNames(Options, Bounds, Names))
    return Bad;

  // One table per bound: the keys must be the last axis for runs of keys to be
  // judged at once.
  Keep Pattern("flashmask");
  const int64_t Heads = Shape[1];
  Expr Head =
      Heads == 1 ? Pattern.h() : Pattern.floorDiv(Pattern.h(), Options.Group);
  std::vector<Expr> Bound;
  for (int64_t I = 0; I < Bounds; ++I) {
    std::vector<int32_t> Values;
    for (int64_t Column = 0; Column < product(Shape); ++Column)
      Values.push_back(static_cast<int32_t>(Tensor[Column * Bounds + I]));
    unsigned Table = Pattern.operand(Operand::table(
        Names[static_cast<size_t>(I)], Shape, std::move(Values)));
    Bound.push_back(Pattern.at(Table, {Pattern.b(), Head, Pattern.k()}));
  }
  Expr Kept;
  if (Options.Causal) {
    Kept = Pattern.called(
        Pattern.notNegative(Pattern.sub(Pattern.q(), Pattern.k())), "past");
    Kept =
        Pattern.both(Kept, Bounds == 1 ? Pattern.less(Pattern.q(), Bound[0])
                                       : outside(Pattern, Bound[0], Bound[1]));
  } else if (Bounds == 2) {
    Kept = Pattern.both(Pattern.less(Pattern.q(), Bound[0]),
                        Pattern.lessEqual(Bound[1], Pattern.q()));
  } else {
    Kept = Pattern.both(outside(Pattern, Bound[0], Bound[1]),
                        outside(Pattern, Bound[2], Bound[3]));
  }
  Pattern.keep(Pattern.called(Kept, "kept"));

  Out = {};
  Out.Pattern = Pattern.name();
  Out.Text =
      Pattern.print({"Row bounds per column (Wang et al., \"FlashMask\", "
                     "2024): of every key the",
                     "rows from a start to an end (exclusive) are masked."});
  Out.Operands = Pattern.operands();
  Out.Shape = {Shape[0], Heads * Options.Group, Heads,
               Options.Queries ? Options.Queries : Shape[2], Shape[2]};
  std::string Listed;
  for (const std::string &Name : Names)
    Listed += (Listed.empty() ? "" : ", ") + Name;
  Out.Findings = {
      {"found",
       fmt::format("{}, {}, {}", counted(Shape[0], "sequence"),
                   counted(Heads, "key head"), counted(Shape[2], "key"))},
      {"bounds",
       fmt::format("{}{}", Listed, Options.Causal ? ", causal" : "")}};
  return std::nullopt;
}
