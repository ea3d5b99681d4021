// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ldmatrix, stmatrix and mma.sync (PTX ISA, Warp Level Matrix Instructions).
// What they mean is in semantics/; here are their operands.

#include "codegen/nv/emulation/Lanes.h"
#include "codegen/nv/emulation/Memory.h"
#include "codegen/nv/emulation/semantics/Matrices.h"
#include "codegen/nv/emulation/semantics/Mma.h"

using namespace heddle::ptx;
using llvm::Twine;

namespace {

constexpr unsigned RowBytes = sizeof(MatrixRow);

/// Op[0]: address; more: registers; Flags: transposed.
constexpr uint8_t Transposed = 1;

template <bool IsLoad> void runMatrices(WarpState &W, const Inst &I) {
  if (!W.gather(AllLanes))
    return;
  uint64_t Address[WarpSize];
  W.addresses(I, 0, Address);
  std::array<MatrixRow, WarpSize> Rows;
  std::array<WarpRegister, 4> Registers;
  unsigned Count = I.Count * MatrixRows;
  MemoryAccess At(W, Space(I.Aux), IsLoad ? Touch::Read : Touch::Write);
  Access All(W);
  if (!IsLoad) {
    for (unsigned N = 0; N < I.Count; ++N)
      std::memcpy(Registers[N].data(), W.reg<char>(W.more(I, N)),
                  sizeof(WarpRegister));
    storeMatrices(Registers.data(), I.Count, I.Flags & Transposed, Rows.data());
  }
  // All lanes touch a row together.
  for (unsigned L = 0; L < Count; ++L) {
    char *Row = At.locate(L, Address[L], RowBytes);
    if (!Row)
      return;
    if (!At.inShared())
      return W.fault(FaultKind::OutOfBounds, int(L),
                     "a row of a matrix does not lie in shared memory");
    uint64_t Offset = uint64_t(Row - W.Cta.Shared.at(0));
    bool Fine = IsLoad
                    ? W.Cta.Shared.read(All, CollectiveLane, Offset, RowBytes)
                    : W.Cta.Shared.write(All, CollectiveLane, Offset, RowBytes);
    if (!Fine)
      return;
    if (IsLoad)
      std::memcpy(Rows[L].data(), Row, RowBytes);
    else
      std::memcpy(Row, Rows[L].data(), RowBytes);
  }
  W.Cta.Counts.SharedBytes += uint64_t(Count) * RowBytes;
  if (!IsLoad)
    return;
  loadMatrices(Rows.data(), I.Count, I.Flags & Transposed, Registers.data());
  for (unsigned N = 0; N < I.Count; ++N)
    std::memcpy(W.reg<char>(W.more(I, N)), Registers[N].data(),
                sizeof(WarpRegister));
}

template <bool IsLoad> void decodeMatrices(Decoder &D) {
  bool Known = D.take("sync") && D.take("aligned") && D.take("m8n8");
  unsigned Count = D.take("x1") ? 1 : D.take("x2") ? 2 : D.take("x4") ? 4 : 0;
  if (D.take("trans"))
    D.I.Flags |= Transposed;
  Space In = D.space();
  Known &=
      (In == Space::Shared || In == Space::Generic) && D.take("b16") && Count;
  if (!Known)
    return D.fail("unknown instruction '" + D.From.Opcode + "'");
  D.expect(2);
  std::vector<const Operand *> Parts = D.elements(IsLoad ? 0 : 1);
  if (Parts.size() != Count)
    return D.fail("expected " + Twine(Count) + " registers, found " +
                  Twine(Parts.size()));
  for (const Operand *Part : Parts)
    D.more(IsLoad ? D.target(*Part, B32) : D.source(*Part, B32));
  D.I.Count = uint8_t(Count);
  D.I.Aux = uint32_t(In);
  D.address(IsLoad ? 1 : 0, 0, In);
  D.I.Run = runMatrices<IsLoad>;
}

// --- mma ---

/// Aux: element, k, f16 sums, packed; more: D, A, B, C.
MmaShape shapeOf(const Inst &I) {
  MmaShape Out;
  Out.Element = MmaElement(I.Aux & 0xff);
  Out.K = I.Aux >> 8 & 0xff;
  Out.HalfSum = I.Aux >> 16 & 1;
  return Out;
}

void runProduct(WarpState &W, const Inst &I) {
  if (!W.gather(AllLanes))
    return;
  MmaShape Shape = shapeOf(I);
  // At most 4 + 4 + 2 + 4 registers.
  std::array<WarpRegister, 4> A, B, C, Sum;
  unsigned Next = Shape.registersC();
  auto Read = [&](std::array<WarpRegister, 4> &Into, unsigned Count) {
    for (unsigned N = 0; N < Count; ++N)
      std::memcpy(Into[N].data(), W.reg<char>(W.more(I, Next++)),
                  sizeof(WarpRegister));
  };
  Read(A, Shape.registersA());
  Read(B, Shape.registersB());
  Read(C, Shape.registersC());
  multiply(Shape, A.data(), B.data(), C.data(), Sum.data());
  for (unsigned N = 0; N < Shape.registersC(); ++N)
    std::memcpy(W.reg<char>(W.more(I, N)), Sum[N].data(), sizeof(WarpRegister));
  ++W.Cta.Counts.MatrixInstructions;
}

void decodeProduct(Decoder &D) {
  MmaShape Shape;
  bool Known = D.take("sync") && D.take("aligned");
  Shape.K = D.take("m16n8k16")  ? 16
            : D.take("m16n8k8") ? 8
            : D.take("m16n8k4") ? 4
                                : 0;
  Known &= Shape.K && D.take("row") && D.take("col");
  Type To = D.type(), A = D.type(), B = D.type(), C = D.type();
  Shape.Element = A.Class == TypeClass::Tensor  ? MmaElement::TF32
                  : A.Class == TypeClass::Brain ? MmaElement::BF16
                                                : MmaElement::F16;
  Shape.HalfSum = To.Width == 16;
  Known &= A == B && To == C && To.Class == TypeClass::Float &&
           To.Width <= 32 && (A.isHalf() || A.Class == TypeClass::Tensor) &&
           Shape.valid();
  if (!Known)
    return D.fail("unknown instruction '" + D.From.Opcode + "'");
  D.expect(4);
  unsigned Counts[] = {Shape.registersC(), Shape.registersA(),
                       Shape.registersB(), Shape.registersC()};
  for (unsigned N = 0; N < 4; ++N) {
    std::vector<const Operand *> Parts = D.elements(N);
    if (Parts.size() != Counts[N])
      return D.fail("operand " + Twine(N + 1) + ": expected " +
                    Twine(Counts[N]) + " registers, found " +
                    Twine(Parts.size()));
    for (const Operand *Part : Parts)
      D.more(N ? D.source(*Part, B32) : D.target(*Part, B32));
  }
  D.I.Aux =
      uint32_t(Shape.Element) | Shape.K << 8 | uint32_t(Shape.HalfSum) << 16;
  D.I.Run = runProduct;
}

} // namespace

void heddle::ptx::addMatrixInstructions(DecodeTable &Into) {
  Into["ldmatrix"] = decodeMatrices<true>;
  Into["stmatrix"] = decodeMatrices<false>;
  Into["mma"] = decodeProduct;
}
