// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Pool.h"

#include "codegen/cpu/Affinity.h"
#include "codegen/cpu/FloatEnv.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>

using namespace heddle;
using namespace heddle::runtime;

/// More threads than any machine has; a typing error rather than a wish.
static constexpr int32_t MaxThreads = 1024;

static int32_t defaultThreads() {
  size_t Count = cpu::availableCores().size();
  if (Count == 0)
    Count = std::thread::hardware_concurrency();
  return static_cast<int32_t>(
      std::clamp<size_t>(Count, 1, static_cast<size_t>(MaxThreads)));
}

/// Waits for `Ready` to hold, briefly without giving up the core: a launch
/// often follows another within microseconds. Returns whether it holds.
template <typename Predicate> static bool spinUntil(Predicate Ready) {
  auto End = std::chrono::steady_clock::now() + std::chrono::microseconds(30);
  do {
    for (int I = 0; I < 64; ++I)
      if (Ready())
        return true;
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < End);
  return Ready();
}

heddle_pool::heddle_pool(int32_t Threads)
    : NumThreads(Threads > 0 ? Threads : defaultThreads()) {
  const char *Pin = std::getenv("HEDDLE_PIN");
  if (NumThreads > 1 && !(Pin && std::strcmp(Pin, "0") == 0)) {
    Cores = cpu::availableCores();
    if (Cores.size() < static_cast<size_t>(NumThreads))
      Cores.clear();
  }
  Workspaces.resize(NumThreads);
  Workers.reserve(NumThreads - 1);
  try {
    for (int32_t Worker = 1; Worker < NumThreads; ++Worker)
      Workers.emplace_back([this, Worker] { work(Worker); });
  } catch (...) {
    stop();
    throw;
  }
}

heddle_pool::~heddle_pool() {
  std::lock_guard<std::mutex> Lock(RunMutex);
  stop();
}

void heddle_pool::stop() {
  {
    std::lock_guard<std::mutex> Lock(WakeMutex);
    Stopping.store(true, std::memory_order_relaxed);
    Generation.fetch_add(1, std::memory_order_release);
  }
  Wake.notify_all();
  for (std::thread &Worker : Workers)
    Worker.join();
}

void heddle_pool::work(int32_t Worker) {
  if (!Cores.empty())
    cpu::pinTo(Cores[Worker]);
  uint64_t Seen = 0;
  while (true) {
    auto Called = [&] {
      return Generation.load(std::memory_order_acquire) != Seen;
    };
    if (!spinUntil(Called)) {
      std::unique_lock<std::mutex> Lock(WakeMutex);
      Wake.wait(Lock, Called);
    }
    // One run cannot follow another before this worker has reported, so no
    // generation is missed.
    ++Seen;
    if (Stopping.load(std::memory_order_relaxed))
      return;
    if (Worker < Active) {
      cpu::FloatEnvScope Env;
      (*Current)(Worker, Workspaces[Worker].Block.get());
    }
    if (Pending.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      // The lock orders this with a caller that is about to sleep.
      std::lock_guard<std::mutex> Lock(DoneMutex);
      Done.notify_one();
    }
  }
}

void heddle_pool::growWorkspaces(int32_t Count, int64_t Bytes) {
  constexpr size_t Alignment = 64;
  if (Bytes > PTRDIFF_MAX - static_cast<int64_t>(Alignment))
    throw std::bad_alloc();
  size_t Rounded =
      (static_cast<size_t>(std::max<int64_t>(Bytes, 1)) + Alignment - 1) /
      Alignment * Alignment;
  for (int32_t Worker = 0; Worker < Count; ++Worker) {
    Workspace &Space = Workspaces[Worker];
    if (Space.Bytes >= Rounded)
      continue;
    Space.Block.reset();
    Space.Bytes = 0;
    Space.Block.reset(std::aligned_alloc(Alignment, Rounded));
    if (!Space.Block)
      throw std::bad_alloc();
    Space.Bytes = Rounded;
  }
}

void heddle_pool::run(int64_t Wanted, int64_t WorkspaceBytes, const Body &Fn) {
  if (Wanted <= 0)
    return;
  std::lock_guard<std::mutex> Lock(RunMutex);
  auto Count = static_cast<int32_t>(std::min<int64_t>(NumThreads, Wanted));
  growWorkspaces(Count, WorkspaceBytes);
  if (Count == 1) {
    cpu::FloatEnvScope Env;
    Fn(0, Workspaces[0].Block.get());
    return;
  }
  // Were the caller on a worker's core, that worker could not move away.
  std::optional<cpu::PinScope> Pin;
  if (!Cores.empty())
    Pin.emplace(Cores.front());
  Current = &Fn;
  Active = Count;
  Pending.store(NumThreads - 1, std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> WakeLock(WakeMutex);
    Generation.fetch_add(1, std::memory_order_release);
  }
  Wake.notify_all();
  {
    cpu::FloatEnvScope Env;
    Fn(0, Workspaces[0].Block.get());
  }
  auto Finished = [&] { return Pending.load(std::memory_order_acquire) == 0; };
  if (!spinUntil(Finished)) {
    std::unique_lock<std::mutex> DoneLock(DoneMutex);
    Done.wait(DoneLock, Finished);
  }
  // The last worker may still hold DoneMutex; the next run must not begin to
  // sleep on it, nor the pool be destroyed, before it lets go.
  std::lock_guard<std::mutex> DoneLock(DoneMutex);
  Current = nullptr;
}

heddle_error *heddle_pool_create(int32_t threads, heddle_pool **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (threads < 0 || threads > MaxThreads)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "'threads' is {}, expected 0 (one per core) to {}",
                       threads, MaxThreads);
    try {
      *out = new heddle_pool(threads);
    } catch (const std::system_error &E) {
      return makeError(HEDDLE_OUT_OF_MEMORY, "cannot start {} threads: {}",
                       threads, E.code().message());
    }
    return nullptr;
  });
}

void heddle_pool_destroy(heddle_pool *pool) { delete pool; }

int32_t heddle_pool_threads(const heddle_pool *pool) {
  return pool ? pool->numThreads() : 0;
}
