// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Report.h"

#include "frontends/common/Numbers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

using namespace heddle::frontend;

double Report::density() const {
  const double Pairs = Sizes.pairs();
  return Pairs > 0 ? static_cast<double>(Stats.kept_pairs) / Pairs : 0;
}

double Report::sparseEfficiency() const {
  return SparseSeconds > 0 ? DenseSeconds * density() / SparseSeconds : 0;
}

double Report::indexShare() const {
  return MedianSeconds > 0 ? IndexMilliseconds * 1e-3 / MedianSeconds : 0;
}

double Report::usefulFlop() const {
  return 2.0 * static_cast<double>(Stats.kept_pairs) *
         static_cast<double>(Sizes.HeadDim + Sizes.ValueDim);
}

double Report::executedFlop() const {
  return 2.0 * static_cast<double>(QueryTile) * static_cast<double>(KeyTile) *
         static_cast<double>(Stats.tiles_full + Stats.tiles_partial) *
         static_cast<double>(Sizes.HeadDim + Sizes.ValueDim);
}

double Report::compileMilliseconds() const {
  double Sum = 0;
  for (const auto &Part : CompileParts)
    Sum += Part.second;
  return Sum;
}

double Report::rate(double Flop) const {
  return MedianSeconds > 0 ? Flop / MedianSeconds * 1e-9 : 0;
}

static std::string speed(double Rate, double Peak) {
  if (Peak <= 0)
    return fmt::format("{:.2f} GFLOP/s", Rate);
  return fmt::format("{:.2f} GFLOP/s ({:.1f} % of peak)", Rate,
                     100 * Rate / Peak);
}

std::string Report::text() const {
  std::string Out;
  auto Line = [&](const char *Label, const std::string &Text) {
    Out += fmt::format("{:<10}{}\n", Label, Text);
  };
  Line("kernel", fmt::format("{} ({}, {}{}, d={}, dv={})", Kernel, Level, Dtype,
                             OutputDtype == Dtype ? "" : " to " + OutputDtype,
                             Sizes.HeadDim, Sizes.ValueDim));
  if (!Numbers.empty()) {
    std::string Values;
    for (const auto &[Name, Value] : Numbers)
      Values += fmt::format("{}{}={}", Values.empty() ? "" : " ", Name, Value);
    Line("set", Values);
  }
  for (const auto &[Name, Summary] : Operands)
    Line("operand", fmt::format("{}: {}", Name, Summary));
  Line("problem",
       fmt::format("b={} hq={} hkv={} sq={} sk={}{}{} {}, origin {}",
                   Sizes.Batch, Sizes.HeadsQ, Sizes.HeadsKv, Sizes.SeqQ,
                   Sizes.SeqK, Sizes.isRagged() ? " in all, ragged," : "",
                   Sizes.MoreKeys.empty()
                       ? ""
                       : fmt::format(" more keys {},",
                                     fmt::join(Sizes.MoreKeys, " and ")),
                   layoutName(Order), Origin));
  Line("kept", fmt::format("{} pairs, density {:.6g}",
                           grouped(Stats.kept_pairs), density()));
  Line("tiles",
       fmt::format("{} full, {} partial, {} empty, of {} {} x {} keys{}{}",
                   grouped(Stats.tiles_full), grouped(Stats.tiles_partial),
                   grouped(Stats.tiles_empty), QueryTile,
                   Parts > 0 ? "heads" : "queries", KeyTile,
                   Parts == 0 ? ""
                              : fmt::format(", packed heads, {} split{}", Parts,
                                            Parts == 1 ? "" : "s"),
                   QueryBox.empty() ? ""
                                    : fmt::format(" (boxes {} and {})",
                                                  fmt::join(QueryBox, "x"),
                                                  fmt::join(KeyBox, "x"))));
  Line("work", fmt::format("{:.6g} useful FLOP, {:.6g} executed", usefulFlop(),
                           executedFlop()));
  if (!CompileParts.empty()) {
    std::string Parts;
    for (const auto &[Name, Milliseconds] : CompileParts)
      Parts += fmt::format("{}{} {:.1f}", Parts.empty() ? "" : ", ", Name,
                           Milliseconds);
    Line("compile",
         fmt::format("{:.1f} ms ({})", compileMilliseconds(), Parts));
  }
  Line("plan",
       fmt::format("{} for {} bytes of task order{}",
                   duration(PlanMilliseconds * 1e-3), grouped(PlanBytes),
                   Operands.empty() ? "" : ", tables and sets"));
  if (!Operands.empty())
    Line("index",
         fmt::format("{} to prepare tables and sets, {:.3g} % of one "
                     "launch",
                     duration(IndexMilliseconds * 1e-3), 100 * indexShare()));
  Line("time",
       fmt::format("{}, median of {}, {} thread{}", duration(MedianSeconds),
                   Repeat, Threads, Threads == 1 ? "" : "s"));
  Line("speed",
       fmt::format("{} useful, {} executed", speed(rate(usefulFlop()), FmaPeak),
                   speed(rate(executedFlop()), FmaPeak)));
  if (SparseSeconds > 0)
    Line("dense", fmt::format("{} in turn with {}: sparse efficiency {:.1f} %, "
                              "dense time x density / time",
                              duration(DenseSeconds), duration(SparseSeconds),
                              100 * sparseEfficiency()));
  if (FmaPeak > 0)
    Line("peak", fmt::format("{:.2f} GFLOP/s of multiply-adds, measured on {} "
                             "thread{}",
                             FmaPeak, Threads, Threads == 1 ? "" : "s"));
  if (Check)
    Line("check",
         fmt::format(
             "{}: largest difference {:.3g} in o, {:.3g} in lse{}, tolerance "
             "{:g}{}, against {}",
             Check->passed() ? "passed" : "failed", Check->LargestO,
             Check->LargestLse,
             Check->HasMore
                 ? fmt::format(", {:.3g} in other outputs", Check->LargestMore)
                 : "",
             Check->Tolerance,
             Check->Tolerance == CheckTolerance
                 ? ""
                 : fmt::format(" in o, {:g} elsewhere", CheckTolerance),
             Check->Against));
  return Out;
}

