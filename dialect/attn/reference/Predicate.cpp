// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Predicate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <limits>
#include <system_error>

using namespace heddle::attn;

//===----------------------------------------------------------------------===//
// From region to registers
//===----------------------------------------------------------------------===//

// Registers 0 … P-1 are the parameters, P … P+3 are b, h, q, k, the others are
// written once each, in region order.
struct Predicate::Compiler {
  Predicate &Out;
  llvm::DenseMap<mlir::Value, unsigned> Registers;

  explicit Compiler(Predicate &Out) : Out(Out) {}

  unsigned define(mlir::Value V) {
    unsigned Register = Out.RegisterCount++;
    Registers[V] = Register;
    return Register;
  }

  unsigned temporary() { return Out.RegisterCount++; }

  void append(Instruction Inst) { Out.Instructions.push_back(Inst); }

  mlir::LogicalResult binary(mlir::Operation *Op, Opcode Code) {
    unsigned A = Registers.lookup(Op->getOperand(0));
    unsigned B = Registers.lookup(Op->getOperand(1));
    append({Code, define(Op->getResult(0)), A, B});
    return mlir::success();
  }

  mlir::LogicalResult compare(mlir::arith::CmpIOp Op) {
    using mlir::arith::CmpIPredicate;
    // As a truth value is 0 or 1 here and not 0 or -1, order is not defined.
    if (!Op.getLhs().getType().isIndex())
      return Op.emitError() << "expected operands of type 'index', found "
                            << Op.getLhs().getType();
    unsigned A = Registers.lookup(Op.getLhs());
    unsigned B = Registers.lookup(Op.getRhs());
    unsigned Dst = define(Op.getResult());
    switch (Op.getPredicate()) {
    case CmpIPredicate::eq:
      append({Opcode::Equal, Dst, A, B});
      break;
    case CmpIPredicate::ne:
      append({Opcode::NotEqual, Dst, A, B});
      break;
    case CmpIPredicate::slt:
      append({Opcode::Less, Dst, A, B});
      break;
    case CmpIPredicate::sle:
      append({Opcode::LessEqual, Dst, A, B});
      break;
    case CmpIPredicate::sgt:
      append({Opcode::Less, Dst, B, A});
      break;
    case CmpIPredicate::sge:
      append({Opcode::LessEqual, Dst, B, A});
      break;
    case CmpIPredicate::ult:
      append({Opcode::LessUnsigned, Dst, A, B});
      break;
    case CmpIPredicate::ule:
      append({Opcode::LessEqualUnsigned, Dst, A, B});
      break;
    case CmpIPredicate::ugt:
      append({Opcode::LessUnsigned, Dst, B, A});
      break;
    case CmpIPredicate::uge:
      append({Opcode::LessEqualUnsigned, Dst, B, A});
      break;
    }
    return mlir::success();
  }

  mlir::LogicalResult member(InOp Op) {
    unsigned A = Registers.lookup(Op.getValue());
    if (auto Interval = mlir::dyn_cast<IntervalAttr>(Op.getSet())) {
      Instruction Low{Opcode::Constant, 0};
      Low.Immediate = 1;
      if (Interval.getLo()) {
        Low = {Opcode::AtLeast, 0, A};
        Low.Immediate = *Interval.getLo();
      }
      if (!Interval.getHi()) {
        Low.Dst = define(Op.getResult());
        append(Low);
        return mlir::success();
      }
      Low.Dst = temporary();
      append(Low);
      Instruction High{Opcode::Below, temporary(), A};
      High.Immediate = *Interval.getHi();
      append(High);
      append({Opcode::And, define(Op.getResult()), Low.Dst, High.Dst});
      return mlir::success();
    }
    if (auto Residue = mlir::dyn_cast<ResidueAttr>(Op.getSet())) {
      Instruction Inst{Opcode::Residue, define(Op.getResult()), A};
      Inst.Immediate = Residue.getModulus();
      Inst.Remainder = Residue.getRemainder();
      append(Inst);
      return mlir::success();
    }
    if (mlir::isa<Pow2Attr>(Op.getSet())) {
      append({Opcode::PowerOfTwo, define(Op.getResult()), A});
      return mlir::success();
    }
    return Op.emitError() << "expected an interval, residue or power-of-two "
                             "set, found "
                          << Op.getSet();
  }

