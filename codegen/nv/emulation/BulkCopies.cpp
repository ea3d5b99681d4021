// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of AsyncState that copies.

#include "codegen/nv/emulation/AsyncState.h"
#include "codegen/nv/emulation/Cta.h"

using namespace heddle::ptx;
using llvm::Twine;

/// Says which of the copies is at fault, where another instruction found out.
static Access accessOf(WarpState &By, const BulkCopy &What, unsigned Agent,
                       uint32_t Own, const uint32_t *Known) {
  Access A(By);
  A.Clock = Known;
  A.Own = Own;
  A.Line = What.From.Line;
  A.Warp = uint8_t(Agent);
  return A;
}

bool AsyncState::beginCopy(WarpState &By, unsigned Lane, BulkCopy What) {
  What.From = {By.Frame, By.here(), By.Index,
               By.Frame->Of->Places[By.here()].Line};
  What.Known = By.Clock;
  Cta.Counts.AsyncBytes += What.Bytes;
  const Range *Last = nullptr;
  for (const BoxPiece &Piece : What.Pieces) {
    if (uint64_t(Piece.Shared) + Piece.Bytes > Cta.Shared.size()) {
      By.fault(FaultKind::OutOfBounds, int(Lane),
               "the bulk copy touches byte " +
                   Twine(Piece.Shared + Piece.Bytes - 1) +
                   " of shared memory, which has " + Twine(Cta.Shared.size()));
      return false;
    }
    if (!Piece.InBounds)
      continue;
    if (!Last || Piece.Global < Last->Begin || Piece.Global >= Last->End)
      Last = Cta.Launch.On.find(Piece.Global);
    if (!Last || Piece.Global + Piece.Bytes > Last->End ||
        (!What.ToShared && Last->ReadOnly)) {
      By.fault(Last && Last->ReadOnly ? FaultKind::ReadOnly
                                      : FaultKind::OutOfBounds,
               int(Lane),
               "the bulk copy touches global address 0x" +
                   Twine::utohexstr(Piece.Global) + ", which it may not");
      return false;
    }
  }
  if (!What.ToShared) {
    Stores[By.Index * WarpSize + Lane].Open.push_back(std::move(What));
    return true;
  }
  // From now on the bytes belong to the copy. Whoever used them before must
  // have said so to the thread that begins it.
  Access A = accessOf(By, What, copyAgent(), ++CopyClock, What.Known.data());
  for (const BoxPiece &Piece : What.Pieces)
    if (!Cta.Shared.beginCopy(A, CollectiveLane, Piece.Shared, Piece.Bytes))
      return false;
  uint32_t Barrier = What.Barrier;
  Loads.push_back(std::move(What));
  // Somebody may wait for it already.
  wake(Barrier);
  return true;
}

void AsyncState::toShared(WarpState &By, unsigned Lane, const BulkCopy &What) {
  Access A = accessOf(By, What, copyAgent(), ++CopyClock, What.Known.data());
  unsigned Size = What.Map.elementBytes();
  for (const BoxPiece &Piece : What.Pieces) {
    char *To = Cta.Shared.at(Piece.Shared);
    if (Piece.InBounds)
      std::memcpy(To, reinterpret_cast<const char *>(Piece.Global),
                  Piece.Bytes);
    else
      for (unsigned I = 0; I < Piece.Bytes; ++I)
        To[I] = char(fillByte(What.Map, (Piece.Shared + I) % Size));
    Cta.Shared.endCopy(A, CollectiveLane, Piece.Shared, Piece.Bytes);
  }
}

/// Completes the copies that report to an mbarrier.
bool AsyncState::carryOut(WarpState &By, uint32_t Offset) {
  for (auto At = Loads.begin(); At != Loads.end();) {
    if (At->Barrier != Offset) {
      ++At;
      continue;
    }
    BulkCopy What = std::move(*At);
    At = Loads.erase(At);
    toShared(By, CollectiveLane, What);
    Barrier &B = Barriers[Offset];
    // Who waits for the mbarrier knows of the copy, through either proxy.
    B.Arrived[copyAgent()] = B.Arrived[half() + copyAgent()] = CopyClock;
    uint64_t Before = B.Object.phase();
    if (!B.Object.completeBytes(What.Bytes)) {
      By.faultAt(FaultKind::Barrier, -1, B.Object.error(), *What.From.Frame,
                 What.From.Pc);
      return false;
    }
    phaseMayEnd(B, Before, Offset);
  }
  return true;
}

void AsyncState::commitCopies(WarpState &By, unsigned Lane) {
  BulkGroups &Of = Stores[By.Index * WarpSize + Lane];
  Of.Closed.push_back(std::move(Of.Open));
  Of.Open.clear();
}

bool AsyncState::toGlobal(WarpState &By, unsigned Lane, const BulkCopy &What) {
  // Through the async proxy, knowing what was known when the copy began: a
  // later write is a race with it.
  Access A =
      accessOf(By, What, copyAgent(), ++CopyClock, What.Known.data() + half());
  A.Generic = What.Known.data();
  for (const BoxPiece &Piece : What.Pieces) {
    if (!Piece.InBounds)
      continue;
    if (!Cta.Shared.read(A, CollectiveLane, Piece.Shared, Piece.Bytes))
      return false;
    std::memcpy(reinterpret_cast<char *>(Piece.Global),
                Cta.Shared.at(Piece.Shared), Piece.Bytes);
  }
  return true;
}

bool AsyncState::waitCopies(WarpState &By, unsigned Lane, unsigned Allowed) {
  BulkGroups &Of = Stores[By.Index * WarpSize + Lane];
  while (Of.Closed.size() > Allowed) {
    for (const BulkCopy &What : Of.Closed.front())
      if (!toGlobal(By, Lane, What))
        return false;
    Of.Closed.pop_front();
  }
  By.Clock[copyAgent()] = std::max(By.Clock[copyAgent()], CopyClock);
  return true;
}
