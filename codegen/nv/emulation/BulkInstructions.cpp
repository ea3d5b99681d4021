// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cp.async.bulk and cp.async.bulk.tensor (PTX ISA, Data Movement and Conversion
// Instructions: Bulk copy, Tensor copy). A cluster has one CTA.

#include "codegen/nv/emulation/AsyncOperands.h"

using namespace heddle::ptx;
using llvm::Twine;

namespace {
// Places among the further operands.
constexpr unsigned Shared = 0, Other = 2, Rest = 4;
constexpr unsigned SharedBit = 0, OtherBit = 1, BarrierBit = 2;
// Flags.
constexpr uint8_t ToShared = 1;
} // namespace

/// The tensor map at a generic address: a parameter or global memory.
static std::optional<TensorMap> mapAt(WarpState &W, unsigned Lane,
                                      uint64_t Address) {
  const LaunchState &L = W.Cta.Launch;
  const uint8_t *Bytes = nullptr;
  constexpr uint64_t Size = sizeof(EncodedTensorMap);
  if ((Address & WindowMask) == ParamWindow) {
    uint64_t Offset = Address & ~WindowMask;
    if (Offset + Size <= L.Config.Parameters.size())
      Bytes = reinterpret_cast<const uint8_t *>(L.Config.Parameters.data()) +
              Offset;
  } else if (const Range *In = L.On.find(Address);
             In && Address + Size <= In->End) {
    Bytes = reinterpret_cast<const uint8_t *>(Address);
  }
  if (!Bytes) {
    W.fault(FaultKind::OutOfBounds, int(Lane),
            "no tensor map can be read at address 0x" +
                Twine::utohexstr(Address));
    return std::nullopt;
  }
  std::optional<TensorMap> Map = decodeTensorMap(Bytes);
  if (!Map)
    W.fault(FaultKind::Launch, int(Lane),
            "the 128 bytes at the address of the tensor map were not made by "
            "cuTensorMapEncodeTiled");
  return Map;
}

static bool checked(WarpState &W, unsigned Lane, const std::string &Why) {
  if (!Why.empty())
    W.fault(FaultKind::Misaligned, int(Lane), Why);
  return Why.empty();
}

static void runTensor(WarpState &W, const Inst &I) {
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    uint64_t At = sharedAddressOf(W, I, SharedBit, Shared, L);
    uint64_t Address = addressOf(W, I, OtherBit, Other, L);
    std::optional<TensorMap> Map = mapAt(W, L, Address);
    if (!Map)
      return;
    if (Map->Rank != I.Count) {
      W.fault(FaultKind::Launch, int(L),
              "the tensor map has " + Twine(Map->Rank) +
                  " dimensions, the instruction " + Twine(unsigned(I.Count)));
      return;
    }
    // The map itself lies at a multiple of 64; of parameters the offset counts.
    if (!checked(W, L,
                 checkTensorCopy(*Map, Address & ~WindowMask, uint32_t(At))))
      return;
    int32_t Origin[TensorMap::MaxRank] = {};
    for (unsigned Dim = 0; Dim < I.Count; ++Dim)
      Origin[Dim] = W.reg<int32_t>(W.more(I, Rest + Dim))[L];
    BulkCopy What;
    What.ToShared = I.Flags & ToShared;
    What.Bytes = uint32_t(Map->boxBytes());
    What.Map = *Map;
    if (At + What.Bytes > W.Cta.Shared.size()) {
      W.fault(FaultKind::OutOfBounds, int(L),
              "the box has " + Twine(What.Bytes) + " bytes at byte " +
                  Twine(At) + " of shared memory, which has " +
                  Twine(W.Cta.Shared.size()));
      return;
    }
    What.Pieces = boxPieces(*Map, Origin, uint32_t(At));
    if (What.ToShared)
      What.Barrier =
          uint32_t(sharedAddressOf(W, I, BarrierBit, Rest + I.Count, L));
    if (!W.Cta.Async.beginCopy(W, L, std::move(What)))
      return;
  }
}

