// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Program.h"

#include "dialect/attn/reference/Failure.h"
#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace heddle::attn;

namespace {

/// Arithmetic wraps around as in two's complement, where C++ leaves signed
/// overflow undefined.
uint64_t bits(int64_t X) { return static_cast<uint64_t>(X); }
int64_t value(uint64_t X) { return static_cast<int64_t>(X); }
double real(int64_t X) { return llvm::bit_cast<double>(X); }
int64_t lane(double X) { return llvm::bit_cast<int64_t>(X); }

int64_t floorDiv(int64_t A, int64_t B) {
  int64_t Quotient = A / B;
  return A % B != 0 && (A < 0) != (B < 0) ? Quotient - 1 : Quotient;
}

int64_t ceilDiv(int64_t A, int64_t B) {
  int64_t Quotient = A / B;
  return A % B != 0 && (A < 0) == (B < 0) ? Quotient + 1 : Quotient;
}

/// `B` is positive.
int64_t positiveMod(int64_t A, int64_t B) {
  int64_t Remainder = A % B;
  return Remainder < 0 ? Remainder + B : Remainder;
}

/// How two numbers are related: equal 1, greater 2, less 4, unordered 8.
int64_t relation(double A, double B) {
  return A == B ? 1 : A > B ? 2 : A < B ? 4 : 8;
}

} // namespace

std::string Program::title() const {
  return (IsRecurrence ? "recurrence '" : "pattern '") + Name + "'";
}

std::string Program::place(const PredicatePoint &At,
                           llvm::ArrayRef<int64_t> Keys, size_t I) const {
  std::string Text = " at b=" + std::to_string(At.B) +
                     ", h=" + std::to_string(At.H) +
                     (IsRecurrence ? ", i=" : ", q=") + std::to_string(At.Q);
  // What is evaluated once per query has no key.
  if (!Keys.empty())
    Text += (IsRecurrence ? ", c=" : ", k=") + std::to_string(Keys[I]);
  return Text;
}

llvm::Error Program::look(const Instruction &Inst, const PredicatePoint &At,
                          llvm::ArrayRef<int64_t> Keys,
                          Scratch &Registers) const {
  const size_t Count = Keys.empty() ? StripLength : Keys.size();
  int64_t *Dst = &Registers[size_t(Inst.Dst) * StripLength];
  const int64_t *A = &Registers[size_t(Inst.A) * StripLength];
  const Operand &From = At.Params[Inst.Param];
  const bool IsSet = Inst.Code == Opcode::Member;
  const bool IsReal = From.kind() == HEDDLE_REAL_TABLE;
  int64_t Indices[4] = {};
  for (size_t I = 0; I < Count; ++I) {
    for (unsigned N = 0; N < Inst.NumIndices; ++N)
      Indices[N] = Registers[size_t(Inst.Indices[N]) * StripLength + I];
    unsigned Axis = 0;
    const int64_t Number = From.find(Indices, Axis);
    if (Number < 0)
      return llvm::createStringError(
          std::errc::argument_out_of_domain,
          "%s reads index %lld along axis %u of parameter '%s', "
          "which has %lld%s",
          title().c_str(), static_cast<long long>(Indices[Axis]), Axis,
          Params[Inst.Param].Name.c_str(),
          static_cast<long long>(From.shape()[Axis]),
          place(At, Keys, I).c_str());
    if (IsSet) {
      const llvm::ArrayRef<int64_t> Members = From.members(Number);
      Dst[I] = std::binary_search(Members.begin(), Members.end(), A[I]);
    } else {
      Dst[I] = IsReal ? lane(From.realAt(Number)) : From.integerAt(Number);
    }
  }
  return llvm::Error::success();
}

