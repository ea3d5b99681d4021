// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/LinearTexts.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"

#include <algorithm>
#include <cmath>

using namespace heddle;
using namespace heddle::exec;

namespace {

std::string region(const char *Clause, const char *Body) {
  return std::string(" ") + Clause + "(%x, %b, %h, %i, %c) {" + Body + "}";
}

std::string both(const char *Body) {
  return region("query", Body) + region("key", Body);
}

constexpr const char *Elu = R"(
  %zero = arith.constant 0.0 : f32
  %above = arith.maximumf %x, %zero : f32
  %below = arith.minimumf %x, %zero : f32
  %e = math.exp %below : f32
  %y = arith.addf %above, %e : f32
  attn.features %y
)";
constexpr const char *UnitLength = R"(
  %least = arith.constant 1.0e-12 : f32
  %square = arith.mulf %x, %x : f32
  %sum = attn.row_sum %square
  %safe = arith.maximumf %sum, %least : f32
  %inverse = math.rsqrt %safe : f32
  %y = arith.mulf %x, %inverse : f32
  attn.features %y
)";
constexpr const char *Hedgehog = R"(
  %p = attn.project %x, %w[%h] : tensor<?x?x?xf32>
  %n = arith.negf %p : f32
  %m = attn.row_max %p
  %o = attn.row_max %n
  %up = arith.subf %p, %m : f32
  %down = arith.subf %n, %o : f32
  %e = math.exp %up : f32
  %f = math.exp %down : f32
  %se = attn.row_sum %e
  %sf = attn.row_sum %f
  %y = arith.divf %e, %se : f32
  %z = arith.divf %f, %sf : f32
  attn.features %y, %z
)";
/// Rotated by position: two features per element.
constexpr const char *Turned = R"(
  %p = arith.index_cast %i : index to i64
  %t = arith.sitofp %p : i64 to f32
  %theta = attn.at %turn[%h, %c] : tensor<?x?xf32>
  %angle = arith.mulf %t, %theta : f32
  %cos = math.cos %angle : f32
  %sin = math.sin %angle : f32
  %y = arith.mulf %x, %cos : f32
  %z = arith.mulf %x, %sin : f32
  attn.features %y, %z
)";
constexpr const char *Gated = R"(
  %g = attn.at %scale[%h, %c] : tensor<?x?xf32>
  %t = math.tanh %x : f32
  %y = arith.mulf %t, %g : f32
  attn.features %y
)";
/// Divided by the root of the mean square, times a weight.
constexpr const char *Normed = R"(
  %least = arith.constant 1.0e-3 : f32
  %square = arith.mulf %x, %x : f32
  %sum = attn.row_sum %square
  %safe = arith.addf %sum, %least : f32
  %inverse = math.rsqrt %safe : f32
  %n = arith.mulf %x, %inverse : f32
  %g = attn.at %scale[%h, %c] : tensor<?x?xf32>
  %y = arith.mulf %n, %g : f32
  attn.features %y
)";
constexpr const char *PerHead = R"( decay(%b, %h, %i) {
  %g = attn.at %gate[%h] : tensor<?xf32>
  attn.decay %g
})";
constexpr const char *PerToken = R"( decay(%b, %h, %i) {
  %g = attn.at %gate[%h, %i] : tensor<?x?xf32>
  attn.decay %g
})";
constexpr const char *PerChannel = R"( decay(%b, %h, %i, %c) {
  %g = attn.at %gate[%h, %i, %c] : tensor<?x?x?xf32>
  attn.decay %g
})";
constexpr const char *Beta = R"( delta(%b, %h, %i) {
  %t = attn.at %beta[%h, %i] : tensor<?x?xf32>
  attn.delta %t
})";

using Random = std::mt19937_64;

ValueList none(Random &, const TableExtents &) { return {}; }

/// Factors between small and 1, some of them 0 or 1.
Value gates(Random &From, std::vector<int64_t> Shape) {
  int64_t Count = 1;
  for (int64_t Extent : Shape)
    Count *= Extent;
  std::uniform_real_distribution<float> Draw(-1, 0);
  std::vector<float> Logs(static_cast<size_t>(Count));
  for (float &Log : Logs) {
    const uint64_t Kind = From() % 40;
    Log = Kind == 0   ? -HUGE_VALF
          : Kind == 1 ? 0.0F
          : Kind == 2 ? -60.0F
                      : Draw(From) * (Kind < 20 ? 0.05F : 1.0F);
  }
  return Value::table(std::move(Shape), std::move(Logs));
}

ValueList headGates(Random &From, const TableExtents &E) {
  return {Value::randomReals(From, {E.Heads}, -0.3F, 0)};
}
ValueList tokenGates(Random &From, const TableExtents &E) {
  return {gates(From, {E.Heads, E.Positions})};
}
ValueList channelGates(Random &From, const TableExtents &E) {
  return {gates(From, {E.Heads, E.Positions, E.HeadDim})};
}
Value betas(Random &From, const TableExtents &E) {
  return Value::randomReals(From, {E.Heads, E.Positions}, 0, 1);
}

