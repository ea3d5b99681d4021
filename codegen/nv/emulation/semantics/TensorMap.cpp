// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/TensorMap.h"

#include <algorithm>
#include <cstring>

namespace heddle::ptx {

namespace {

constexpr unsigned Chunk = 16;
constexpr uint64_t Magic = 0x70616d20656c6468; // a mark of this encoding

/// The encoding; padded to the size of the hardware's.
struct Layout {
  uint64_t Mark, Address;
  uint64_t Strides[TensorMap::MaxRank - 1];
  uint32_t LastIndex[TensorMap::MaxRank]; // dims - 1: 2^32 elements fit
  uint16_t Box[TensorMap::MaxRank];
  uint8_t Steps[TensorMap::MaxRank];
  uint8_t Element, Rank, Mode, NanFill;
};
static_assert(sizeof(Layout) <= sizeof(EncodedTensorMap),
              "the encoding has 128 bytes");

bool isFloat(TensorMap::Type Element) {
  return Element == TensorMap::Type::F16 ||
         (Element >= TensorMap::Type::F32 &&
          Element <= TensorMap::Type::TF32Ftz);
}

std::string number(uint64_t X) { return std::to_string(X); }

} // namespace

unsigned TensorMap::elementBytes() const {
  switch (Element) {
  case Type::U8:
    return 1;
  case Type::U16:
  case Type::F16:
  case Type::BF16:
    return 2;
  case Type::U64:
  case Type::I64:
  case Type::F64:
    return 8;
  case Type::U32:
  case Type::I32:
  case Type::F32:
  case Type::F32Ftz:
  case Type::TF32:
  case Type::TF32Ftz:
    return 4;
  }
  return 4;
}

uint64_t TensorMap::boxBytes() const {
  uint64_t Bytes = elementBytes();
  for (unsigned Dim = 0; Dim < Rank; ++Dim)
    Bytes *= extent(Dim);
  return Bytes;
}

std::string TensorMap::check() const {
  if (Rank < 1 || Rank > MaxRank)
    return "rank " + number(Rank) + ", must be 1 to 5";
  if (Element == Type::F32Ftz || Element == Type::TF32Ftz ||
      Element == Type::TF32)
    return "data types that change values on the way are not emulated";
  if (Address % 16)
    return "global address is no multiple of 16";
  for (unsigned Dim = 0; Dim < Rank; ++Dim) {
    std::string Where = " of dimension " + number(Dim);
    if (Dims[Dim] < 1 || Dims[Dim] > uint64_t(1) << 32)
      return "size " + number(Dims[Dim]) + Where + ", must be 1 to 2^32";
    if (Dim > 0 && (Strides[Dim] % 16 || Strides[Dim] >= uint64_t(1) << 40))
      return "stride " + number(Strides[Dim]) + Where +
             ", must be a multiple of 16 below 2^40";
    if (Box[Dim] < 1 || Box[Dim] > MaxBox)
      return "box " + number(Box[Dim]) + Where + ", must be 1 to 256";
    if (Steps[Dim] < 1 || Steps[Dim] > MaxStep)
      return "element stride " + number(Steps[Dim]) + Where +
             ", must be 1 to 8";
  }
  uint64_t Inner = uint64_t(Box[0]) * elementBytes();
  if (Inner % Chunk)
    return "box is " + number(Inner) + " bytes wide, must be a multiple of 16";
  if (Mode != Swizzle::None && Inner > swizzleBytes(Mode))
    return "box is " + number(Inner) + " bytes wide, the swizzle mode allows " +
           number(swizzleBytes(Mode));
  if (NanFill && !isFloat(Element))
    return "only floating-point tensors can be filled with NaN";
  return "";
}

EncodedTensorMap encodeTensorMap(const TensorMap &Map) {
  Layout Out{};
  Out.Mark = Magic;
  Out.Address = Map.Address;
  for (unsigned Dim = 0; Dim < Map.Rank; ++Dim) {
    if (Dim > 0)
      Out.Strides[Dim - 1] = Map.Strides[Dim];
    Out.LastIndex[Dim] = uint32_t(Map.Dims[Dim] - 1);
    Out.Box[Dim] = uint16_t(Map.Box[Dim]);
    Out.Steps[Dim] = uint8_t(Map.Steps[Dim]);
  }
  Out.Element = uint8_t(Map.Element);
  Out.Rank = uint8_t(Map.Rank);
  Out.Mode = uint8_t(Map.Mode);
  Out.NanFill = Map.NanFill;
  EncodedTensorMap Bytes{};
  std::memcpy(Bytes.data(), &Out, sizeof(Out));
  return Bytes;
}

std::optional<TensorMap> decodeTensorMap(const uint8_t *Bytes) {
  Layout In;
  std::memcpy(&In, Bytes, sizeof(In));
  if (In.Mark != Magic || In.Rank < 1 || In.Rank > TensorMap::MaxRank)
    return std::nullopt;
  TensorMap Map;
  Map.Address = In.Address;
  Map.Element = TensorMap::Type(In.Element);
  Map.Rank = In.Rank;
  for (unsigned Dim = 0; Dim < Map.Rank; ++Dim) {
    if (Dim > 0)
      Map.Strides[Dim] = In.Strides[Dim - 1];
    Map.Dims[Dim] = uint64_t(In.LastIndex[Dim]) + 1;
    Map.Box[Dim] = In.Box[Dim];
    Map.Steps[Dim] = In.Steps[Dim];
  }
  Map.Mode = Swizzle(In.Mode);
  Map.NanFill = In.NanFill != 0;
  return Map;
}

bool makeTensorMap(TensorMap &Map, std::string &Error, unsigned DataType,
                   unsigned Rank, uint64_t Address, const uint64_t *Dims,
                   const uint64_t *Strides, const uint32_t *Box,
                   const uint32_t *Steps, unsigned Interleave,
                   unsigned SwizzleMode, unsigned OobFill) {
  auto Refuse = [&](std::string Why) {
    Error = std::move(Why);
    return false;
  };
  if (Rank < 1 || Rank > TensorMap::MaxRank)
    return Refuse("rank " + number(Rank) + ", must be 1 to 5");
  if (DataType > unsigned(TensorMap::Type::TF32Ftz))
    return Refuse("data type " + number(DataType) + " is not emulated");
  if (Interleave != 0)
    return Refuse("interleaved layouts are not emulated");
  if (SwizzleMode > unsigned(Swizzle::B128))
    return Refuse("swizzle mode " + number(SwizzleMode) + " is not emulated");
  if (OobFill > 1)
    return Refuse("out-of-bounds fill " + number(OobFill) + " does not exist");
  TensorMap Made;
  Made.Element = TensorMap::Type(DataType);
  Made.Rank = Rank;
  Made.Address = Address;
  for (unsigned Dim = 0; Dim < Rank; ++Dim) {
    Made.Dims[Dim] = Dims[Dim];
    // The driver's array begins with the stride of dimension 1.
    Made.Strides[Dim] = Dim > 0 ? Strides[Dim - 1] : 0;
    Made.Box[Dim] = Box[Dim];
    Made.Steps[Dim] = Steps[Dim];
  }
  Made.Mode = Swizzle(SwizzleMode);
  Made.NanFill = OobFill == 1;
  if (std::string Why = Made.check(); !Why.empty())
    return Refuse(std::move(Why));
  Map = Made;
  return true;
}

std::vector<BoxPiece> boxPieces(const TensorMap &Map, const int32_t *Origin,
                                uint32_t Shared) {
  std::vector<BoxPiece> Pieces;
  unsigned Size = Map.elementBytes();
  uint32_t RowBytes = Map.Box[0] * Size;
  Pieces.reserve(Map.boxBytes() / Chunk);
  // Bytes of a row that are inside along dimension 0, from `first` to `last`.
  int64_t First = std::min<int64_t>(
      std::max<int64_t>(0, -int64_t(Origin[0])) * Size, RowBytes);
  int64_t Last = std::clamp<int64_t>((int64_t(Map.Dims[0]) - Origin[0]) * Size,
                                     First, RowBytes);
  std::array<uint32_t, TensorMap::MaxRank> At{};
  uint32_t Row = 0;
  while (true) {
    bool Inside = true;
    uint64_t Global = Map.Address + uint64_t(int64_t(Origin[0]) * Size);
    for (unsigned Dim = 1; Dim < Map.Rank; ++Dim) {
      int64_t Position =
          int64_t(Origin[Dim]) + int64_t(At[Dim]) * Map.Steps[Dim];
      Inside &= Position >= 0 && uint64_t(Position) < Map.Dims[Dim];
      Global += uint64_t(Position) * Map.Strides[Dim];
    }
    for (uint32_t Begin = 0; Begin < RowBytes; Begin += Chunk) {
      uint32_t To = swizzled(Shared + Row * RowBytes + Begin, Map.Mode);
      // At most three parts: before the tensor, in it, and after it.
      auto Part = [&](int64_t From, int64_t End, bool InBounds) {
        From = std::max<int64_t>(From, Begin);
        End = std::min<int64_t>(End, Begin + Chunk);
        if (From < End)
          Pieces.push_back({To + uint32_t(From - Begin), uint32_t(End - From),
                            Global + uint64_t(From), InBounds});
      };
      if (!Inside) {
        Part(0, RowBytes, false);
        continue;
      }
      Part(0, First, false);
      Part(First, Last, true);
      Part(Last, RowBytes, false);
    }
    ++Row;
    unsigned Dim = 1;
    for (; Dim < Map.Rank && ++At[Dim] == Map.extent(Dim); ++Dim)
      At[Dim] = 0;
    if (Dim >= Map.Rank)
      return Pieces;
  }
}

uint8_t fillByte(const TensorMap &Map, unsigned At) {
  if (!Map.NanFill)
    return 0;
  // The canonical NaN: all bits but the sign.
  return At + 1 == Map.elementBytes() ? 0x7f : 0xff;
}

std::string checkBulkCopy(uint64_t Destination, uint64_t Source,
                          uint64_t Bytes) {
  if (Bytes % Chunk)
    return "bulk copy of " + number(Bytes) + " bytes, must be a multiple of 16";
  if (Destination % Chunk || Source % Chunk)
    return "addresses of a bulk copy must be multiples of 16";
  return "";
}

std::string checkTensorCopy(const TensorMap &Map, uint64_t MapAddress,
                            uint32_t Shared) {
  if (MapAddress % 64)
    return "address of a tensor map is no multiple of 64";
  if (Shared % 128)
    return "shared memory of a tensor copy is no multiple of 128";
  return Map.check();
}

} // namespace heddle::ptx
