// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/fuzz/RandomPattern.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace heddle::fuzz {

int64_t pick(std::mt19937_64 &Random, int64_t Low, int64_t High) {
  uint64_t Range = static_cast<uint64_t>(High - Low) + 1;
  return Low + static_cast<int64_t>(Random() % Range);
}

static uint64_t fromEnvironment(const char *Name, uint64_t Default) {
  const char *Text = std::getenv(Name);
  return Text && *Text ? std::strtoull(Text, nullptr, 10) : Default;
}

uint64_t numRuns(uint64_t Default) {
  return fromEnvironment("HEDDLE_FUZZ_RUNS", Default);
}

uint64_t firstRun() { return fromEnvironment("HEDDLE_FUZZ_FIRST", 0); }

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

void RandomOperand::Memory::set(size_t Which, std::vector<int64_t> Shape,
                                std::vector<int64_t> Values) {
  Shapes[Which] = std::move(Shape);
  Elements[Which] = std::move(Values);
  Tensors[Which] = {Elements[Which].data(), HEDDLE_I64,
                    static_cast<int32_t>(Shapes[Which].size()),
                    Shapes[Which].data(), nullptr};
}

RandomOperand RandomOperand::integer(int64_t Value) {
  RandomOperand Result(HEDDLE_INTEGER, 0);
  Result.Content->Value.integer = Value;
  return Result;
}

RandomOperand RandomOperand::table(std::vector<int64_t> Shape,
                                   std::vector<int64_t> Values) {
  RandomOperand Result(HEDDLE_INTEGER_TABLE,
                       static_cast<int32_t>(Shape.size()));
  Memory &M = *Result.Content;
  M.Shape = Shape;
  M.set(0, std::move(Shape), std::move(Values));
  M.Value.table = &M.Tensors[0];
  return Result;
}

RandomOperand RandomOperand::sets(std::vector<int64_t> Shape, int64_t Size,
                                  std::vector<std::vector<int64_t>> Lists) {
  RandomOperand Result(HEDDLE_SET, static_cast<int32_t>(Shape.size()));
  Memory &M = *Result.Content;
  M.Shape = Shape;
  size_t Capacity = 1;
  for (const auto &List : Lists)
    Capacity = std::max(Capacity, List.size());
  std::vector<int64_t> Members, Lengths;
  for (const auto &List : Lists) {
    Lengths.push_back(static_cast<int64_t>(List.size()));
    Members.insert(Members.end(), List.begin(), List.end());
    // What lies behind a list must not matter.
    Members.insert(Members.end(), Capacity - List.size(), -7);
  }
  M.set(1, Shape, std::move(Lengths));
  Shape.push_back(static_cast<int64_t>(Capacity));
  M.set(0, std::move(Shape), std::move(Members));
  M.Sets.format = HEDDLE_LISTS;
  M.Sets.size = Size;
  M.Sets.indices = &M.Tensors[0];
  M.Sets.lengths = &M.Tensors[1];
  M.Value.sets = &M.Sets;
  M.Lists = std::move(Lists);
  return Result;
}

static std::string joined(const std::vector<int64_t> &Values) {
  std::string Text = "[";
  for (int64_t Value : Values)
    Text += (Text.size() > 1 ? "," : "") + std::to_string(Value);
  return Text + "]";
}

std::string RandomOperand::describe() const {
  const Memory &M = *Content;
  switch (Kind) {
  case HEDDLE_INTEGER:
    return std::to_string(M.Value.integer);
  case HEDDLE_SET:
    return "sets of " + std::to_string(M.Sets.size) + " " +
           joined(M.Shapes[0]) + joined(M.Elements[0]) + joined(M.Elements[1]);
  default:
    return "table " + joined(M.Shapes[0]) + joined(M.Elements[0]);
  }
}

std::vector<heddle_value> RandomPattern::values() const {
  std::vector<heddle_value> Result;
  for (const RandomOperand &Operand : Operands)
    Result.push_back(Operand.value());
  return Result;
}

std::vector<heddle_param> RandomPattern::params() const {
  static const char *const Names[] = {"p0", "p1", "p2", "p3",
                                      "p4", "p5", "p6", "p7"};
  std::vector<heddle_param> Result;
  for (const RandomOperand &Operand : Operands) {
    heddle_param Param = {};
    Param.name = Names[Result.size()];
    Param.kind = Operand.kind();
    Param.rank = Operand.rank();
    Param.needs_bounds = 1;
    Result.push_back(Param);
  }
  return Result;
}