namespace {

/// Writes one JSON object, nested ones included, with stable key order.
class JsonObject {
public:
  explicit JsonObject(int Depth = 1) : Depth(Depth) {}

  void raw(const std::string &Key, const std::string &Value) {
    Body += fmt::format("{}\n{:{}}\"{}\": {}", Body.empty() ? "" : ",", "",
                        2 * Depth, escape(Key), Value);
  }
  void text(const std::string &Key, const std::string &Value) {
    raw(Key, fmt::format("\"{}\"", escape(Value)));
  }
  void integer(const std::string &Key, int64_t Value) {
    raw(Key, std::to_string(Value));
  }
  void number(const std::string &Key, double Value) {
    if (std::isfinite(Value))
      raw(Key, fmt::format("{:.9g}", Value));
    else
      text(Key, std::isnan(Value) ? "nan" : Value > 0 ? "inf" : "-inf");
  }
  /// A count that may exceed 64 bits, exact to 53.
  void count(const std::string &Key, double Value) {
    raw(Key, fmt::format("{:.0f}", Value));
  }
  void boolean(const std::string &Key, bool Value) {
    raw(Key, Value ? "true" : "false");
  }
  std::string str() const {
    if (Body.empty())
      return "{}";
    return fmt::format("{{{}\n{:{}}}}", Body, "", 2 * (Depth - 1));
  }

private:
  static std::string escape(const std::string &Text) {
    std::string Out;
    for (char C : Text) {
      if (C == '"' || C == '\\')
        Out += '\\';
      if (static_cast<unsigned char>(C) < 0x20)
        Out += fmt::format("\\u{:04x}", static_cast<int>(C));
      else
        Out += C;
    }
    return Out;
  }

  int Depth;
  std::string Body;
};

} // namespace

