// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_POOL_H
#define HEDDLE_RUNTIME_SRC_POOL_H

#include "Error.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

/// Worker threads that run one body at a time. The thread that calls `run` is
/// worker 0.
struct heddle_pool {
  /// What every participating worker calls once, with its own number and its
  /// workspace (64-byte aligned, at least as many bytes as asked for).
  using Body = std::function<void(int32_t Worker, void *Workspace)>;

  /// Throws std::system_error when the threads cannot be started.
  explicit heddle_pool(int32_t Threads);
  ~heddle_pool();
  heddle_pool(const heddle_pool &) = delete;
  heddle_pool &operator=(const heddle_pool &) = delete;

  /// Runs `Fn` on min(threads, Wanted) workers under the kernels'
  /// floating-point environment and returns when all are done. Calls from
  /// several threads take turns. Throws std::bad_alloc, before anything runs,
  /// when there is no memory for the workspaces. `Fn` must not throw, and must
  /// not call `run` of this pool.
  void run(int64_t Wanted, int64_t WorkspaceBytes, const Body &Fn);

  int32_t numThreads() const { return NumThreads; }

private:
  struct Freed {
    void operator()(void *Block) const { std::free(Block); }
  };
  struct Workspace {
    std::unique_ptr<void, Freed> Block;
    size_t Bytes = 0;
  };

  void growWorkspaces(int32_t Count, int64_t Bytes);
  void work(int32_t Worker);
  void stop();

  int32_t NumThreads;
  /// The cores to pin to, one per thread; empty when threads float.
  std::vector<int> Cores;

  /// Held for the whole of a `run`: everything below but Generation and
  /// Pending is written under it.
  std::mutex RunMutex;
  const Body *Current = nullptr;
  int32_t Active = 0;
  std::vector<Workspace> Workspaces;

  /// Raised by one for every run, and for the end. Guarded by WakeMutex for
  /// those that sleep; those that spin read it alone.
  std::atomic<uint64_t> Generation{0};
  std::atomic<bool> Stopping{false};
  std::mutex WakeMutex;
  std::condition_variable Wake;

  /// Workers that have yet to finish the current run.
  std::atomic<int32_t> Pending{0};
  std::mutex DoneMutex;
  std::condition_variable Done;

  std::vector<std::thread> Workers;
};

#endif // HEDDLE_RUNTIME_SRC_POOL_H
