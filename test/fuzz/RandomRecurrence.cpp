// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/fuzz/RandomRecurrence.h"

#include "test/fuzz/RandomPattern.h"

#include <cmath>
#include <utility>

using namespace heddle;
using namespace heddle::fuzz;

namespace {

/// Writes the text of a recurrence.
class RecurrenceWriter {
public:
  explicit RecurrenceWriter(uint64_t Seed) : Random(Seed) {}

  RandomRecurrence write();

private:
  enum class Row { Query, Key, Value, Output };
  enum class End { Any, Positive, UnitLength };

  bool chance(int64_t Of) { return pick(Random, 1, Of) == 1; }
  std::string name() { return "%v" + std::to_string(NextName++); }

  /// Adds an operation and returns the name of its result.
  std::string put(const std::string &Operation) {
    std::string Result = name();
    Body += "    " + Result + " = " + Operation + "\n";
    return Result;
  }
  std::string real(const std::string &Value) {
    return put("arith.constant " + Value + " : f32");
  }
  std::string unary(const char *Operation, const std::string &X) {
    return put(std::string(Operation) + " " + X + " : f32");
  }
  std::string binary(const char *Operation, const std::string &X,
                     const std::string &Y) {
    return put(std::string(Operation) + " " + X + ", " + Y + " : f32");
  }
  /// An element of a new table with these axes.
  std::string table(const std::string &Axes, float Low, float High,
                    bool HasResets = false) {
    const std::string Name = "t" + std::to_string(Out.Tables.size());
    Out.Tables.push_back({Name, Axes, Low, High, HasResets});
    std::string Indices;
    for (char Axis : Axes)
      Indices += std::string(Indices.empty() ? "%" : ", %") +
                 (Axis == 'd' || Axis == 'v' || Axis == 'f' ? 'c' : Axis);
    return put("attn.at %" + Name + "[" + Indices + "] : " + typeOf(Axes));
  }
  static std::string typeOf(const std::string &Axes) {
    std::string Type = "tensor<";
    for (size_t I = 0; I < Axes.size(); ++I)
      Type += "?x";
    return Type + "f32>";
  }

  std::string step(Row Of, const std::string &X);
  std::string softmax(const std::string &X);
  std::string unitLength(const std::string &X);
  std::string position();
  std::string chain(Row Of, int64_t Steps);
  void writeMap(Row Of, int64_t Features, End Ending);
  void writeFactor(const char *Clause, bool IsDelta, bool PerChannel);