std::string RandomPattern::describe() const {
  std::string Result = Text;
  for (size_t I = 0; I < Operands.size(); ++I)
    Result += "p" + std::to_string(I) + " = " + Operands[I].describe() + "\n";
  return Result;
}

namespace {

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

/// Writes one keep region, operation by operation.
class Writer {
public:
  Writer(uint64_t Seed, Flavour Kind) : Random(Seed), Kind(Kind) {}

  RandomPattern write() {
    RandomPattern Result;
    int64_t NumParams = choose(0, 3),
            NumTables = Kind == Flavour::Tables ? choose(1, 3) : 0;
    int64_t NumAxes = Kind == Flavour::Grid ? choose(2, 3) : 0;
    NumParams += NumAxes;
    std::ostringstream Header;
    Header << "attn.pattern @random";
    for (int64_t I = 0; I < NumParams + NumTables; ++I) {
      Header << (I ? ", " : "(") << "%p" << I << ": ";
      std::string Name = "%p" + std::to_string(I);
      if (I < NumAxes) {
        Header << "index";
        Result.Extents.push_back(choose(1, NumAxes == 2 ? 12 : 5));
        Result.Operands.push_back(
            RandomOperand::integer(Result.Extents.back()));
        Values.push_back(Name);
      } else if (I < NumParams) {
        Header << "index";
        Result.Operands.push_back(RandomOperand::integer(interesting()));
        Values.push_back(Name);
      } else if (choose(0, 1)) {
        Header << makeTable(Name, Result.Operands);
      } else {
        Header << makeSet(Name, Result.Operands);
      }
    }
    Header << (NumParams + NumTables ? ")" : "")
           << (NumAxes == 0   ? ""
               : NumAxes == 2 ? " grid(%p0 x %p1)"
                              : " grid(%p0 x %p1 x %p2)")
           << " keep(%b, %h, "
           << (NumAxes == 0   ? "%q, %k"
               : NumAxes == 2 ? "%q1, %q, %k1, %k"
                              : "%q2, %q1, %q, %k2, %k1, %k")
           << ") {\n";
    for (int64_t I = 1; I < NumAxes; ++I)
      Outer.push_back(std::to_string(I));
    std::string Kept = condition(choose(1, 4));
    // The number of indices of a set is known from its uses.
    for (const Access &A : Sets)
      define("attn.in %k, " + A.Name + indices(A));
    Result.Text = Header.str() + Body.str() + "  attn.keep " + Kept + "\n}\n";
    return Result;
  }

private:
  int64_t choose(int64_t Low, int64_t High) { return pick(Random, Low, High); }

  /// Small numbers, numbers around powers of two and tile sizes.
  int64_t interesting() {
    switch (choose(0, 3)) {
    case 0:
      return choose(-8, 8);
    case 1:
      return (int64_t(1) << choose(0, 6)) + choose(-1, 1);
    default:
      return choose(-70, 140);
    }
  }

  /// The coordinates that a table or set is indexed by.
  enum class Axis { Batch, Head, Position };
  static int64_t extent(Axis Which) {
    return Which == Axis::Batch  ? NumTableBatches
           : Which == Axis::Head ? NumTableHeads
                                 : NumTablePositions;
  }
  std::vector<Axis> leadingAxes() {
    static const std::vector<Axis> Choices[] = {
        {}, {Axis::Head}, {Axis::Batch}, {Axis::Batch, Axis::Head}};
    return Choices[choose(0, 3)];
  }
  std::vector<int64_t> extents(const std::vector<Axis> &Axes) {
    std::vector<int64_t> Result;
    for (Axis Which : Axes) // one element may stand for all
      Result.push_back(choose(0, 3) ? extent(Which) : 1);
    return Result;
  }
  static int64_t product(const std::vector<int64_t> &Shape) {
    int64_t Result = 1;
    for (int64_t Extent : Shape)
      Result *= Extent;
    return Result;
  }

  struct Access {
    std::string Name, Type;
    std::vector<Axis> Axes;
  };

