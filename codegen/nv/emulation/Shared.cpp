// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Shared.h"

#include "codegen/nv/emulation/Cta.h"

using namespace heddle::ptx;
using llvm::Twine;

static constexpr unsigned Word = 4;
/// A lane in a read record: several, one after another.
static constexpr uint32_t SeveralLanes = 33;
static constexpr uint32_t LaneField = 63, StrongRead = 64, ClockShift = 7;
/// Clocks start anew before they outgrow a read record.
static constexpr uint32_t ClockLimit = uint32_t(1) << 24;

Access::Access(WarpState &By, bool Strong)
    : By(By), Clock(By.Clock.data()), Own(Clock[By.Index]),
      Line(By.Frame->Of->Places[By.here()].Line), Warp(uint8_t(By.Index)),
      Strong(Strong) {}

void SharedMemory::reset(uint64_t Bytes, unsigned NumWarps, bool LookForRaces,
                         uint32_t LastClock) {
  Races = LookForRaces;
  if (Bytes == Size && NumWarps == Warps && LastClock < ClockLimit) {
    Base = LastClock;
    return;
  }
  Size = Bytes;
  Warps = NumWarps;
  Base = 0;
  constexpr uint64_t Align = 1024; // what bulk tensor copies may ask for
  Data.assign(Bytes + Align, char(0xff));
  Skew = -reinterpret_cast<uintptr_t>(Data.data()) % Align;
  uint64_t Count = (Bytes + Word - 1) / Word;
  Words.assign(Count, Cell());
  WordReads.assign(Count * Warps, 0);
  SplitCells.clear();
  SplitReads.clear();
}

void SharedMemory::split(uint64_t Number) {
  Cell Whole = Words[Number];
  auto First = uint32_t(SplitCells.size());
  for (unsigned I = 0; I < Word; ++I) {
    SplitCells.push_back(Whole);
    auto *Reads = WordReads.data() + Number * Warps;
    SplitReads.insert(SplitReads.end(), Reads, Reads + Warps);
  }
  Words[Number].Flags = Split;
  Words[Number].WriteClock = First;
}

bool SharedMemory::each(const Access &A, unsigned Lane, uint64_t Offset,
                        unsigned Bytes, Kind What) {
  for (uint64_t At = Offset, End = Offset + Bytes; At < End;) {
    uint64_t Number = At / Word;
    bool Whole = At % Word == 0 && End - At >= Word;
    if (!Whole && !(Words[Number].Flags & Split))
      split(Number);
    Cell &C = Words[Number];
    if (!(C.Flags & Split)) {
      if (!touch(A, Lane, What, C, WordReads.data() + Number * Warps, At))
        return false;
      At += Word;
      continue;
    }
    for (uint64_t Stop = std::min(End, (Number + 1) * Word); At < Stop; ++At) {
      uint64_t Byte = C.WriteClock + At % Word;
      if (!touch(A, Lane, What, SplitCells[Byte],
                 SplitReads.data() + Byte * Warps, At))
        return false;
    }
  }
  return true;
}

static void raceFault(const Access &A, unsigned Lane, uint64_t Offset,
                      const char *Does, const char *Did, unsigned Warp,
                      unsigned OtherLane, uint32_t Line) {
  std::string Other = A.By.Cta.Async.agentName(Warp);
  if (OtherLane < WarpSize)
    Other += " lane " + std::to_string(OtherLane);
  if (Line)
    Other += " at line " + std::to_string(Line);
  A.By.fault(
      FaultKind::Race, Lane < WarpSize ? int(Lane) : -1,
      Twine("race on byte ") + Twine(Offset) + " of shared memory: " + Does +
          " here, " + Did + " by " + Other +
          (Warp == A.Warp ? ", and no bar.warp.sync or barrier orders the lanes"
                          : ", and no barrier orders the warps"));
}