llvm::Error Program::execute(const Instruction &Inst, const PredicatePoint &At,
                             llvm::ArrayRef<int64_t> Keys,
                             Scratch &Registers) const {
  int64_t *Dst = &Registers[size_t(Inst.Dst) * StripLength];
  const int64_t *A = &Registers[size_t(Inst.A) * StripLength];
  const int64_t *B = &Registers[size_t(Inst.B) * StripLength];
  const int64_t *C = &Registers[size_t(Inst.C) * StripLength];
  const int64_t Imm = Inst.Immediate;
  const size_t Count = Keys.empty() ? StripLength : Keys.size();
  auto Each = [&](auto Function) {
    for (size_t I = 0; I < Count; ++I)
      Dst[I] = Function(I);
    return llvm::Error::success();
  };
  // Division, checked before it is done: the machine would trap.
  auto EachQuotient = [&](bool Signed, auto Function) -> llvm::Error {
    for (size_t I = 0; I < Count; ++I) {
      const bool Overflows =
          Signed && B[I] == -1 && A[I] == std::numeric_limits<int64_t>::min();
      if (B[I] == 0 || Overflows)
        return llvm::createStringError(
            std::errc::argument_out_of_domain,
            "%s %s%s; divisors must be positive constants", title().c_str(),
            Overflows ? "overflows in a division" : "divides by zero",
            place(At, Keys, I).c_str());
      Dst[I] = Function(A[I], B[I]);
    }
    return llvm::Error::success();
  };

  switch (Inst.Code) {
  case Opcode::Constant:
    return Each([&](size_t) { return Imm; });
  case Opcode::Integer:
    return Each([&](size_t) { return At.Params[Inst.Param].integer(); });
  case Opcode::Real:
    return Each([&](size_t) { return lane(At.Params[Inst.Param].real()); });
  case Opcode::NumKeys:
    return Each([&](size_t) { return At.NumKeys; });
  case Opcode::Add:
    return Each([&](size_t I) { return value(bits(A[I]) + bits(B[I])); });
  case Opcode::Sub:
    return Each([&](size_t I) { return value(bits(A[I]) - bits(B[I])); });
  case Opcode::Mul:
    return Each([&](size_t I) { return value(bits(A[I]) * bits(B[I])); });
  case Opcode::FloorDiv:
    return EachQuotient(true, floorDiv);
  case Opcode::CeilDiv:
    return EachQuotient(true, ceilDiv);
  case Opcode::Div:
    return EachQuotient(true, [](int64_t X, int64_t Y) { return X / Y; });
  case Opcode::Rem:
    return EachQuotient(true, [](int64_t X, int64_t Y) { return X % Y; });
  case Opcode::DivUnsigned:
    return EachQuotient(
        false, [](int64_t X, int64_t Y) { return value(bits(X) / bits(Y)); });
  case Opcode::RemUnsigned:
    return EachQuotient(
        false, [](int64_t X, int64_t Y) { return value(bits(X) % bits(Y)); });
  case Opcode::Mod:
    return Each([&](size_t I) { return positiveMod(A[I], Imm); });
  case Opcode::Residue:
    return Each(
        [&](size_t I) { return positiveMod(A[I], Imm) == Inst.Remainder; });
  case Opcode::Min:
    return Each([&](size_t I) { return std::min(A[I], B[I]); });
  case Opcode::Max:
    return Each([&](size_t I) { return std::max(A[I], B[I]); });
  case Opcode::And:
    return Each([&](size_t I) { return A[I] & B[I]; });
  case Opcode::Or:
    return Each([&](size_t I) { return A[I] | B[I]; });
  case Opcode::Xor:
    return Each([&](size_t I) { return A[I] ^ B[I]; });
  case Opcode::Select:
    return Each([&](size_t I) { return A[I] != 0 ? B[I] : C[I]; });
  case Opcode::Equal:
    return Each([&](size_t I) { return A[I] == B[I]; });
  case Opcode::NotEqual:
    return Each([&](size_t I) { return A[I] != B[I]; });
  case Opcode::Less:
    return Each([&](size_t I) { return A[I] < B[I]; });
  case Opcode::LessEqual:
    return Each([&](size_t I) { return A[I] <= B[I]; });
  case Opcode::LessUnsigned:
    return Each([&](size_t I) { return bits(A[I]) < bits(B[I]); });
  case Opcode::LessEqualUnsigned:
    return Each([&](size_t I) { return bits(A[I]) <= bits(B[I]); });
  case Opcode::AtLeast:
    return Each([&](size_t I) { return A[I] >= Imm; });
  case Opcode::Below:
    return Each([&](size_t I) { return A[I] < Imm; });
  case Opcode::PowerOfTwo:
    return Each([&](size_t I) {
      return A[I] > 0 && (bits(A[I]) & (bits(A[I]) - 1)) == 0;
    });
  case Opcode::Load:
  case Opcode::Member:
    return look(Inst, At, Keys, Registers);
  case Opcode::SignExtend:
    return Each([&](size_t I) {
      return value(bits(A[I]) << (64 - Imm)) >> (64 - Imm);
    });
  case Opcode::ToReal:
    return Each([&](size_t I) { return lane(static_cast<double>(A[I])); });
  case Opcode::Unary:
    return Each([&](size_t I) { return lane(Inst.Function1(real(A[I]))); });
  case Opcode::Binary:
    return Each(
        [&](size_t I) { return lane(Inst.Function2(real(A[I]), real(B[I]))); });
  case Opcode::MultiplyAdd:
    return Each([&](size_t I) {
      return lane(std::fma(real(A[I]), real(B[I]), real(C[I])));
    });
  case Opcode::RealCompare:
    return Each([&](size_t I) {
      return (relation(real(A[I]), real(B[I])) & Imm) != 0;
    });
  }
  llvm_unreachable("all operations are listed");
}