  /// Sorted ids, a few values in disorder, or numbers of any size.
  std::string makeTable(const std::string &Name,
                        std::vector<RandomOperand> &Operands) {
    Access A{Name, "tensor<", leadingAxes()};
    A.Axes.push_back(choose(0, 4) ? Axis::Position : Axis::Head);
    std::vector<int64_t> Shape = extents(A.Axes);
    int64_t Last = Shape.back(), Kind = choose(0, 2), Step = choose(1, 60);
    std::vector<int64_t> Elements;
    for (int64_t Row = product(Shape) / Last; Row > 0; --Row)
      for (int64_t I = 0, Id = choose(-1, 3); I < Last; ++I) {
        Id += choose(0, Step) == 0;
        Elements.push_back(Kind == 0   ? Id
                           : Kind == 1 ? choose(-1, 4)
                                       : interesting());
      }
    Operands.push_back(RandomOperand::table(Shape, std::move(Elements)));
    for (size_t I = 0; I < A.Axes.size(); ++I)
      A.Type += "?x";
    A.Type += "index>";
    Tables.push_back(A);
    return A.Type;
  }

  /// Empty, full, single members, the ends, and everything between.
  std::string makeSet(const std::string &Name,
                      std::vector<RandomOperand> &Operands) {
    Access A{Name, "!attn.set", leadingAxes()};
    if (choose(0, 1))
      A.Axes.push_back(Axis::Position);
    std::vector<int64_t> Shape = extents(A.Axes);
    int64_t Size = choose(0, 3) ? choose(1, 200) : choose(1, 9);
    std::vector<std::vector<int64_t>> Lists;
    for (int64_t Row = product(Shape); Row > 0; --Row) {
      std::vector<int64_t> List;
      int64_t Kind = choose(0, 5), One = choose(0, Size - 1);
      int64_t Density = choose(1, 20);
      for (int64_t X = 0; X < Size; ++X)
        if (Kind == 0   ? false
            : Kind == 1 ? true
            : Kind == 2 ? X == 0 || X == Size - 1
            : Kind == 3 ? X == One
                        : choose(1, 20) <= Density)
          List.push_back(X);
      Lists.push_back(std::move(List));
    }
    Operands.push_back(RandomOperand::sets(Shape, Size, std::move(Lists)));
    Sets.push_back(A);
    return A.Type;
  }

  /// Indices inside of every table: positions as they are or in blocks.
  std::string indices(const Access &A) {
    std::string Text = "[";
    for (Axis Which : A.Axes) {
      std::string Index = Which == Axis::Batch  ? "%b"
                          : Which == Axis::Head ? "%h"
                          : choose(0, 1)        ? "%q"
                                                : "%k";
      if (Which == Axis::Position && choose(0, 2) == 0)
        Index = binary("arith.floordivsi", Index, constant(divisor()));
      Text += (Text.size() > 1 ? ", " : "") + Index;
    }
    return Text + "]";
  }
  template <typename T> const T &any(const std::vector<T> &From) {
    return From[static_cast<size_t>(
        choose(0, static_cast<int64_t>(From.size()) - 1))];
  }
  std::string read() {
    const Access &A = any(Tables);
    std::string Where = indices(A);
    return define("attn.at " + A.Name + Where + " : " + A.Type);
  }

  std::string define(const std::string &Operation) {
    std::string Name = "%v" + std::to_string(Next++);
    Body << "  " << Name << " = " << Operation << "\n";
    return Name;
  }

  std::string constant(int64_t Value) {
    return define("arith.constant " + std::to_string(Value) + " : index");
  }

  std::string leaf() {
    if (!Tables.empty() && choose(0, 2) == 0)
      return read();
    if (!Outer.empty() && choose(0, 3) == 0)
      return (choose(0, 1) ? "%q" : "%k") + any(Outer);
    switch (choose(0, 9)) {
    case 0:
    case 1:
    case 2:
      return "%k";
    case 3:
    case 4:
    case 5:
      return "%q";
    case 6:
      return choose(0, 1) ? "%h" : "%b";
    case 7:
      return define("attn.num_keys");
    default:
      return Values.empty() ? constant(interesting())
                            : Values[static_cast<size_t>(choose(
                                  0, static_cast<int64_t>(Values.size()) - 1))];
    }
  }

