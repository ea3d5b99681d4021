// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/fuzz/RandomPattern.h"

#include <cstdlib>
#include <sstream>

namespace heddle::fuzz {

int64_t pick(std::mt19937_64 &Random, int64_t Low, int64_t High) {
  uint64_t Range = static_cast<uint64_t>(High - Low) + 1;
  return Low + static_cast<int64_t>(Random() % Range);
}

uint64_t numRuns(uint64_t Default) {
  const char *Text = std::getenv("HEDDLE_FUZZ_RUNS");
  return Text && *Text ? std::strtoull(Text, nullptr, 10) : Default;
}

namespace {

/// Writes one keep region, operation by operation.
class Writer {
public:
  explicit Writer(uint64_t Seed) : Random(Seed) {}

  RandomPattern write() {
    RandomPattern Result;
    int64_t NumParams = choose(0, 3);
    std::ostringstream Header;
    Header << "attn.pattern @random";
    for (int64_t I = 0; I < NumParams; ++I) {
      Header << (I ? ", " : "(") << "%p" << I << ": index";
      Result.Params.push_back(interesting());
      Values.push_back("%p" + std::to_string(I));
    }
    Header << (NumParams ? ")" : "") << " keep(%b, %h, %q, %k) {\n";
    std::string Kept = condition(choose(1, 4));
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

  std::string define(const std::string &Operation) {
    std::string Name = "%v" + std::to_string(Next++);
    Body << "  " << Name << " = " << Operation << "\n";
    return Name;
  }

  std::string constant(int64_t Value) {
    return define("arith.constant " + std::to_string(Value) + " : index");
  }

  std::string leaf() {
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
  std::string distance() { return binary("arith.subi", "%q", "%k"); }

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
  std::ostringstream Body;
  std::vector<std::string> Values;
  unsigned Next = 0;
};

} // namespace

RandomPattern makeRandomPattern(uint64_t Seed) { return Writer(Seed).write(); }

} // namespace heddle::fuzz