bool SharedMemory::afterWrite(const Access &A, unsigned Lane, const Cell &C,
                              uint64_t Offset, const char *Does) {
  if (C.Flags & Pending) {
    std::string Owner = A.By.Cta.Async.agentName(C.WriteWarp);
    if (C.WriteLane < WarpSize)
      Owner = "the asynchronous copy of " + Owner + " lane " +
              std::to_string(C.WriteLane);
    A.By.fault(FaultKind::Pending, Lane < WarpSize ? int(Lane) : -1,
               "byte " + Twine(Offset) + " of shared memory is " + Does +
                   " while " + Owner + " at line " + Twine(C.WriteLine) +
                   " is in flight: it was not waited for");
    return false;
  }
  if (!Races || (A.Strong && (C.Flags & StrongWrite)))
    return true;
  bool Ordered = C.WriteWarp == A.Warp
                     ? C.WriteClock < A.Own ||
                           (C.WriteLane == Lane && Lane != CollectiveLane)
                     : C.WriteClock <= A.Clock[C.WriteWarp];
  if (Ordered)
    return true;
  if (A.Generic && C.WriteClock <= A.Generic[C.WriteWarp])
    A.By.fault(FaultKind::Race, Lane < WarpSize ? int(Lane) : -1,
               "byte " + Twine(Offset) + " of shared memory is " + Does +
                   " through the async proxy, but was written by " +
                   A.By.Cta.Async.agentName(C.WriteWarp) + " at line " +
                   Twine(C.WriteLine) + " and no fence.proxy.async followed");
  else
    raceFault(A, Lane, Offset, Does, "written", C.WriteWarp, C.WriteLane,
              C.WriteLine);
  return false;
}

bool SharedMemory::touchRead(const Access &A, unsigned Lane, Cell &C,
                             uint32_t *Reads, uint64_t Offset) {
  if (C.WriteClock <= Base) {
    A.By.fault(FaultKind::Uninitialized, Lane < WarpSize ? int(Lane) : -1,
               "byte " + Twine(Offset) +
                   " of shared memory is read, but nothing was written there");
    return false;
  }
  if (!afterWrite(A, Lane, C, Offset, "read"))
    return false;
  uint32_t &Mine = Reads[A.Warp];
  uint32_t Record = A.Own << ClockShift | (A.Strong ? StrongRead : 0) | Lane;
  bool Again = Mine >> ClockShift == A.Own && (Mine & LaneField) != Lane &&
               (Mine & LaneField) != CollectiveLane;
  // Strong only if all of them were.
  if (Again)
    Record = (Record & ~LaneField & (Mine | ~StrongRead)) |
             (Lane == CollectiveLane ? (Mine & LaneField) : SeveralLanes);
  Mine = Record;
  C.ReadLine = A.Line;
  C.ReadWarp = A.Warp;
  return true;
}

bool SharedMemory::touchWrite(const Access &A, unsigned Lane, Cell &C,
                              const uint32_t *Reads, uint64_t Offset) {
  if ((C.WriteClock > Base || (C.Flags & Pending)) &&
      !afterWrite(A, Lane, C, Offset, "written"))
    return false;
  for (unsigned W = 0; Races && W < Warps; ++W) {
    uint32_t Clock = Reads[W] >> ClockShift, By = Reads[W] & LaneField;
    bool Ordered = W == A.Warp
                       ? Clock < A.Own || By == Lane || By == CollectiveLane
                       : Clock <= std::max(A.Clock[W], Base);
    if (Ordered || (A.Strong && (Reads[W] & StrongRead)))
      continue;
    raceFault(A, Lane, Offset, "written", "read", W, By,
              C.ReadWarp == W ? C.ReadLine : 0);
    return false;
  }
  return true;
}

bool SharedMemory::touch(const Access &A, unsigned Lane, Kind What, Cell &C,
                         uint32_t *Reads, uint64_t Offset) {
  if (What == Kind::Read)
    return touchRead(A, Lane, C, Reads, Offset);
  if (What != Kind::End && !touchWrite(A, Lane, C, Reads, Offset))
    return false;
  if (What != Kind::End)
    C.WriteLine = A.Line;
  C.WriteClock = A.Own;
  C.WriteWarp = A.Warp;
  C.WriteLane = uint8_t(Lane);
  C.Flags = What == Kind::Begin ? Pending : A.Strong ? StrongWrite : 0;
  return true;
}

bool SharedMemory::read(const Access &A, unsigned Lane, uint64_t Offset,
                        unsigned Bytes) {
  return each(A, Lane, Offset, Bytes, Kind::Read);
}
bool SharedMemory::write(const Access &A, unsigned Lane, uint64_t Offset,
                         unsigned Bytes) {
  return each(A, Lane, Offset, Bytes, Kind::Write);
}
bool SharedMemory::beginCopy(const Access &A, unsigned Lane, uint64_t Offset,
                             unsigned Bytes) {
  return each(A, Lane, Offset, Bytes, Kind::Begin);
}
void SharedMemory::endCopy(const Access &A, unsigned Lane, uint64_t Offset,
                           unsigned Bytes) {
  each(A, Lane, Offset, Bytes, Kind::End);
}
