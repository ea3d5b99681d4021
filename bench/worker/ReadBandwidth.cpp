// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "bench/worker/ReadBandwidth.h"

#include "codegen/cpu/Affinity.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

using namespace heddle;

using Clock = std::chrono::steady_clock;

/// The sum of all words, in enough independent chains that only memory limits
/// it, whatever the vector units are. Fetching one word of every line would be
/// less work but is slower: hardware prefetches better what is read throughout.
static uint64_t sumWords(const uint8_t *Data, size_t Bytes) {
  constexpr size_t Chains = 32, Step = Chains * sizeof(uint64_t);
  uint64_t Sum[Chains] = {};
  size_t At = 0;
  for (; At + Step <= Bytes; At += Step) {
    uint64_t Words[Chains];
    std::memcpy(Words, Data + At, Step);
    for (size_t I = 0; I < Chains; ++I)
      Sum[I] += Words[I];
  }
  uint64_t Total = 0;
  for (uint64_t Part : Sum)
    Total += Part;
  for (; At < Bytes; ++At)
    Total += Data[At];
  return Total;
}

double bench::readSeconds(llvm::ArrayRef<llvm::ArrayRef<uint8_t>> Ranges,
                          int Threads) {
  Threads = std::max(Threads, 1);
  std::vector<int> Cores = cpu::availableCores();
  if (Cores.size() < static_cast<size_t>(Threads))
    Cores.clear();
  std::atomic<int> Ready{0};
  std::atomic<bool> Go{false};
  std::vector<Clock::time_point> Done(Threads);
  auto Work = [&](int Index) {
    std::optional<cpu::PinScope> Pin;
    if (!Cores.empty())
      Pin.emplace(Cores[Index]);
    Ready.fetch_add(1);
    while (!Go.load(std::memory_order_acquire))
      std::this_thread::yield();
    uint64_t Total = 0;
    for (llvm::ArrayRef<uint8_t> Range : Ranges) {
      const size_t Begin = Range.size() * Index / Threads;
      const size_t End = Range.size() * (Index + 1) / Threads;
      Total += sumWords(Range.data() + Begin, End - Begin);
    }
    volatile uint64_t Sink = Total;
    (void)Sink;
    Done[Index] = Clock::now();
  };
  std::vector<std::thread> Others;
  Others.reserve(Threads - 1);
  bool AllStarted = true;
  try {
    for (int I = 1; I < Threads; ++I)
      Others.emplace_back(Work, I);
  } catch (const std::system_error &) {
    AllStarted = false;
  }
  while (Ready.load() != static_cast<int>(Others.size()))
    std::this_thread::yield();
  const Clock::time_point Start = Clock::now();
  Go.store(true, std::memory_order_release);
  if (AllStarted)
    Work(0);
  for (std::thread &T : Others)
    T.join();
  if (!AllStarted)
    return 0;
  const Clock::time_point End = *std::max_element(Done.begin(), Done.end());
  return std::chrono::duration<double>(End - Start).count();
}

double bench::measureReadBandwidth(int Threads) {
  constexpr size_t Bytes = size_t(1) << 28;
  const std::unique_ptr<uint8_t[]> Memory(new (std::nothrow) uint8_t[Bytes]);
  if (!Memory)
    return 0;
  // Pages that nobody wrote are all one page.
  std::memset(Memory.get(), 1, Bytes);
  double Best = 0;
  for (int Pass = 0; Pass < 6; ++Pass) {
    const double Seconds =
        readSeconds({llvm::ArrayRef(Memory.get(), Bytes)}, Threads);
    if (Seconds <= 0)
      return 0;
    Best = std::max(Best, static_cast<double>(Bytes) / Seconds * 1e-9);
  }
  return Best;
}