  std::mt19937_64 Random;
  RandomRecurrence Out;
  std::string Clauses;
  std::string Body;
  int NextName = 0;
};

std::string RecurrenceWriter::softmax(const std::string &X) {
  const std::string Max = put("attn.row_max " + X);
  const std::string E = unary("math.exp", binary("arith.subf", X, Max));
  return binary("arith.divf", E, put("attn.row_sum " + E));
}

std::string RecurrenceWriter::unitLength(const std::string &X) {
  const std::string Sum = put("attn.row_sum " + binary("arith.mulf", X, X));
  const std::string Safe = binary("arith.addf", Sum, real("1.0e-3"));
  return binary("arith.mulf", X, unary("math.rsqrt", Safe));
}

/// The position as a real number.
std::string RecurrenceWriter::position() {
  const std::string Integer = put("arith.index_cast %i : index to i64");
  return put("arith.sitofp " + Integer + " : i64 to f32");
}

/// Something of a size like that of its argument, or smaller.
std::string RecurrenceWriter::step(Row Of, const std::string &X) {
  const bool IsOfKeys = Of == Row::Query || Of == Row::Key;
  const char *Feature = IsOfKeys ? "d" : "v";
  switch (pick(Random, 0, IsOfKeys ? 14 : 11)) {
  case 0:
    return unary("math.tanh", X);
  case 1:
    return unary("math.exp", binary("arith.minimumf", X, real("1.5")));
  case 2:
    return unary("arith.negf", X);
  case 3:
    return binary("arith.maximumf", X, real("-0.25"));
  case 4:
    return binary("arith.addf", X, table(Feature, -0.5F, 0.5F));
  case 5:
    return binary("arith.mulf", X, table(std::string("h") + Feature, 0.5F, 1));
  case 6:
    return unary("math.cos", X);
  case 7:
    return binary("arith.divf", X,
                  binary("arith.addf", real("1.0"), unary("math.absf", X)));
  case 8: {
    const std::string Condition =
        put("arith.cmpf ogt, " + X + ", " + real("0.0") + " : f32");
    const std::string Other = unary("math.tanh", X);
    return put("arith.select " + Condition + ", " + X + ", " + Other +
               " : f32");
  }
  case 9:
    return softmax(X);
  case 10:
    return unitLength(X);
  case 11: {
    const std::string Angle =
        binary("arith.mulf", position(), table(Feature, 0, 0.01F));
    return binary("arith.mulf", X, unary("math.cos", Angle));
  }
  default: {
    const bool PerHead = chance(2);
    const std::string Axes = PerHead ? "hdd" : "dd";
    const std::string Name = "t" + std::to_string(Out.Tables.size());
    Out.Tables.push_back({Name, Axes, -0.25F, 0.25F, false});
    return put("attn.project " + X + ", %" + Name +
               (PerHead ? "[%h] : " : "[] : ") + typeOf(Axes));
  }
  }
}

std::string RecurrenceWriter::chain(Row Of, int64_t Steps) {
  std::string X = "%x";
  for (int64_t I = 0; I < Steps; ++I)
    X = step(Of, X);
  return X;
}

void RecurrenceWriter::writeMap(Row Of, int64_t Features, End Ending) {
  constexpr const char *Names[] = {"query", "key", "value", "output"};
  Body.clear();
  const int64_t Most = Of == Row::Query || Of == Row::Key ? 3 : 2;
  const std::string Common = chain(Of, pick(Random, 0, Most));
  std::string Results;
  for (int64_t I = 0; I < Features; ++I) {
    std::string X = I == 0 ? Common : step(Of, Common);
    if (Ending == End::Positive)
      X = chance(3) ? softmax(X)
          : chance(2)
              ? unary("math.exp", binary("arith.minimumf", X, real("1.5")))
              : binary("arith.addf", unary("math.absf", X), real("0.125"));
    if (Ending == End::UnitLength) {
      X = unitLength(X);
      if (Features > 1)
        X = binary("arith.mulf", X, real("0.5"));
    }
    Results += (I == 0 ? " " : ", ") + X;
  }
  Clauses += std::string("  ") + Names[static_cast<int>(Of)] +
             "(%x, %b, %h, %i, %c) {\n" + Body + "    attn.features" + Results +
             "\n  }\n";
}

void RecurrenceWriter::writeFactor(const char *Clause, bool IsDelta,
                                   bool PerChannel) {
  Body.clear();
  constexpr const char *Axes[] = {"h", "hi", "i", "bhi"};
  constexpr const char *ChannelAxes[] = {"hif", "if", "f", "hf"};
  std::string X = table(
      PerChannel ? ChannelAxes[pick(Random, 0, 3)] : Axes[pick(Random, 0, 3)],
      IsDelta ? 0 : -0.8F, IsDelta ? 1 : 0, !IsDelta && chance(2));
  if (chance(4))
    X = binary("arith.mulf", X, real("0.5"));
  Clauses += std::string("  ") + Clause + "(%b, %h, %i" +
             (PerChannel ? ", %c" : "") + ") {\n" + Body + "    attn." +
             Clause + " " + X + "\n  }\n";
}

RandomRecurrence RecurrenceWriter::write() {
  const bool HasDelta = chance(5);
  Out.IsBidirectional = !HasDelta && chance(6);
  Out.HasWindow = !HasDelta && !Out.IsBidirectional && chance(5);
  Out.CanScan = !HasDelta && !Out.HasWindow;
  const bool HasDecay = !Out.IsBidirectional && !Out.HasWindow && !chance(4);
  const bool PerChannel = HasDecay && chance(3);
  int64_t Expand = HasDelta || PerChannel ? 0 : pick(Random, 0, 5);
  Expand = Expand > 2 ? 0 : Expand; // 1: a power, 2: Taylor
  if (Expand != 0)
    Out.Power = Expand == 2 ? 2 : pick(Random, 2, 4);
  int64_t Normalize = HasDelta ? 0 : pick(Random, 0, 2);
  if (Normalize == 2 && (PerChannel || Out.HasWindow))
    Normalize = 1;
  Out.NumFeatures = chance(3) ? 2 : 1;

  // Sums of weights of both signs come near 0 sometimes, where quotients are
  // all rounding.
  const End QueryEnd = Normalize != 0 ? End::Positive : End::Any;
  const End KeyEnd = HasDelta ? End::UnitLength : QueryEnd;
  if (Out.NumFeatures > 1 || QueryEnd != End::Any || chance(2))
    writeMap(Row::Query, Out.NumFeatures, QueryEnd);
  if (Out.NumFeatures > 1 || KeyEnd != End::Any || chance(2))
    writeMap(Row::Key, Out.NumFeatures, KeyEnd);
  if (!Out.HasWindow && chance(3))
    writeMap(Row::Value, 1, End::Any);
  if (!Out.HasWindow && chance(3))
    writeMap(Row::Output, 1, End::Any);
  if (HasDecay)
    writeFactor("decay", false, PerChannel);
  if (HasDelta)
    writeFactor("delta", true, false);
  if (HasDelta && chance(2))
    Clauses += "  erase before decay\n";
  if (Expand == 1)
    Clauses += "  expand power " + std::to_string(Out.Power) + "\n";
  if (Expand == 2)
    Clauses += "  expand taylor\n";
  if (Normalize != 0)
    Clauses += Normalize == 1 ? "  normalize sum\n" : "  normalize magnitude\n";
  if (Out.IsBidirectional)
    Clauses += "  bidirectional\n";
  if (Out.HasWindow)
    Clauses += "  window(%width)\n";

  std::string Params;
  for (const RandomTable &Table : Out.Tables)
    Params +=
        (Params.empty() ? "%" : ", %") + Table.Name + ": " + typeOf(Table.Axes);
  if (Out.HasWindow)
    Params += Params.empty() ? "%width: index" : ", %width: index";
  Out.Text = "attn.recurrence @random" +
             (Params.empty() ? "" : "(" + Params + ")") + "\n" + Clauses;
  return std::move(Out);
}

} // namespace