  mlir::LogicalResult constant(mlir::arith::ConstantOp Op) {
    auto Value = mlir::dyn_cast<mlir::IntegerAttr>(Op.getValue());
    if (!Value)
      return Op.emitError()
             << "expected an integer constant, found " << Op.getValue();
    bool IsTruth = Op.getType().isInteger(1);
    if (!IsTruth && !Op.getType().isIndex())
      return Op.emitError() << "expected a constant of type 'index' or 'i1', "
                               "found "
                            << Op.getType();
    Instruction Inst{Opcode::Constant, define(Op.getResult())};
    Inst.Immediate = IsTruth ? static_cast<int64_t>(!Value.getValue().isZero())
                             : Value.getValue().getSExtValue();
    append(Inst);
    return mlir::success();
  }

  mlir::LogicalResult operation(mlir::Operation *Op) {
    namespace arith = mlir::arith;
    return llvm::TypeSwitch<mlir::Operation *, mlir::LogicalResult>(Op)
        .Case([&](arith::ConstantOp C) { return constant(C); })
        .Case([&](arith::CmpIOp C) { return compare(C); })
        .Case([&](InOp I) { return member(I); })
        .Case([&](ModOp M) {
          unsigned A = Registers.lookup(M.getValue());
          Instruction Inst{Opcode::Mod, define(M.getResult()), A};
          Inst.Immediate = static_cast<int64_t>(M.getModulus());
          append(Inst);
          return mlir::success();
        })
        .Case([&](NumKeysOp N) {
          append({Opcode::NumKeys, define(N.getResult())});
          return mlir::success();
        })
        .Case([&](arith::SelectOp S) {
          unsigned A = Registers.lookup(S.getCondition());
          unsigned B = Registers.lookup(S.getTrueValue());
          unsigned C = Registers.lookup(S.getFalseValue());
          append({Opcode::Select, define(S.getResult()), A, B, C});
          return mlir::success();
        })
        .Case([&](KeepOp K) {
          Out.Result = Registers.lookup(K.getKept());
          return mlir::success();
        })
        .Case([&](arith::AddIOp) { return binary(Op, Opcode::Add); })
        .Case([&](arith::SubIOp) { return binary(Op, Opcode::Sub); })
        .Case([&](arith::MulIOp) { return binary(Op, Opcode::Mul); })
        .Case([&](arith::FloorDivSIOp) { return binary(Op, Opcode::FloorDiv); })
        .Case([&](arith::CeilDivSIOp) { return binary(Op, Opcode::CeilDiv); })
        .Case([&](arith::DivSIOp) { return binary(Op, Opcode::Div); })
        .Case([&](arith::DivUIOp) { return binary(Op, Opcode::DivUnsigned); })
        .Case([&](arith::RemSIOp) { return binary(Op, Opcode::Rem); })
        .Case([&](arith::RemUIOp) { return binary(Op, Opcode::RemUnsigned); })
        .Case([&](arith::MinSIOp) { return binary(Op, Opcode::Min); })
        .Case([&](arith::MaxSIOp) { return binary(Op, Opcode::Max); })
        .Case([&](arith::AndIOp) { return binary(Op, Opcode::And); })
        .Case([&](arith::OrIOp) { return binary(Op, Opcode::Or); })
        .Case([&](arith::XOrIOp) { return binary(Op, Opcode::Xor); })
        .Default([](mlir::Operation *Other) {
          return Other->emitError()
                 << "the reference does not know operation '"
                 << Other->getName()
                 << "'; a keep region holds integer 'arith' operations, "
                    "'attn.in', 'attn.mod' and 'attn.num_keys'";
        });
  }
};

