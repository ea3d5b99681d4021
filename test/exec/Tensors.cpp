// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/Tensors.h"

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

/// A quiet NaN that no arithmetic makes.
static constexpr uint32_t Canary = 0x7fedd1e5;

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

Tensor::Tensor(std::array<int64_t, 4> Shape, Layout Order, Placement Where)
    : Shape(Shape), Strides(makeStrides(Shape, Order)),
      Length(countElements(Shape, Strides)),
      Memory(Length * sizeof(float), Where),
      Data(static_cast<float *>(Memory.data())) {
  reset();
}

void Tensor::reset() {
  for (size_t I = 0; I < Length; ++I)
    std::memcpy(Data + I, &Canary, sizeof(Canary));
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
          at(B, H, S, D) = (Upper * 0x1p-24F - 0.5F) * Width;
        }
  return *this;
}

heddle_view Tensor::view() const {
  return {Data,
          {Shape[0], Shape[1], Shape[2], Shape[3]},
          {Strides[0], Strides[1], Strides[2], Strides[3]}};
}

heddle_tensor Tensor::handle(int32_t Rank) const {
  return {Data, HEDDLE_F32, Rank, Shape.data(), Strides.data()};
}

bool Tensor::gapsIntact() const {
  std::vector<bool> Element(Length);
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      for (int64_t S = 0; S < Shape[2]; ++S)
        for (int64_t D = 0; D < Shape[3]; ++D)
          Element[static_cast<size_t>(&at(B, H, S, D) - Data)] = true;
  for (size_t I = 0; I < Length; ++I)
    if (!Element[I] && std::memcmp(Data + I, &Canary, sizeof(Canary)) != 0)
      return false;
  return true;
}

bool Tensor::sameBits(const Tensor &Other) const {
  if (Shape != Other.Shape)
    return false;
  if (Length == 0)
    return true;
  const auto RowBytes = static_cast<size_t>(Shape[3]) * sizeof(float);
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      for (int64_t S = 0; S < Shape[2]; ++S)
        if (std::memcmp(&at(B, H, S, 0), &Other.at(B, H, S, 0), RowBytes) != 0)
          return false;
  return true;
}