RandomRecurrence fuzz::makeRandomRecurrence(uint64_t Seed) {
  return RecurrenceWriter(Seed).write();
}

exec::ValueList RandomRecurrence::values(std::mt19937_64 &Random,
                                         const RandomExtents &Of) const {
  std::vector<exec::Value> All;
  for (const RandomTable &Table : Tables) {
    std::vector<int64_t> Shape;
    int64_t Count = 1;
    for (char Axis : Table.Axes) {
      Shape.push_back(Axis == 'b'   ? Of.Batch
                      : Axis == 'h' ? Of.Heads
                      : Axis == 'i' ? Of.Positions
                      : Axis == 'd' ? Of.HeadDim
                      : Axis == 'v' ? Of.ValueDim
                                    : Of.HeadDim * NumFeatures);
      Count *= Shape.back();
    }
    std::vector<float> Elements;
    for (int64_t I = 0; I < Count; ++I) {
      const float Share =
          static_cast<float>(pick(Random, 0, 1 << 20)) / (1 << 20);
      const int64_t Kind = Table.HasResets ? pick(Random, 0, 29) : 2;
      Elements.push_back(Kind == 0 ? -HUGE_VALF
                         : Kind == 1
                             ? 0.0F
                             : Table.Low + (Table.High - Table.Low) * Share);
    }
    All.push_back(exec::Value::table(std::move(Shape), std::move(Elements)));
  }
  if (HasWindow)
    All.push_back(pick(Random, 0, 2) == 0 ? pick(Random, 0, 3)
                                          : pick(Random, 0, 150));
  return All;
}