  std::string binary(const char *Operation, const std::string &Lhs,
                     const std::string &Rhs) {
    return define(std::string(Operation) + " " + Lhs + ", " + Rhs + " : index");
  }

  /// The distance, which half of all patterns are about.
  std::string distance() {
    std::string Axis = Outer.empty() || choose(0, 1) ? "" : any(Outer);
    return binary("arith.subi", "%q" + Axis, "%k" + Axis);
  }

  std::string value(int64_t Depth) {
    if (Depth == 0)
      return choose(0, 2) ? leaf() : distance();
    switch (choose(0, 9)) {
    case 0:
    case 1:
      return binary("arith.addi", value(Depth - 1), value(Depth - 1));
    case 2:
    case 3:
      return binary("arith.subi", value(Depth - 1), value(Depth - 1));
    case 4:
      return binary("arith.muli", value(Depth - 1), constant(choose(-3, 4)));
    case 5:
    case 6:
      return binary(choose(0, 3) ? "arith.floordivsi" : "arith.ceildivsi",
                    value(Depth - 1), constant(divisor()));
    case 7:
      return define("attn.mod " + value(Depth - 1) + ", " +
                    std::to_string(divisor()));
    case 8:
      return binary(choose(0, 1) ? "arith.minsi" : "arith.maxsi",
                    value(Depth - 1), value(Depth - 1));
    default: {
      std::string Condition = condition(1);
      std::string First = value(Depth - 1), Second = value(Depth - 1);
      return define("arith.select " + Condition + ", " + First + ", " + Second +
                    " : index");
    }
    }
  }

  int64_t divisor() {
    return choose(0, 1) ? int64_t(1) << choose(0, 5) : choose(1, 20);
  }

  std::string atom() {
    std::string Value = value(choose(0, 2));
    if (!Sets.empty() && choose(0, 1)) {
      const Access &A = any(Sets);
      std::string Where = indices(A);
      return define("attn.in " + Value + ", " + A.Name + Where);
    }
    if (!Tables.empty() && choose(0, 2) == 0)
      return define("arith.cmpi eq, " + read() + ", " + read() + " : index");
    switch (choose(0, 5)) {
    case 0: {
      int64_t Low = interesting();
      return define("attn.in " + Value + ", #attn.interval<" +
                    std::to_string(Low) + ", " +
                    (choose(0, 1) ? std::string("inf")
                                  : std::to_string(Low + choose(0, 90))) +
                    ">");
    }
    case 1: {
      int64_t Modulus = divisor();
      return define("attn.in " + Value + ", #attn.residue<" +
                    std::to_string(choose(0, Modulus - 1)) + ", " +
                    std::to_string(Modulus) + ">");
    }
    case 2:
      return define("attn.in " + Value + ", #attn.pow2");
    default: {
      static const char *const Predicates[] = {"eq",  "ne",  "slt",
                                               "sle", "sgt", "sge"};
      std::string Other = value(choose(0, 1));
      return define(std::string("arith.cmpi ") + Predicates[choose(0, 5)] +
                    ", " + Value + ", " + Other + " : index");
    }
    }
  }

  std::string condition(int64_t Depth) {
    if (Depth == 0)
      return atom();
    std::string First = condition(Depth - 1);
    switch (choose(0, 8)) {
    case 0:
      return First;
    case 1:
      return define("arith.xori " + First + ", " + condition(0) + " : i1");
    case 2: {
      std::string True = define("arith.constant true");
      return define("arith.xori " + First + ", " + True + " : i1");
    }
    case 3:
    case 4:
    case 5:
      return define("arith.andi " + First + ", " + condition(Depth - 1) +
                    " : i1");
    default:
      return define("arith.ori " + First + ", " + condition(Depth - 1) +
                    " : i1");
    }
  }

  std::mt19937_64 Random;
  Flavour Kind;
  std::ostringstream Body;
  /// What the names of coordinates along outer axes end in.
  std::vector<std::string> Outer;
  std::vector<std::string> Values;
  std::vector<Access> Tables, Sets;
  unsigned Next = 0;
};

} // namespace

RandomPattern makeRandomPattern(uint64_t Seed, Flavour Kind) {
  return Writer(Seed, Kind).write();
}

} // namespace heddle::fuzz
