// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cp.async (PTX ISA, Data Movement and Conversion Instructions: Asynchronous
// copy). A copy happens when its thread waits for it, which is as late as it
// may; until then nobody may touch its target.

#include "codegen/nv/emulation/Lanes.h"
#include "codegen/nv/emulation/Memory.h"

using namespace heddle::ptx;
using llvm::Twine;

namespace {

/// Op: shared address, global address, source size, predicate of ignore-src.
/// Bytes: of the copy; Imm: offset of the shared address, Aux of the global.
enum AsyncFlag : uint8_t {
  HasSize = 1,
  Ignores = 2,
  NegatedIgnore = 4,
  Global32 = 8
};

void runCopy(WarpState &W, const Inst &I) {
  uint64_t To[WarpSize], From[WarpSize];
  W.addresses(I, 0, To);
  const auto *Base = W.reg<uint64_t>(I.Op[1]);
  for (unsigned L = 0; L < WarpSize; ++L)
    From[L] = Base[L] + uint64_t(int64_t(int32_t(I.Aux)));
  LaneMask Ignore =
      I.Flags & Ignores
          ? *W.reg<LaneMask>(I.Op[3]) ^ (I.Flags & NegatedIgnore ? AllLanes : 0)
          : 0;
  MemoryAccess Target(W, Space::Shared, Touch::Write),
      Source(W, Space::Global, Touch::Read);
  Access Owner(W);
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    uint32_t Size = I.Flags & HasSize ? W.reg<uint32_t>(I.Op[2])[L] : I.Bytes;
    if (Ignore >> L & 1)
      Size = 0;
    if (Size > I.Bytes)
      return W.fault(FaultKind::OutOfBounds, int(L),
                     "a copy of " + Twine(unsigned(I.Bytes)) +
                         " bytes cannot take " + Twine(Size) +
                         " from its source");
    if (!Target.locate(L, To[L], I.Bytes))
      return;
    if (From[L] % I.Bytes)
      return W.fault(FaultKind::Misaligned, int(L),
                     "the source of the copy is no multiple of " +
                         Twine(unsigned(I.Bytes)) + " bytes");
    // Whether the source is there shows where the copy is made.
    if (Size && (!Source.locate(L, From[L], 1) ||
                 !Source.locate(L, From[L] + Size - 1, 1)))
      return;
    if (!W.Cta.Shared.beginCopy(Owner, L, To[L], I.Bytes))
      return;
    W.Copies.push_back({From[L], uint32_t(To[L]), I.Bytes, uint8_t(Size),
                        uint8_t(L), W.CopyGroups[L], &I, W.CopiesBegun++});
    W.Cta.Counts.AsyncBytes += Size;
  }
}

/// Makes the copies that `Done` says are waited for.
template <typename Predicate> void finish(WarpState &W, Predicate Done) {
  Access Owner(W);
  size_t Left = 0;
  for (PendingCopy &C : W.Copies) {
    if (!Done(C)) {
      W.Copies[Left++] = C;
      continue;
    }
    char *To = W.Cta.Shared.at(C.To);
    std::memcpy(To, reinterpret_cast<const char *>(C.From), C.SourceBytes);
    std::memset(To + C.SourceBytes, 0, size_t(C.Bytes) - C.SourceBytes);
    W.Cta.Shared.endCopy(Owner, C.Lane, C.To, C.Bytes);
  }
  W.Copies.resize(Left);
}

/// The copies of the executing lanes that belong to groups before the last
/// `Keep` committed ones.
void finishGroups(WarpState &W, uint32_t Keep, bool Uncommitted) {
  finish(W, [&](const PendingCopy &C) {
    return W.on(C.Lane) &&
           (Uncommitted || uint64_t(C.Group) + Keep < W.CopyGroups[C.Lane]);
  });
}

void runCommit(WarpState &W, const Inst &I) {
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L))
      ++W.CopyGroups[L];
}
void runWait(WarpState &W, const Inst &I) {
  finishGroups(W, I.Aux, /*Uncommitted=*/false);
}
void runWaitAll(WarpState &W, const Inst &I) {
  finishGroups(W, 0, /*Uncommitted=*/true);
}

/// [a, src-size] or [a, ignore-src]: the fourth operand.
void decodeCopy(Decoder &D) {
  bool Whole = D.take("cg");
  if (!Whole && !D.take("ca"))
    return D.fail("expected '.ca' or '.cg'");
  D.ignore({"L2::cache_hint", "L2::64B", "L2::128B", "L2::256B"});
  // .shared[::cta].global in this order.
  if (D.take("global") && D.space() != Space::Shared)
    return D.fail("expected a copy from '.global' to '.shared'");
  D.expect(3, 5);
  int64_t Bytes = D.immediate(2);
  if (Bytes != 16 && (Whole || (Bytes != 4 && Bytes != 8)))
    return D.fail("a copy of " + Twine(Bytes) +
                  " bytes is not possible: expected " +
                  (Whole ? "16" : "4, 8 or 16"));
  D.I.Bytes = uint8_t(Bytes);
  D.address(1, 1, Space::Global);
  if (D.I.Flags & Address32)
    return D.fail("a global address has 64 bits");
  if (D.I.Imm != int32_t(D.I.Imm))
    return D.fail("the offset " + Twine(D.I.Imm) + " is too large");
  D.I.Aux = uint32_t(D.I.Imm);
  D.address(0, 0, Space::Shared);
  if (D.count() > 3) {
    const Operand &Fourth = D.operand(3);
    Symbol *Known =
        Fourth.Is == Operand::Name ? D.Frame.find(Fourth.Text) : nullptr;
    if (Known && Known->Is == Symbol::Register && Known->Of.isPredicate()) {
      bool Negated = false;
      D.I.Op[3] = D.predicate(3, Negated);
      D.I.Flags |= uint8_t(Ignores | (Negated ? NegatedIgnore : 0));
    } else if (Known && Known->Is == Symbol::Register &&
               Known->Of.Width == 64) {
      // A cache policy: changes no result.
    } else {
      D.I.Op[2] = D.source(3, U32);
      D.I.Flags |= HasSize;
    }
  }
  D.I.Run = runCopy;
}

} // namespace

void heddle::ptx::finishCopies(WarpState &W, unsigned Lane, uint64_t End) {
  finish(W, [&](const PendingCopy &C) {
    return C.Lane == Lane && C.Number < End;
  });
}

void heddle::ptx::addAsyncInstructions(DecodeTable &Into) {
  Into["cp"] = [](Decoder &D) {
    if (!D.take("async"))
      return D.fail("unknown instruction '" + D.From.Opcode + "'");
    if (D.take("bulk"))
      return decodeBulkCopy(D);
    if (D.take("mbarrier"))
      return decodeCopyArrive(D);
    if (D.take("commit_group")) {
      D.expect(0);
      D.I.Run = runCommit;
    } else if (D.take("wait_group")) {
      D.expect(1);
      D.I.Aux = uint32_t(D.immediate(0));
      D.I.Run = runWait;
    } else if (D.take("wait_all")) {
      D.expect(0);
      D.I.Run = runWaitAll;
    } else {
      decodeCopy(D);
    }
  };
}
