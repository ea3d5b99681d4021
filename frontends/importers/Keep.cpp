// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/Keep.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::importers;

static bool sameInputs(const std::vector<Expr> &A, const std::vector<Expr> &B) {
  return std::equal(A.begin(), A.end(), B.begin(), B.end(),
                    [](Expr X, Expr Y) { return X.Number == Y.Number; });
}

Expr Keep::make(Node What) {
  for (size_t I = 0; I < Nodes.size(); ++I)
    if (Nodes[I].Is == What.Is && Nodes[I].A == What.A &&
        Nodes[I].B == What.B && sameInputs(Nodes[I].Inputs, What.Inputs))
      return {static_cast<unsigned>(I)};
  Nodes.push_back(std::move(What));
  Names.emplace_back();
  return {static_cast<unsigned>(Nodes.size() - 1)};
}

Expr Keep::integer(const std::string &Name, int64_t Default) {
  Integers.push_back({Name, Default});
  return make(
      {Kind::Integer, static_cast<int64_t>(Integers.size() - 1), 0, {}});
}

unsigned Keep::operand(Operand Value) {
  Operands.push_back(std::move(Value));
  return static_cast<unsigned>(Operands.size() - 1);
}

Expr Keep::floorDiv(Expr A, int64_t Divisor) {
  return Divisor == 1 ? A : binary(Kind::FloorDiv, A, constant(Divisor));
}

Expr Keep::at(unsigned Table, std::vector<Expr> Indices) {
  return make({Kind::At, Table, 0, std::move(Indices)});
}

Expr Keep::member(Expr A, unsigned Set, std::vector<Expr> Indices) {
  Indices.insert(Indices.begin(), A);
  return make({Kind::Member, Set, 0, std::move(Indices)});
}