static void runBulk(WarpState &W, const Inst &I) {
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    uint64_t At = sharedAddressOf(W, I, SharedBit, Shared, L);
    uint64_t Global = addressOf(W, I, OtherBit, Other, L);
    uint32_t Bytes = W.reg<uint32_t>(W.more(I, Rest))[L];
    if (!checked(W, L, checkBulkCopy(At, Global, Bytes)))
      return;
    BulkCopy What;
    What.ToShared = I.Flags & ToShared;
    What.Bytes = Bytes;
    if (Bytes)
      What.Pieces.push_back({uint32_t(At), Bytes, Global, true});
    if (What.ToShared)
      What.Barrier = uint32_t(sharedAddressOf(W, I, BarrierBit, Rest + 1, L));
    if (!W.Cta.Async.beginCopy(W, L, std::move(What)))
      return;
  }
}

static void runBulkCommit(WarpState &W, const Inst &I) {
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L))
      W.Cta.Async.commitCopies(W, L);
}

static void runBulkWait(WarpState &W, const Inst &I) {
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L) && !W.Cta.Async.waitCopies(W, L, I.Aux))
      return;
}

static void runPrefetch(WarpState &W, const Inst &I) { ++W.Cta.Time; }

/// The shared memory address, then the one in global memory (or of the map).
static void twoAddresses(Decoder &D, bool To) {
  moreAddress(D, SharedBit, To ? 0 : 1);
  moreAddress(D, OtherBit, To ? 1 : 0);
}

static void decodeTensor(Decoder &D) {
  unsigned Rank = 0;
  llvm::StringRef Word = D.next();
  if (Word.size() == 2 && Word[0] >= '1' && Word[0] <= '5' && Word[1] == 'd') {
    Rank = unsigned(Word[0] - '0');
    D.take(Word);
  } else {
    D.fail("expected 1d to 5d in the opcode");
  }
  bool To = D.take("mbarrier::complete_tx::bytes");
  if (!To && !D.take("bulk_group"))
    D.fail("expected '.mbarrier::complete_tx::bytes' or '.bulk_group'");
  while (D.space() != Space::Generic) {
  }
  // One CTA is all of its cluster, and there is no cache.
  D.ignore({"tile", "multicast::cluster", "cta_group::1", "L2::cache_hint"});
  D.expect(To ? 3 : 2, To ? 5 : 3);
  D.I.Flags = To ? ToShared : 0;
  D.I.Count = uint8_t(Rank);
  twoAddresses(D, To);
  const Operand &Map = D.operand(To ? 1 : 0);
  if (Map.Is != Operand::Address || Map.Items.size() != 2 ||
      Map.Items[1].Is != Operand::Vector || Map.Items[1].Items.size() != Rank) {
    D.fail("expected [map, {" + Twine(Rank) + " coordinates}]");
    return;
  }
  for (const Operand &Coordinate : Map.Items[1].Items)
    D.more(D.source(Coordinate, S32));
  if (To)
    moreAddress(D, BarrierBit, 2);
  D.I.Run = runTensor;
}

void heddle::ptx::decodeBulkCopy(Decoder &D) {
  D.Frame.Into.UsesAsync = true;
  if (D.take("prefetch")) {
    while (!D.next().empty())
      D.takeNext();
    D.I.Run = runPrefetch;
    return;
  }
  if (D.take("tensor"))
    return decodeTensor(D);
  if (D.take("commit_group")) {
    D.expect(0);
    D.I.Run = runBulkCommit;
    return;
  }
  if (D.take("wait_group")) {
    // .read waits for less: for the reads of shared memory. They happen
    // together here.
    D.take("read");
    D.expect(1);
    D.I.Aux = uint32_t(D.immediate(0));
    D.I.Run = runBulkWait;
    return;
  }
  bool To = D.take("mbarrier::complete_tx::bytes");
  if (!To && !D.take("bulk_group"))
    D.fail("expected '.mbarrier::complete_tx::bytes' or '.bulk_group'");
  while (D.space() != Space::Generic) {
  }
  D.ignore({"multicast::cluster", "L2::cache_hint"});
  D.expect(To ? 4 : 3, To ? 6 : 4);
  D.I.Flags = To ? ToShared : 0;
  twoAddresses(D, To);
  D.more(D.source(2, U32));
  if (To)
    moreAddress(D, BarrierBit, 3);
  D.I.Run = runBulk;
}