/// Splits the token numbers in the register of the innermost axis into
/// coordinates; `First` is the register of the outermost one.
llvm::Error Program::unflatten(const PredicatePoint &At,
                               llvm::ArrayRef<unsigned> Extents, unsigned First,
                               Scratch &Registers) const {
  for (size_t Axis = Extents.size(); Axis-- > 1;) {
    const int64_t Extent = At.Params[Extents[Axis]].integer();
    if (Extent <= 0)
      return invalid("pattern '" + llvm::Twine(Name) +
                     "' has a grid whose extent '" +
                     Params[Extents[Axis]].Name + "' is " +
                     llvm::Twine(Extent) + ", expected a positive one");
    int64_t *Inner = &Registers[(First + Axis) * StripLength];
    int64_t *Outer = Inner - StripLength;
    for (unsigned I = 0; I < StripLength; ++I) {
      Outer[I] = floorDiv(Inner[I], Extent);
      Inner[I] = positiveMod(Inner[I], Extent);
    }
  }
  return llvm::Error::success();
}

llvm::Error Program::prepare(const PredicatePoint &At,
                             Scratch &Registers) const {
  if (llvm::Error E = At.Params.check(
          llvm::Twine(IsRecurrence ? "recurrence '" : "pattern '") + Name + "'",
          Params))
    return E;
  Registers.resize(size_t(RegisterCount) * StripLength);
  auto Fill = [&](unsigned Register, int64_t Value) {
    std::fill_n(&Registers[size_t(Register) * StripLength], StripLength, Value);
  };
  Fill(0, At.B);
  Fill(1, At.H);
  Fill(queryRegister(numAxes() - 1), At.Q);
  if (llvm::Error E = unflatten(At, QueryGrid, queryRegister(0), Registers))
    return E;
  for (const Instruction &Inst : PerQuery)
    if (llvm::Error E = execute(Inst, At, {}, Registers))
      return E;
  return llvm::Error::success();
}

llvm::Error Program::run(const PredicatePoint &At, llvm::ArrayRef<int64_t> Keys,
                         const double *Scores, Scratch &Registers) const {
  if (Keys.empty())
    return llvm::Error::success();
  int64_t *Innermost =
      &Registers[size_t(keyRegister(numAxes() - 1)) * StripLength];
  std::copy(Keys.begin(), Keys.end(), Innermost);
  if (Scores)
    std::transform(Scores, Scores + Keys.size(),
                   &Registers[size_t(scoreRegister()) * StripLength], lane);
  if (llvm::Error E = unflatten(At, KeyGrid, keyRegister(0), Registers))
    return E;
  for (const Instruction &Inst : PerKey)
    if (llvm::Error E = execute(Inst, At, Keys, Registers))
      return E;
  return llvm::Error::success();
}