mlir::FailureOr<Predicate> Predicate::compile(PatternOp Pattern) {
  Predicate Out;
  Out.Name = Pattern.getSymName().str();
  Out.ParamCount = Pattern.getNumParams();
  Out.UsesBatch = !Pattern.getCoordinate(0).use_empty();
  Out.UsesHead = !Pattern.getCoordinate(1).use_empty();
  Compiler C{Out};
  for (mlir::BlockArgument Arg : Pattern.getBody().getArguments())
    C.define(Arg);
  for (mlir::Operation &Op : Pattern.getBody().front()) {
    // What the registers hold: 64-bit integers and truth values.
    for (mlir::Value Operand : Op.getOperands())
      if (!Operand.getType().isIndex() && !Operand.getType().isInteger(1))
        return Op.emitError() << "expected operands of type 'index' or 'i1', "
                                 "found "
                              << Operand.getType();
    if (mlir::failed(C.operation(&Op)))
      return mlir::failure();
  }
  return Out;
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

namespace {

/// Arithmetic wraps around as in two's complement, where C++ leaves signed
/// overflow undefined.
uint64_t bits(int64_t X) { return static_cast<uint64_t>(X); }
int64_t value(uint64_t X) { return static_cast<int64_t>(X); }

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

} // namespace

llvm::Error Predicate::divisionError(const PredicatePoint &At, int64_t K,
                                     bool ByZero) const {
  return llvm::createStringError(
      std::errc::argument_out_of_domain,
      "pattern '%s' %s at b=%lld, h=%lld, q=%lld, k=%lld; divisors must be "
      "positive constants",
      Name.c_str(), ByZero ? "divides by zero" : "overflows in a division",
      static_cast<long long>(At.B), static_cast<long long>(At.H),
      static_cast<long long>(At.Q), static_cast<long long>(K));
}

llvm::Error Predicate::execute(const Instruction &Inst,
                               const PredicatePoint &At, int64_t K,
                               unsigned Count, Scratch &Registers) const {
  int64_t *Dst = &Registers[size_t(Inst.Dst) * StripLength];
  const int64_t *A = &Registers[size_t(Inst.A) * StripLength];
  const int64_t *B = &Registers[size_t(Inst.B) * StripLength];
  const int64_t *C = &Registers[size_t(Inst.C) * StripLength];
  const int64_t Imm = Inst.Immediate;
  auto Each = [&](auto Function) {
    for (unsigned I = 0; I < Count; ++I)
      Dst[I] = Function(I);
    return llvm::Error::success();
  };
  // Division, checked before it is done: the machine would trap.
  auto EachQuotient = [&](bool Signed, auto Function) -> llvm::Error {
    for (unsigned I = 0; I < Count; ++I) {
      if (B[I] == 0)
        return divisionError(At, K + I, /*ByZero=*/true);
      if (Signed && B[I] == -1 && A[I] == std::numeric_limits<int64_t>::min())
        return divisionError(At, K + I, /*ByZero=*/false);
      Dst[I] = Function(A[I], B[I]);
    }
    return llvm::Error::success();
  };

  switch (Inst.Code) {
  case Opcode::Constant:
    return Each([&](unsigned) { return Imm; });
  case Opcode::NumKeys:
    return Each([&](unsigned) { return At.NumKeys; });
  case Opcode::Add:
    return Each([&](unsigned I) { return value(bits(A[I]) + bits(B[I])); });
  case Opcode::Sub:
    return Each([&](unsigned I) { return value(bits(A[I]) - bits(B[I])); });
  case Opcode::Mul:
    return Each([&](unsigned I) { return value(bits(A[I]) * bits(B[I])); });
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
  case Opcode::Residue:
    if (Imm <= 0)
      return divisionError(At, K, /*ByZero=*/Imm == 0);
    if (Inst.Code == Opcode::Mod)
      return Each([&](unsigned I) { return positiveMod(A[I], Imm); });
    return Each(
        [&](unsigned I) { return positiveMod(A[I], Imm) == Inst.Remainder; });
  case Opcode::Min:
    return Each([&](unsigned I) { return std::min(A[I], B[I]); });
  case Opcode::Max:
    return Each([&](unsigned I) { return std::max(A[I], B[I]); });
  case Opcode::And:
    return Each([&](unsigned I) { return A[I] & B[I]; });
  case Opcode::Or:
    return Each([&](unsigned I) { return A[I] | B[I]; });
  case Opcode::Xor:
    return Each([&](unsigned I) { return A[I] ^ B[I]; });
  case Opcode::Select:
    return Each([&](unsigned I) { return A[I] != 0 ? B[I] : C[I]; });
  case Opcode::Equal:
    return Each([&](unsigned I) { return A[I] == B[I]; });
  case Opcode::NotEqual:
    return Each([&](unsigned I) { return A[I] != B[I]; });
  case Opcode::Less:
    return Each([&](unsigned I) { return A[I] < B[I]; });
  case Opcode::LessEqual:
    return Each([&](unsigned I) { return A[I] <= B[I]; });
  case Opcode::LessUnsigned:
    return Each([&](unsigned I) { return bits(A[I]) < bits(B[I]); });
  case Opcode::LessEqualUnsigned:
    return Each([&](unsigned I) { return bits(A[I]) <= bits(B[I]); });
  case Opcode::AtLeast:
    return Each([&](unsigned I) { return A[I] >= Imm; });
  case Opcode::Below:
    return Each([&](unsigned I) { return A[I] < Imm; });
  case Opcode::PowerOfTwo:
    return Each([&](unsigned I) {
      return A[I] > 0 && (bits(A[I]) & (bits(A[I]) - 1)) == 0;
    });
  }
  llvm_unreachable("all operations are listed");
}

llvm::Error Predicate::prepare(const PredicatePoint &At,
                               Scratch &Registers) const {
  if (At.Params.size() != ParamCount)
    return llvm::createStringError(
        std::errc::invalid_argument,
        "pattern '%s' has %u parameters, found %zu values", Name.c_str(),
        ParamCount, At.Params.size());
  Registers.resize(size_t(RegisterCount) * StripLength);
  auto Fill = [&](unsigned Register, int64_t Value) {
    std::fill_n(&Registers[size_t(Register) * StripLength], StripLength, Value);
  };
  for (unsigned I = 0; I < ParamCount; ++I)
    Fill(I, At.Params[I]);
  Fill(ParamCount, At.B);
  Fill(ParamCount + 1, At.H);
  Fill(ParamCount + 2, At.Q);
  return llvm::Error::success();
}

llvm::Error Predicate::evaluate(const PredicatePoint &At, int64_t K,
                                unsigned Count, Scratch &Registers) const {
  int64_t *Keys = &Registers[size_t(ParamCount + 3) * StripLength];
  for (unsigned I = 0; I < Count; ++I)
    Keys[I] = value(bits(K) + I);
  for (const Instruction &Inst : Instructions)
    if (llvm::Error E = execute(Inst, At, K, Count, Registers))
      return E;
  return llvm::Error::success();
}

llvm::Expected<bool> Predicate::keep(const PredicatePoint &At,
                                     int64_t K) const {
  Scratch Registers;
  if (llvm::Error E = prepare(At, Registers))
    return E;
  if (llvm::Error E = evaluate(At, K, 1, Registers))
    return E;
  return Registers[size_t(Result) * StripLength] != 0;
}

llvm::Error Predicate::keptRuns(const PredicatePoint &At, Scratch &Registers,
                                std::vector<KeyRun> &Runs) const {
  if (llvm::Error E = prepare(At, Registers))
    return E;
  const size_t First = Runs.size();
  for (int64_t K = 0; K < At.NumKeys; K += StripLength) {
    auto Count =
        static_cast<unsigned>(std::min<int64_t>(StripLength, At.NumKeys - K));
    if (llvm::Error E = evaluate(At, K, Count, Registers))
      return E;
    const int64_t *Kept = &Registers[size_t(Result) * StripLength];
    for (unsigned I = 0; I < Count; ++I) {
      if (Kept[I] == 0)
        continue;
      if (Runs.size() > First && Runs.back().End == K + I)
        ++Runs.back().End;
      else
        Runs.push_back({K + I, K + I + 1});
    }
  }
  return llvm::Error::success();
}
