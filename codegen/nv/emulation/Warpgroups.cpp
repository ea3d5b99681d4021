// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of AsyncState that multiplies matrices.

#include "codegen/nv/emulation/AsyncState.h"
#include "codegen/nv/emulation/Cta.h"

using namespace heddle::ptx;
using llvm::Twine;

/// What accumulators hold while a product owns them: NaN as f32 and as f16.
static constexpr uint32_t Owned = 0x7fff7fff;

void AsyncState::fenceProducts(WarpState &By) {
  Groups[By.Index / WgmmaShape::Warps].Fenced[By.Index % WgmmaShape::Warps] =
      true;
}

bool AsyncState::issue(WarpState &By, const Product &What) {
  unsigned Number = By.Index / WgmmaShape::Warps;
  unsigned InGroup = By.Index % WgmmaShape::Warps;
  if ((Number + 1) * WgmmaShape::Warps > Warps) {
    By.fault(FaultKind::MissingLanes, -1,
             "the last warpgroup of the CTA has fewer than four warps");
    return false;
  }
  Warpgroup &Of = Groups[Number];
  // PTX ISA, wgmma.fence: before the first product, and after any access to
  // its registers.
  if (!Of.Fenced[InGroup]) {
    By.fault(FaultKind::Race, -1,
             "no wgmma.fence orders this product after earlier uses of its "
             "registers");
    return false;
  }
  uint64_t Mine = Of.Issued[InGroup]++;
  if (Mine - Of.First == Of.Queue.size()) {
    Of.Queue.push_back(What);
    Of.Queue.back().Known = By.Clock;
  }
  Product &P = Of.Queue[Mine - Of.First];
  if (P.Code != What.Code || P.A != What.A || P.B != What.B ||
      P.How.Accumulate != What.How.Accumulate) {
    By.fault(FaultKind::MissingLanes, -1,
             "the warps of a warpgroup differ: warp " + Twine(P.From.Warp) +
                 (P.Code == What.Code
                      ? " has other matrix descriptors or scale-d here"
                      : " is at line " + Twine(P.From.Line)));
    return false;
  }
  for (size_t I = 0; I < P.Known.size(); ++I)
    P.Known[I] = std::min(P.Known[I], By.Clock[I]);
  Product::Part &Part = P.Parts[InGroup];
  Part.Registers = By.Registers;
  Part.Operands = By.Frame->Of->Operands.data() + What.Code->More;
  bool Free = true;
  for (uint64_t I = 0; I < Mine - Of.First; ++I)
    Free &= !Of.Queue[I].Parts[InGroup].same(Part);
  if (Free)
    for (unsigned R = 0; R < P.Shape.registersD(); ++R) {
      auto *Register = By.reg<uint32_t>(Part.Operands[R]);
      WarpRegister &Saved = Part.Before.emplace_back();
      std::copy(Register, Register + WarpSize, Saved.begin());
      std::fill(Register, Register + WarpSize, Owned);
    }
  for (unsigned R = 0; P.RegisterA && R < WgmmaShape::registersA(); ++R) {
    const auto *Register =
        By.reg<uint32_t>(Part.Operands[P.Shape.registersD() + R]);
    std::copy(Register, Register + WarpSize,
              Part.Fragment.emplace_back().begin());
  }
  P.Issued |= 1U << InGroup;
  Of.Groups[InGroup].issue(Mine);
  if (P.Issued == (1U << WgmmaShape::Warps) - 1) {
    ++Cta.Counts.MatrixInstructions;
    wake(WarpgroupEvent | Number);
  }
  return true;
}

void AsyncState::commitProducts(WarpState &By) {
  Groups[By.Index / WgmmaShape::Warps]
      .Groups[By.Index % WgmmaShape::Warps]
      .commit();
}

bool AsyncState::operand(WarpState &By, const Product &What, bool IsB,
                         unsigned Agent, uint32_t Own,
                         std::vector<float> &Out) {
  const WgmmaShape &Shape = What.Shape;
  MatrixDescriptor At = decodeDescriptor(IsB ? What.B : What.A);
  const char *Name = IsB ? "B" : "A";
  if (At.Malformed) {
    By.fault(FaultKind::OutOfBounds, -1,
             "the descriptor of matrix " + Twine(Name) + ", 0x" +
                 Twine::utohexstr(IsB ? What.B : What.A) +
                 ", sets bits that belong to no field");
    return false;
  }
  Access A(By);
  A.Clock = What.Known.data() + half();
  A.Generic = What.Known.data();
  A.Own = Own;
  A.Line = What.From.Line;
  A.Warp = uint8_t(Agent);
  unsigned Size = Shape.elementBytes(), Unit = 16 / Size;
  unsigned Outer = IsB ? Shape.N : WgmmaShape::M, K = Shape.k();
  bool OuterMajor = IsB ? What.OuterMajorB : What.OuterMajorA;
  // 16 bytes always lie together: eight or four neighbours along the major
  // dimension.
  unsigned StepOuter = OuterMajor ? Unit : 1, StepK = OuterMajor ? 1 : Unit;
  Out.resize(size_t(Outer) * K);
  for (unsigned O = 0; O < Outer; O += StepOuter)
    for (unsigned I = 0; I < K; I += StepK) {
      uint32_t Address = elementAddress(At, OuterMajor, Size, O, I);
      if (uint64_t(Address) + 16 > Cta.Shared.size()) {
        By.fault(FaultKind::OutOfBounds, -1,
                 "matrix " + Twine(Name) + " reaches byte " +
                     Twine(Address + 15) + " of shared memory, which has " +
                     Twine(Cta.Shared.size()));
        return false;
      }
      if (!Cta.Shared.read(A, CollectiveLane, Address, 16))
        return false;
      const auto *From =
          reinterpret_cast<const uint8_t *>(Cta.Shared.at(Address));
      for (unsigned E = 0; E < Unit; ++E) {
        unsigned AtOuter = O + (OuterMajor ? E : 0);
        unsigned AtK = I + (OuterMajor ? 0 : E);
        size_t Place =
            IsB ? size_t(AtK) * Outer + AtOuter : size_t(AtOuter) * K + AtK;
        Out[Place] = elementValue(Shape, From + size_t(E) * Size);
      }
    }
  return true;
}

