// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/ReadBandwidth.h"

#include "codegen/cpu/Together.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>

using namespace heddle;

/// Sums several streams at once, so that loads do not wait for additions.
static uint64_t readAll(const uint64_t *Data, int64_t Count) {
  constexpr int Streams = 16;
  uint64_t Sum[Streams] = {};
  for (int64_t I = 0; I + Streams <= Count; I += Streams)
    for (int S = 0; S < Streams; ++S)
      Sum[S] += Data[I + S];
  uint64_t Total = 0;
  for (uint64_t S : Sum)
    Total += S;
  return Total;
}

double cpu::readSeconds(const std::vector<ByteRange> &Ranges, int Threads) {
  return secondsTogether(Threads, [&](int Index) {
    uint64_t Total = 0;
    for (const ByteRange &Range : Ranges) {
      // Whole words; what is left at the ends is nothing beside the rest.
      const auto Words = static_cast<int64_t>(Range.Size / sizeof(uint64_t));
      const auto *Data = static_cast<const uint64_t *>(Range.Data);
      const int64_t Begin = Words * Index / Threads;
      Total += readAll(Data + Begin, Words * (Index + 1) / Threads - Begin);
    }
    volatile uint64_t Sink = Total;
    (void)Sink;
  });
}

double cpu::measureReadBandwidth(int Threads) {
  Threads = std::max(Threads, 1);
  constexpr int64_t Most = int64_t(64) << 20;
  const int64_t Bytes =
      std::min(Most, (int64_t(512) << 20) / Threads / 4096 * 4096);
  const int64_t Count = Bytes / static_cast<int64_t>(sizeof(uint64_t));
  std::unique_ptr<uint64_t[]> Data(new (std::nothrow)
                                       uint64_t[Count * Threads]);
  if (!Data)
    return 0;
  auto Mine = [&](int Index) { return Data.get() + Index * Count; };
  // Whoever reads a page has written it before: it lies near its core.
  if (cpu::secondsTogether(Threads, [&](int Index) {
        std::fill_n(Mine(Index), Count, static_cast<uint64_t>(Index));
      }) <= 0)
    return 0;
  double Best = 0;
  for (int Sample = 0; Sample < 4; ++Sample) {
    double Seconds = cpu::secondsTogether(Threads, [&](int Index) {
      volatile uint64_t Sink = readAll(Mine(Index), Count);
      (void)Sink;
    });
    if (Seconds <= 0)
      return 0;
    Best =
        std::max(Best, static_cast<double>(Bytes) * Threads / Seconds * 1e-9);
  }
  return Best;
}