Expr Keep::called(Expr A, const std::string &Name) {
  Names[A.Number] = Name;
  return A;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static std::string join(const std::vector<Expr> &Of, size_t First,
                        const std::vector<std::string> &Values) {
  std::string Text;
  for (size_t I = First; I < Of.size(); ++I)
    Text += (I > First ? ", " : "") + Values[Of[I].Number];
  return Text;
}

static std::string tableType(size_t Rank) {
  std::string Text = "tensor<";
  for (size_t I = 0; I < Rank; ++I)
    Text += "?x";
  return Text + "index>";
}

/// The right-hand side of the operation that a node is.
std::string Keep::text(const Node &What,
                       const std::vector<std::string> &Values) const {
  auto In = [&](size_t I) { return Values[What.Inputs[I].Number]; };
  auto Binary = [&](const char *Op, const char *Type) {
    return fmt::format("arith.{} {}, {} : {}", Op, In(0), In(1), Type);
  };
  switch (What.Is) {
  case Kind::Coordinate:
  case Kind::Integer:
    return "";
  case Kind::Constant:
    return fmt::format("arith.constant {} : index", What.A);
  case Kind::Add:
    return Binary("addi", "index");
  case Kind::Sub:
    return Binary("subi", "index");
  case Kind::Mul:
    return Binary("muli", "index");
  case Kind::FloorDiv:
    return Binary("floordivsi", "index");
  case Kind::At: {
    const Operand &Table = Operands[static_cast<size_t>(What.A)];
    return fmt::format("attn.at %{}[{}] : {}", Table.Name,
                       join(What.Inputs, 0, Values),
                       tableType(Table.Shape.size()));
  }
  case Kind::Always:
    return "arith.constant true";
  case Kind::Less:
    return Binary("cmpi slt,", "index");
  case Kind::LessEqual:
    return Binary("cmpi sle,", "index");
  case Kind::Equal:
    return Binary("cmpi eq,", "index");
  case Kind::NotNegative:
    return fmt::format("attn.in {}, #attn.interval<0, inf>", In(0));
  case Kind::Residue:
    return fmt::format("attn.in {}, #attn.residue<{}, {}>", In(0), What.A,
                       What.B);
  case Kind::Member:
    return fmt::format("attn.in {}, %{}[{}]", In(0),
                       Operands[static_cast<size_t>(What.A)].Name,
                       join(What.Inputs, 1, Values));
  case Kind::And:
    return Binary("andi", "i1");
  case Kind::Or:
    return Binary("ori", "i1");
  case Kind::Not:
    return fmt::format("arith.xori {}, %true : i1", In(0));
  }
  return "";
}

std::string Keep::print(const std::vector<std::string> &Comment) const {
  std::string Text;
  for (const std::string &Line : Comment)
    Text += Line.empty() ? "//\n" : "// " + Line + "\n";
  Text += fmt::format("attn.pattern @{}(", PatternName);
  std::vector<std::string> Params;
  for (const IntegerParam &P : Integers)
    Params.push_back(fmt::format("%{}: index = {}", P.Name, P.Default));
  for (const Operand &O : Operands)
    Params.push_back(
        fmt::format("%{}: {}", O.Name,
                    O.isTable() ? tableType(O.Shape.size()) : "!attn.set"));
  if (Params.empty())
    Text.pop_back();
  for (size_t I = 0; I < Params.size(); ++I)
    Text += Params[I] + (I + 1 < Params.size() ? ", " : ")");
  Text += " keep(%b, %h, %q, %k) {\n";

  // Inputs come before the nodes that use them, so one sweep back finds all
  // that is needed.
  std::vector<bool> Needed(Nodes.size());
  Needed[Root.Number] = true;
  bool Negates = false;
  for (size_t I = Nodes.size(); I-- > 0;)
    if (Needed[I]) {
      Negates |= Nodes[I].Is == Kind::Not;
      for (Expr Input : Nodes[I].Inputs)
        Needed[Input.Number] = true;
    }
  if (Negates)
    Text += "  %true = arith.constant true\n";
  const char *const Coordinates[] = {"%b", "%h", "%q", "%k"};
  std::vector<std::string> Values(Nodes.size());
  for (size_t I = 0; I < Nodes.size(); ++I) {
    if (!Needed[I])
      continue;
    const Node &What = Nodes[I];
    if (What.Is == Kind::Coordinate) {
      Values[I] = Coordinates[What.A];
      continue;
    }
    if (What.Is == Kind::Integer) {
      Values[I] = "%" + Integers[static_cast<size_t>(What.A)].Name;
      continue;
    }
    if (!Names[I].empty())
      Values[I] = "%" + Names[I];
    else if (What.Is == Kind::Constant)
      Values[I] = What.A < 0 ? fmt::format("%cm{}", -What.A)
                             : fmt::format("%c{}", What.A);
    else
      Values[I] = fmt::format("%v{}", I);
    Text += fmt::format("  {} = {}\n", Values[I], text(What, Values));
  }
  return Text + fmt::format("  attn.keep {}\n}}\n", Values[Root.Number]);
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

/// The value of a node for all keys of a row: one integer where it does not
/// depend on the key.
class Keep::Lanes {
public:
  explicit Lanes(int64_t Value) : All({Value}) {}
  explicit Lanes(std::vector<int64_t> Each)
      : All(std::move(Each)), Each(true) {}

  bool isUniform() const { return !Each; }
  int64_t operator[](size_t K) const { return All[Each ? K : 0]; }

private:
  std::vector<int64_t> All;
  bool Each = false;
};

static int64_t floorOf(int64_t A, int64_t B) {
  return A / B - static_cast<int64_t>(A % B != 0 && (A < 0) != (B < 0));
}

void Keep::evaluate(int64_t B, int64_t H, int64_t Q,
                    std::vector<uint8_t> &Out) const {
  const size_t NumKeys = Out.size();
  const int64_t Coordinates[] = {B, H, Q};
  std::vector<Lanes> Values;
  Values.reserve(Nodes.size());
  for (const Node &What : Nodes) {
    auto In = [&](size_t I, size_t K) {
      return Values[What.Inputs[I].Number][K];
    };
    auto Indexed = [&](size_t First, size_t K) {
      int64_t Indices[4] = {};
      for (size_t I = First; I < What.Inputs.size(); ++I)
        Indices[I - First] = In(I, K);
      return static_cast<size_t>(
          Operands[static_cast<size_t>(What.A)].offset(Indices));
    };
    auto One = [&](size_t K) -> int64_t {
      switch (What.Is) {
      case Kind::Coordinate:
        return What.A < 3 ? Coordinates[What.A] : static_cast<int64_t>(K);
      case Kind::Integer:
        return Integers[static_cast<size_t>(What.A)].Default;
      case Kind::Constant:
        return What.A;
      case Kind::Add:
        return In(0, K) + In(1, K);
      case Kind::Sub:
        return In(0, K) - In(1, K);
      case Kind::Mul:
        return In(0, K) * In(1, K);
      case Kind::FloorDiv:
        return floorOf(In(0, K), In(1, K));
      case Kind::At:
        return Operands[static_cast<size_t>(What.A)].Values[Indexed(0, K)];
      case Kind::Always:
        return 1;
      case Kind::Less:
        return In(0, K) < In(1, K);
      case Kind::LessEqual:
        return In(0, K) <= In(1, K);
      case Kind::Equal:
        return In(0, K) == In(1, K);
      case Kind::NotNegative:
        return In(0, K) >= 0;
      case Kind::Residue:
        return In(0, K) - What.B * floorOf(In(0, K), What.B) == What.A;
      case Kind::Member: {
        const std::vector<int32_t> &Row =
            Operands[static_cast<size_t>(What.A)].Rows[Indexed(1, K)];
        return std::binary_search(Row.begin(), Row.end(), In(0, K));
      }
      case Kind::And:
        return In(0, K) & In(1, K);
      case Kind::Or:
        return In(0, K) | In(1, K);
      case Kind::Not:
        return 1 - In(0, K);
      }
      return 0;
    };
    bool Uniform = What.Is != Kind::Coordinate || What.A < 3;
    for (Expr Input : What.Inputs)
      Uniform &= Values[Input.Number].isUniform();
    if (Uniform) {
      Values.emplace_back(NumKeys ? One(0) : 0);
      continue;
    }
    std::vector<int64_t> Each(NumKeys);
    for (size_t K = 0; K < NumKeys; ++K)
      Each[K] = One(K);
    Values.emplace_back(std::move(Each));
  }
  for (size_t K = 0; K < NumKeys; ++K)
    Out[K] = Values[Root.Number][K] != 0;
}