/// Nobody may write registers that a product owns (PTX ISA, wgmma.mma_async,
/// wgmma.wait_group).
bool AsyncState::untouched(WarpState &By, const Product &What, unsigned Warp) {
  const Product::Part &Part = What.Parts[Warp];
  auto Register = [&](unsigned N) {
    return reinterpret_cast<const uint32_t *>(Part.Registers +
                                              Part.Operands[N]);
  };
  const char *Changed = nullptr;
  for (unsigned R = 0; R < What.Shape.registersD(); ++R)
    if (std::any_of(Register(R), Register(R) + WarpSize,
                    [](uint32_t X) { return X != Owned; }))
      Changed = "an accumulator";
  for (unsigned R = 0; R < Part.Fragment.size(); ++R)
    if (!std::equal(Part.Fragment[R].begin(), Part.Fragment[R].end(),
                    Register(What.Shape.registersD() + R)))
      Changed = "a register of matrix A";
  if (Changed)
    By.fault(FaultKind::Race, -1,
             Twine(Changed) + " of warp " +
                 Twine(What.From.Warp / WgmmaShape::Warps * WgmmaShape::Warps +
                       Warp) +
                 " was written while the product was in flight");
  return !Changed;
}

bool AsyncState::runFirst(WarpState &By, Warpgroup &Of, unsigned Number) {
  Product &What = Of.Queue.front();
  const WgmmaShape &Shape = What.Shape;
  unsigned Agent = productAgent(Number);
  uint32_t Own = ++Of.Clock;
  std::vector<float> A, B, Rows;
  // What is wrong is wrong at the product, not at the wait.
  CallFrame *Frame = By.Frame;
  uint32_t Pc = By.Pc;
  By.Frame = const_cast<CallFrame *>(What.From.Frame);
  By.Pc = What.From.Pc + 1;
  bool Fine =
      operand(By, What, /*IsB=*/true, Agent, Own, B) &&
      (What.RegisterA || operand(By, What, /*IsB=*/false, Agent, Own, A));
  for (unsigned W = 0; Fine && W < WgmmaShape::Warps; ++W)
    Fine = untouched(By, What, W);
  By.Frame = Frame;
  By.Pc = Pc;
  if (!Fine)
    return false;
  for (unsigned W = 0; W < WgmmaShape::Warps; ++W) {
    Product::Part &Part = What.Parts[W];
    const float *Left = A.data() + size_t(W) * WgmmaShape::RowsPerWarp *
                                       (What.RegisterA ? 0 : Shape.k());
    if (What.RegisterA) {
      rowsFromRegisters(Shape, Part.Fragment.data(), Rows);
      Left = Rows.data();
    }
    multiplyWarpgroup(Shape, What.How, Left, B.data(), Part.Before.data());
    // The next product with the same accumulators owns them from now on.
    Product::Part *Next = nullptr;
    for (size_t I = 1; !Next && I < Of.Queue.size(); ++I)
      if (Product::Part &Other = Of.Queue[I].Parts[W]; Other.same(Part))
        Next = &Other;
    if (Next) {
      Next->Before = std::move(Part.Before);
      continue;
    }
    for (unsigned R = 0; R < Part.Before.size(); ++R)
      std::copy(
          Part.Before[R].begin(), Part.Before[R].end(),
          reinterpret_cast<uint32_t *>(Part.Registers + Part.Operands[R]));
  }
  return true;
}

bool AsyncState::waitProducts(WarpState &By, unsigned Allowed) {
  unsigned Number = By.Index / WgmmaShape::Warps;
  unsigned InGroup = By.Index % WgmmaShape::Warps;
  Warpgroup &Of = Groups[Number];
  uint64_t End = 0; // products before this one must be done
  if (std::optional<uint64_t> Last = Of.Groups[InGroup].lastDue(Allowed))
    End = *Last + 1;
  for (uint64_t N = Of.First; N < End; ++N)
    if (Of.Queue[N - Of.First].Issued != (1U << WgmmaShape::Warps) - 1) {
      By.block(Wait::Event, WarpgroupEvent | Number, /*Again=*/true);
      return false;
    }
  while (Of.First < End) {
    if (!runFirst(By, Of, Number))
      return false;
    Of.Queue.pop_front();
    ++Of.First;
  }
  if (!Of.Groups[InGroup].wait(Allowed).empty())
    Of.Fenced[InGroup] = false;
  // The products that this warp waited for no longer read shared memory.
  uint32_t &Known = By.Clock[productAgent(Number)];
  Known = std::max(Known, Of.Clock);
  return true;
}