static std::string list(const std::vector<int64_t> &Values) {
  return fmt::format("[{}]", fmt::join(Values, ", "));
}

std::string Report::json() const {
  JsonObject Out;
  Out.text("kernel", Kernel);
  Out.text("pattern", Pattern);
  Out.text("level", Level);
  Out.text("dtype", Dtype);
  Out.text("output_dtype", OutputDtype);
  JsonObject Set(2);
  for (const auto &[Name, Value] : Numbers)
    Set.raw(Name, Value);
  Out.raw("set", Set.str());
  JsonObject Given(2);
  for (const auto &[Name, Summary] : Operands)
    Given.text(Name, Summary);
  Out.raw("operands", Given.str());
  JsonObject Shape(2);
  Shape.integer("b", Sizes.Batch);
  Shape.integer("hq", Sizes.HeadsQ);
  Shape.integer("hkv", Sizes.HeadsKv);
  Shape.integer("sq", Sizes.SeqQ);
  Shape.integer("sk", Sizes.SeqK);
  Shape.integer("d", Sizes.HeadDim);
  Shape.integer("dv", Sizes.ValueDim);
  Out.raw("shape", Shape.str());
  Out.boolean("ragged", Sizes.isRagged());
  Out.raw("more_keys", list(Sizes.MoreKeys));
  Out.text("layout", layoutName(Order));
  Out.integer("origin", Origin);
  Out.integer("kept_pairs", Stats.kept_pairs);
  Out.number("density", density());
  JsonObject Tiles(2);
  Tiles.integer("full", Stats.tiles_full);
  Tiles.integer("partial", Stats.tiles_partial);
  Tiles.integer("empty", Stats.tiles_empty);
  Tiles.integer("queries", QueryTile);
  Tiles.integer("keys", KeyTile);
  Tiles.raw("query_box", list(QueryBox));
  Tiles.raw("key_box", list(KeyBox));
  Tiles.boolean("packed_heads", Parts > 0);
  Tiles.integer("splits", std::max<int64_t>(Parts, 1));
  Out.raw("tiles", Tiles.str());
  Out.count("useful_flop", usefulFlop());
  Out.count("executed_flop", executedFlop());
  if (!CompileParts.empty()) {
    Out.number("compile_ms", compileMilliseconds());
    JsonObject Parts(2);
    for (const auto &[Name, Milliseconds] : CompileParts)
      Parts.number(Name, Milliseconds);
    Out.raw("compile_parts_ms", Parts.str());
  }
  Out.number("plan_ms", PlanMilliseconds);
  Out.integer("plan_bytes", PlanBytes);
  Out.number("index_ms", IndexMilliseconds);
  Out.number("index_share", indexShare());
  Out.integer("threads", Threads);
  Out.integer("repeat", Repeat);
  Out.number("median_ms", MedianSeconds * 1e3);
  if (SparseSeconds > 0) {
    Out.number("dense_ms", DenseSeconds * 1e3);
    Out.number("sparse_efficiency", sparseEfficiency());
  }
  Out.number("gflops_useful", rate(usefulFlop()));
  Out.number("gflops_executed", rate(executedFlop()));
  if (FmaPeak > 0) {
    Out.number("fma_peak_gflops", FmaPeak);
    Out.number("fma_peak_fraction_useful", rate(usefulFlop()) / FmaPeak);
    Out.number("fma_peak_fraction_executed", rate(executedFlop()) / FmaPeak);
  }
  if (Check) {
    JsonObject Result(2);
    Result.boolean("passed", Check->passed());
    Result.text("against", Check->Against);
    Result.number("largest_o", Check->LargestO);
    Result.number("largest_lse", Check->LargestLse);
    if (Check->HasMore)
      Result.number("largest_other", Check->LargestMore);
    Result.number("tolerance", Check->Tolerance);
    Result.number("tolerance_lse", CheckTolerance);
    Out.raw("check", Result.str());
  }
  return Out.str() + "\n";
}
