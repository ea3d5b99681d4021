// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Together.h"

#include "codegen/cpu/Affinity.h"
#include "codegen/cpu/FloatEnv.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

using namespace heddle;

double cpu::secondsTogether(int Threads, const std::function<void(int)> &Work) {
  using Clock = std::chrono::steady_clock;
  std::atomic<int> Ready{0};
  std::atomic<bool> Go{false};
  std::vector<Clock::time_point> Done(Threads);
  // One core each where there are enough: samples are too short for the
  // scheduler to part two threads that start on one core.
  std::vector<int> Cores = cpu::availableCores();
  if (Cores.size() < static_cast<size_t>(Threads))
    Cores.clear();
  auto Run = [&](int Index) {
    cpu::FloatEnvScope Env;
    std::optional<cpu::PinScope> Pin;
    if (!Cores.empty())
      Pin.emplace(Cores[Index]);
    Ready.fetch_add(1);
    while (!Go.load(std::memory_order_acquire))
      std::this_thread::yield();
    Work(Index);
    Done[Index] = Clock::now();
  };
  std::vector<std::thread> Others;
  Others.reserve(Threads - 1);
  try {
    for (int I = 1; I < Threads; ++I)
      Others.emplace_back(Run, I);
  } catch (const std::system_error &) {
    Go.store(true, std::memory_order_release);
    for (std::thread &T : Others)
      T.join();
    return 0;
  }
  while (Ready.load() != Threads - 1)
    std::this_thread::yield();
  Clock::time_point Start = Clock::now();
  Go.store(true, std::memory_order_release);
  Run(0);
  for (std::thread &T : Others)
    T.join();
  Clock::time_point End = *std::max_element(Done.begin(), Done.end());
  return std::chrono::duration<double>(End - Start).count();
}
