// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// wgmma instructions (PTX ISA, Asynchronous Warpgroup Level Matrix
// Instructions).

#include "codegen/nv/emulation/AsyncOperands.h"

using namespace heddle::ptx;
using llvm::Twine;

// Flags of wgmma.mma_async; the element type is in the low two bits.
static constexpr uint8_t ElementBits = 3, HalfSum = 4, RegisterA = 8,
                         NegateA = 16, NegateB = 32, TransposeA = 64,
                         TransposeB = 128;

static void runWgmma(WarpState &W, const Inst &I) {
  if (!W.gather(AllLanes))
    return;
  const auto *A = W.reg<uint64_t>(I.Op[0]), *B = W.reg<uint64_t>(I.Op[1]);
  LaneMask Scale = *W.reg<LaneMask>(I.Op[2]);
  for (unsigned L = 1; L < WarpSize; ++L)
    if (B[L] != B[0] || (!(I.Flags & RegisterA) && A[L] != A[0])) {
      W.fault(FaultKind::MissingLanes, int(L),
              "the lanes have different matrix descriptors");
      return;
    }
  if (Scale && Scale != AllLanes) {
    W.fault(FaultKind::MissingLanes, llvm::countr_zero(~Scale),
            "scale-d holds in some lanes only");
    return;
  }
  Product P;
  P.Shape.Element = MmaElement(I.Flags & ElementBits);
  P.Shape.N = I.Aux;
  P.Shape.HalfSum = I.Flags & HalfSum;
  P.How = {Scale != 0, (I.Flags & NegateA) != 0, (I.Flags & NegateB) != 0};
  P.RegisterA = I.Flags & RegisterA;
  P.OuterMajorA = I.Flags & TransposeA;
  P.OuterMajorB = I.Flags & TransposeB;
  P.A = P.RegisterA ? 0 : A[0];
  P.B = B[0];
  P.Code = &I;
  P.From = {W.Frame, W.here(), W.Index, W.Frame->Of->Places[W.here()].Line};
  W.Cta.Async.issue(W, P);
}

static void runWgmmaFence(WarpState &W, const Inst &I) {
  if (W.gather(AllLanes))
    W.Cta.Async.fenceProducts(W);
}

static void runWgmmaCommit(WarpState &W, const Inst &I) {
  if (W.gather(AllLanes))
    W.Cta.Async.commitProducts(W);
}

static void runWgmmaWait(WarpState &W, const Inst &I) {
  if (W.gather(AllLanes))
    W.Cta.Async.waitProducts(W, I.Aux);
}

/// "m64n128k16": the N; 0 for other words.
static unsigned shapeN(llvm::StringRef Word, unsigned K) {
  unsigned N = 0, Depth = 0;
  if (!Word.consume_front("m64n") || Word.consumeInteger(10, N) ||
      !Word.consume_front("k") || Word.getAsInteger(10, Depth) || Depth != K)
    return 0;
  return N;
}

static bool one(Decoder &D, unsigned N, int64_t IfOne, int64_t IfNot) {
  int64_t Value = D.immediate(N);
  if (Value != IfOne && Value != IfNot)
    D.fail("operand " + Twine(N + 1) + " must be " + Twine(IfOne) + " or " +
           Twine(IfNot));
  return Value == IfOne;
}

static void decodeWgmma(Decoder &D) {
  llvm::StringRef Word = D.takeNext();
  llvm::StringRef Sum = D.takeNext(), A = D.takeNext(), B = D.takeNext();
  WgmmaShape Shape;
  if (A == "bf16")
    Shape.Element = MmaElement::BF16;
  else if (A == "tf32")
    Shape.Element = MmaElement::TF32;
  else if (A != "f16")
    D.fail("products of '" + A + "' are not emulated");
  if (A != B)
    D.fail("the operands have different types");
  Shape.HalfSum = Sum == "f16";
  if (!Shape.HalfSum && Sum != "f32")
    D.fail("a sum in '" + Sum + "' is not emulated");
  Shape.N = shapeN(Word, Shape.k());
  if (!Shape.valid())
    D.fail("'" + Word + "' is no shape of such a product");
  bool InRegisters = D.operand(1).Is == Operand::Vector;
  bool Turns = Shape.Element != MmaElement::TF32;
  D.expect(6 + (Turns ? (InRegisters ? 1 : 2) : 0));
  if (D.failed())
    return;
  auto Sums = D.elements(0);
  if (Sums.size() != Shape.registersD())
    D.fail("expected " + Twine(Shape.registersD()) +
           " accumulator registers, found " + Twine(unsigned(Sums.size())));
  for (const Operand *O : Sums)
    D.more(D.target(*O, B32));
  if (InRegisters) {
    auto Fragment = D.elements(1);
    if (Fragment.size() != WgmmaShape::registersA())
      D.fail("matrix A has four registers");
    for (const Operand *O : Fragment)
      D.more(D.source(*O, B32));
  } else {
    D.I.Op[0] = D.source(1, B64);
  }
  D.I.Op[1] = D.source(2, B64);
  D.I.Op[2] = D.source(3, Predicate);
  D.I.Aux = Shape.N;
  uint8_t Flags = uint8_t(Shape.Element);
  Flags |= Shape.HalfSum ? HalfSum : 0;
  Flags |= InRegisters ? RegisterA : 0;
  Flags |= one(D, 4, 1, -1) ? 0 : NegateA;
  Flags |= one(D, 5, 1, -1) ? 0 : NegateB;
  unsigned Next = 6;
  if (Turns && !InRegisters)
    Flags |= one(D, Next++, 1, 0) ? TransposeA : 0;
  if (Turns)
    Flags |= one(D, Next, 1, 0) ? TransposeB : 0;
  D.I.Flags = Flags;
  D.I.Run = runWgmma;
}

void heddle::ptx::addWgmmaInstructions(DecodeTable &Into) {
  Into["wgmma"] = [](Decoder &D) {
    D.Frame.Into.UsesAsync = true;
    bool Product = D.take("mma_async"), Fence = D.take("fence"),
         Commit = D.take("commit_group"), Wait = D.take("wait_group");
    if (!D.take("sync") || !D.take("aligned"))
      D.fail("expected '.sync.aligned'");
    if (Product)
      return decodeWgmma(D);
    if (!Fence && !Commit && !Wait)
      D.fail("'wgmma' has no '." + D.next() + "'");
    D.expect(Wait ? 1 : 0);
    if (Wait)
      D.I.Aux = uint32_t(D.immediate(0));
    D.I.Run = Fence ? runWgmmaFence : Commit ? runWgmmaCommit : runWgmmaWait;
  };
}
