// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/Tensors.h"

#include "heddle/half.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace heddle::exec;

/// A quiet NaN that no arithmetic makes, in all three dtypes.
static constexpr uint32_t Canary = 0x7fed7fed;

GuardedBlock::GuardedBlock(size_t Bytes, Placement Where, size_t Alignment) {
  const auto Page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t Inner = (Bytes + Page - 1) / Page * Page;
  PageBytes = Inner + 2 * Page;
  Pages = mmap(nullptr, PageBytes, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (Pages == MAP_FAILED)
    throw std::bad_alloc();
  char *First = static_cast<char *>(Pages) + Page;
  if (Inner != 0 && mprotect(First, Inner, PROT_READ | PROT_WRITE) != 0)
    throw std::system_error(errno, std::generic_category());
  const size_t Rounded = (Bytes + Alignment - 1) / Alignment * Alignment;
  Block = Where == Placement::AfterGuard ? First : First + Inner - Rounded;
}

GuardedBlock::GuardedBlock(GuardedBlock &&Other) noexcept
    : Pages(std::exchange(Other.Pages, nullptr)),
      PageBytes(std::exchange(Other.PageBytes, 0)), Block(Other.Block) {}

GuardedBlock::~GuardedBlock() {
  if (Pages)
    munmap(Pages, PageBytes);
}

static std::array<int64_t, 4> makeStrides(const std::array<int64_t, 4> &Shape,
                                          Layout Order) {
  const auto [B, H, S, D] = Shape;
  switch (Order) {
  case Layout::Bhsd:
    return {H * S * D, S * D, D, 1};
  case Layout::Bshd:
  case Layout::Packed:
    return {S * H * D, D, H * D, 1};
  case Layout::Padded:
    break;
  }
  const int64_t Row = D + 3, Head = S * Row + 5;
  return {H * Head + 7, Head, Row, 1};
}

/// One more than the largest offset of an element.
static size_t countElements(const std::array<int64_t, 4> &Shape,
                            const std::array<int64_t, 4> &Strides) {
  int64_t Last = 0;
  for (size_t Axis = 0; Axis < 4; ++Axis) {
    if (Shape[Axis] == 0)
      return 0;
    Last += (Shape[Axis] - 1) * Strides[Axis];
  }
  return static_cast<size_t>(Last) + 1;
}

Tensor::Tensor(std::array<int64_t, 4> Shape, Layout Order, Placement Where,
               heddle_dtype Dtype)
    : Shape(Shape), Strides(makeStrides(Shape, Order)), Dtype(Dtype),
      Length(countElements(Shape, Strides)),
      Memory(std::make_shared<GuardedBlock>(Length * elementBytes(), Where)),
      Data(Memory->data()) {
  reset();
}

Tensor Tensor::heads(int64_t First, int64_t Count) const {
  Tensor Result = *this;
  Result.Shape[1] = Count;
  Result.IsPart = true;
  Result.Length = countElements(Result.Shape, Strides);
  Result.Data = static_cast<char *>(Data) +
                First * Strides[1] * static_cast<int64_t>(elementBytes());
  return Result;
}

float Tensor::get(int64_t B, int64_t H, int64_t S, int64_t D) const {
  if (Dtype == HEDDLE_F32)
    return at(B, H, S, D);
  const uint16_t Half = static_cast<const uint16_t *>(Data)[offset(B, H, S, D)];
  return Dtype == HEDDLE_F16 ? heddle_f16_to_f32(Half)
                             : heddle_bf16_to_f32(Half);
}

void Tensor::set(int64_t B, int64_t H, int64_t S, int64_t D,
                 float Value) const {
  if (Dtype == HEDDLE_F32) {
    at(B, H, S, D) = Value;
    return;
  }
  static_cast<uint16_t *>(Data)[offset(B, H, S, D)] =
      Dtype == HEDDLE_F16 ? heddle_f32_to_f16(Value)
                          : heddle_f32_to_bf16(Value);
}

void Tensor::reset() {
  for (size_t I = 0; I < Length; ++I)
    std::memcpy(static_cast<char *>(Data) + I * elementBytes(), &Canary,
                elementBytes());
}

/// The finaliser of SplitMix64 (Steele et al., 2014).
static uint64_t mix(uint64_t X) {
  X = (X ^ (X >> 30)) * 0xbf58476d1ce4e5b9ULL;
  X = (X ^ (X >> 27)) * 0x94d049bb133111ebULL;
  return X ^ (X >> 31);
}

Tensor &Tensor::fill(uint64_t Seed) {
  const auto Width = std::sqrt(12.0F);
  uint64_t Position = mix(Seed + 0x9e3779b97f4a7c15ULL);
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      for (int64_t S = 0; S < Shape[2]; ++S)
        for (int64_t D = 0; D < Shape[3]; ++D) {
          Position += 0x9e3779b97f4a7c15ULL;
          const auto Upper = static_cast<float>(mix(Position) >> 40);
          set(B, H, S, D, (Upper * 0x1p-24F - 0.5F) * Width);
        }
  return *this;
}

heddle_view Tensor::view() const {
  return {Data,
          {Shape[0], Shape[1], Shape[2], Shape[3]},
          {Strides[0], Strides[1], Strides[2], Strides[3]},
          nullptr};
}

heddle_tensor Tensor::handle(int32_t Rank) const {
  return {Data, Dtype, Rank, Shape.data(), Strides.data()};
}

bool Tensor::gapsIntact() const {
  if (IsPart)
    return true;
  std::vector<bool> Element(Length);
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      for (int64_t S = 0; S < Shape[2]; ++S)
        for (int64_t D = 0; D < Shape[3]; ++D)
          Element[static_cast<size_t>(offset(B, H, S, D))] = true;
  for (size_t I = 0; I < Length; ++I)
    if (!Element[I] &&
        std::memcmp(static_cast<const char *>(Data) + I * elementBytes(),
                    &Canary, elementBytes()) != 0)
      return false;
  return true;
}

bool Tensor::sameBits(const Tensor &Other) const {
  if (Shape != Other.Shape || Dtype != Other.Dtype)
    return false;
  if (Length == 0)
    return true;
  const auto RowBytes = static_cast<size_t>(Shape[3]) * elementBytes();
  auto Row = [this](const Tensor &Of, int64_t B, int64_t H, int64_t S) {
    return static_cast<const char *>(Of.Data) +
           Of.offset(B, H, S, 0) * static_cast<int64_t>(elementBytes());
  };
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      for (int64_t S = 0; S < Shape[2]; ++S)
        if (std::memcmp(Row(*this, B, H, S), Row(Other, B, H, S), RowBytes) !=
            0)
          return false;
  return true;
}