std::vector<LinearText> makeTexts() {
  std::vector<LinearText> All;
  auto Add = [&](const char *Name, const std::string &Params,
                 const std::string &Clauses, auto Make) -> LinearText & {
    return All.emplace_back(LinearText{
        Name, "attn.recurrence @" + std::string(Name) + Params + Clauses,
        Make});
  };
  const std::string Gate1 = "(%gate: tensor<?xf32>)",
                    Gate2 = "(%gate: tensor<?x?xf32>)",
                    Gate3 = "(%gate: tensor<?x?x?xf32>)";
  Add("plain", "", "", none);
  Add("elu", "", both(Elu) + " normalize sum", none);
  Add("head_decay", Gate1, PerHead, headGates);
  Add("head_decay_sum", Gate1, both(Elu) + PerHead + " normalize sum",
      headGates);
  Add("token_decay", Gate2, PerToken, tokenGates);
  Add("channel_decay", Gate3, PerChannel, channelGates);
  Add("channel_decay_sum", Gate3, both(Elu) + PerChannel + " normalize sum",
      channelGates);
  Add("delta", "(%beta: tensor<?x?xf32>)", both(UnitLength) + Beta,
      [](Random &From, const TableExtents &E) -> ValueList {
        return {betas(From, E)};
      })
      .CanScan = false;
  Add("gated_delta", "(%gate: tensor<?x?xf32>, %beta: tensor<?x?xf32>)",
      both(UnitLength) + PerToken + Beta,
      [](Random &From, const TableExtents &E) -> ValueList {
        const Value Gates = gates(From, {E.Heads, E.Positions});
        return {Gates, betas(From, E)};
      })
      .CanScan = false;
  Add("channel_delta", "(%gate: tensor<?x?x?xf32>, %beta: tensor<?x?xf32>)",
      both(UnitLength) + PerChannel + Beta,
      [](Random &From, const TableExtents &E) -> ValueList {
        const Value Gates = gates(From, {E.Heads, E.Positions, E.HeadDim});
        return {Gates, betas(From, E)};
      })
      .CanScan = false;
  Add("square", Gate2, std::string(PerToken) + " expand power 2", tokenGates)
      .MostHeadDim = 24;
  Add("fourth_power", "", " expand power 4 normalize sum", none).MostHeadDim =
      8;
  Add("taylor", "", " expand taylor normalize sum", none).MostHeadDim = 24;
  Add("magnitude", "", both(Elu) + " normalize magnitude", none);
  Add("magnitude_decay", Gate2, both(Elu) + PerToken + " normalize magnitude",
      tokenGates);
  Add("all_keys", "", both(Elu) + " normalize sum bidirectional", none)
      .IsBidirectional = true;
  Add("all_magnitude", "", both(Elu) + " normalize magnitude bidirectional",
      none)
      .IsBidirectional = true;
  Add("hedgehog", "(%w: tensor<?x?x?xf32>)", both(Hedgehog) + " normalize sum",
      [](Random &From, const TableExtents &E) -> ValueList {
        return {Value::randomReals(From, {E.Heads, E.HeadDim, E.HeadDim}, -0.3F,
                                   0.3F)};
      });
  Add("turned", "(%turn: tensor<?x?xf32>, %gate: tensor<?x?xf32>)",
      both(Turned) + PerToken,
      [](Random &From, const TableExtents &E) -> ValueList {
        const Value Turns = Value::randomReals(From, {1, E.HeadDim}, 0, 0.01F);
        return {Turns, gates(From, {E.Heads, E.Positions})};
      });
  Add("gated", "(%scale: tensor<?x?xf32>, %gate: tensor<?xf32>)",
      region("value", Gated) + region("output", Normed) + PerHead,
      [](Random &From, const TableExtents &E) -> ValueList {
        const Value Scales =
            Value::randomReals(From, {E.Heads, E.ValueDim}, 0.5F, 2);
        return {Scales, Value::randomReals(From, {E.Heads}, -0.3F, 0)};
      });
  auto Window = [](Random &From, const TableExtents &) -> ValueList {
    constexpr int64_t Widths[] = {0, 1, 7, 16, 33, 64, 100, 5000};
    return {Widths[From() % std::size(Widths)]};
  };
  for (const char *Name : {"near_and_far", "near_plus_far"}) {
    LinearText &Made =
        Add(Name, "(%width: index)",
            both(Elu) +
                (Name == std::string("near_and_far") ? " normalize sum" : "") +
                " window(%width)",
            Window);
    Made.HasWindow = true;
    Made.CanScan = false;
  }
  LinearText &Near = Add("near_taylor", "(%width: index)",
                         " expand taylor normalize sum window(%width)", Window);
  Near.HasWindow = true;
  Near.CanScan = false;
  Near.MostHeadDim = 24;
  Add("channel_erase", "(%gate: tensor<?x?x?xf32>, %beta: tensor<?x?xf32>)",
      both(UnitLength) + PerChannel + Beta + " erase before decay",
      [](Random &From, const TableExtents &E) -> ValueList {
        const Value Gates = gates(From, {E.Heads, E.Positions, E.HeadDim});
        return {Gates, betas(From, E)};
      })
      .CanScan = false;
  return All;
}

} // namespace

ValueList LinearText::values(const Sizes &Of, const KernelSpec &Spec,
                             uint64_t Seed) const {
  std::mt19937_64 Random(Seed);
  int64_t Positions = std::max(Of.SeqQ, Of.SeqK);
  for (int64_t Origin : Of.Origin)
    Positions = std::max(Positions, std::max(Of.SeqQ, Of.SeqK) + Origin);
  // As many as a state is made of, at least.
  return Params(Random, {Of.HeadsQ, std::max<int64_t>(Positions, 16),
                         Spec.HeadDim, Spec.valueDim()});
}

const std::vector<LinearText> &exec::linearTexts() {
  static const std::vector<LinearText> All = makeTexts();
  return All;
}

const LinearText &exec::linearText(const std::string &Name) {
  for (const LinearText &Text : linearTexts())
    if (Text.Name == Name)
      return Text;
  llvm::report_fatal_error("there is no such recurrence",
                           /*gen_crash_diag=*/false);
}
