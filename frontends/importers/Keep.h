// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A keep region under construction: written once, then both printed as an
// `attn.pattern` and evaluated, so that what an importer checks is what it
// writes.

#ifndef HEDDLE_FRONTENDS_IMPORTERS_KEEP_H
#define HEDDLE_FRONTENDS_IMPORTERS_KEEP_H

#include "frontends/importers/Operand.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace heddle::importers {

/// An expression of a `Keep`: an integer or a truth value.
struct Expr {
  unsigned Number = 0;
};

/// One pattern. Equal expressions are one.
class Keep {
public:
  explicit Keep(std::string Name) : PatternName(std::move(Name)) {}

  const std::string &name() const { return PatternName; }

  /// Parameters: an integer with a default, a table or family of sets with
  /// its value.
  Expr integer(const std::string &Name, int64_t Default);
  unsigned operand(Operand Value);
  const std::vector<Operand> &operands() const { return Operands; }

  /// Coordinates.
  Expr b() { return make({Kind::Coordinate, 0, 0, {}}); }
  Expr h() { return make({Kind::Coordinate, 1, 0, {}}); }
  Expr q() { return make({Kind::Coordinate, 2, 0, {}}); }
  Expr k() { return make({Kind::Coordinate, 3, 0, {}}); }

  /// Integers.
  Expr constant(int64_t Value) { return make({Kind::Constant, Value, 0, {}}); }
  Expr add(Expr A, Expr B) { return binary(Kind::Add, A, B); }
  Expr sub(Expr A, Expr B) { return binary(Kind::Sub, A, B); }
  Expr times(Expr A, int64_t Factor) {
    return binary(Kind::Mul, A, constant(Factor));
  }
  Expr floorDiv(Expr A, int64_t Divisor);
  /// An element of a table.
  Expr at(unsigned Table, std::vector<Expr> Indices);

  /// How far the key lies before the query.
  Expr distance() { return called(sub(q(), k()), "d"); }

  /// Truth values.
  Expr always() { return make({Kind::Always, 0, 0, {}}); }
  Expr less(Expr A, Expr B) { return binary(Kind::Less, A, B); }
  Expr lessEqual(Expr A, Expr B) { return binary(Kind::LessEqual, A, B); }
  Expr equal(Expr A, Expr B) { return binary(Kind::Equal, A, B); }
  /// A >= 0.
  Expr notNegative(Expr A) { return make({Kind::NotNegative, 0, 0, {A}}); }
  /// A mod Modulus = Remainder.
  Expr residue(Expr A, int64_t Remainder, int64_t Modulus) {
    return make({Kind::Residue, Remainder, Modulus, {A}});
  }
  /// A is a member of the set at the indices.
  Expr member(Expr A, unsigned Set, std::vector<Expr> Indices);
  Expr both(Expr A, Expr B) { return binary(Kind::And, A, B); }
  Expr either(Expr A, Expr B) { return binary(Kind::Or, A, B); }
  Expr negate(Expr A) { return make({Kind::Not, 0, 0, {A}}); }

  /// What the value of the expression is called in the text.
  Expr called(Expr A, const std::string &Name);
  /// Ends the region.
  void keep(Expr Verdict) { Root = Verdict; }

  /// The `attn.pattern`, with a comment of these lines before it.
  std::string print(const std::vector<std::string> &Comment) const;

  /// Whether query `Q` of head `H` of sequence `B` keeps each of the keys
  /// [0, Out.size()): one byte per key, 0 or 1.
  void evaluate(int64_t B, int64_t H, int64_t Q,
                std::vector<uint8_t> &Out) const;

private:
  enum class Kind {
    Coordinate,
    Integer,
    Constant,
    Add,
    Sub,
    Mul,
    FloorDiv,
    At,
    Always,
    Less,
    LessEqual,
    Equal,
    NotNegative,
    Residue,
    Member,
    And,
    Or,
    Not,
  };
  struct Node {
    Kind Is;
    /// Constants, the number of a coordinate, parameter or operand.
    int64_t A, B;
    std::vector<Expr> Inputs;
  };
  struct IntegerParam {
    std::string Name;
    int64_t Default;
  };
  class Lanes;

  Expr make(Node What);
  Expr binary(Kind Is, Expr A, Expr B) { return make({Is, 0, 0, {A, B}}); }
  std::string text(const Node &What,
                   const std::vector<std::string> &Values) const;

  std::string PatternName;
  std::vector<IntegerParam> Integers;
  std::vector<Operand> Operands;
  std::vector<Node> Nodes;
  /// Parallel to `Nodes`; empty where none was given.
  std::vector<std::string> Names;
  Expr Root;
};

} // namespace heddle::importers

#endif // HEDDLE_FRONTENDS_IMPORTERS_KEEP_H
