// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Pool.h"
#include "Support.h"

#include <pthread.h>
#include <sched.h>

using namespace heddle::test;

TEST(Pool, RunsEveryWorkerOnce) {
  for (int32_t Threads : {1, 2, 3, 8}) {
    Owned<heddle_pool> Pool = makePool(Threads);
    EXPECT_EQ(heddle_pool_threads(Pool.get()), Threads);
    for (int Round = 0; Round < 50; ++Round) {
      std::vector<std::atomic<int>> Calls(Threads);
      Pool->run(1000, 100, [&](int32_t Worker, void *Workspace) {
        EXPECT_EQ(reinterpret_cast<uintptr_t>(Workspace) % 64, 0U);
        static_cast<char *>(Workspace)[99] = 1;
        ++Calls[Worker];
      });
      for (std::atomic<int> &Count : Calls)
        EXPECT_EQ(Count, 1);
    }
  }
}

TEST(Pool, UsesNoMoreWorkersThanWanted) {
  Owned<heddle_pool> Pool = makePool(4);
  for (int64_t Wanted : {0, 1, 2, 3, 4, 5}) {
    std::atomic<int> Calls{0};
    Pool->run(Wanted, 0, [&](int32_t, void *) { ++Calls; });
    EXPECT_EQ(Calls, std::min<int64_t>(Wanted, 4));
  }
}

TEST(Pool, WakesSleepers) {
  Owned<heddle_pool> Pool = makePool(3);
  for (int Round = 0; Round < 5; ++Round) {
    // Long enough that all have stopped spinning.
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    std::atomic<int> Calls{0};
    Pool->run(3, 0, [&](int32_t Worker, void *) {
      if (Worker == 2)
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ++Calls;
    });
    EXPECT_EQ(Calls, 3);
  }
}

TEST(Pool, ServesSeveralHostThreads) {
  Owned<heddle_pool> Pool = makePool(3);
  std::atomic<int64_t> Sum{0};
  std::atomic<int> Inside{0};
  std::vector<std::thread> Hosts;
  for (int Host = 0; Host < 4; ++Host)
    Hosts.emplace_back([&] {
      for (int Round = 0; Round < 100; ++Round) {
        std::atomic<int> Next{0};
        Pool->run(20, 64, [&](int32_t Worker, void *Workspace) {
          if (Worker == 0) {
            EXPECT_EQ(Inside++, 0);
          }
          for (int I = 0; (I = Next++) < 20;) {
            *static_cast<int *>(Workspace) = I;
            Sum += *static_cast<int *>(Workspace);
          }
          if (Worker == 0)
            --Inside;
        });
      }
    });
  for (std::thread &Host : Hosts)
    Host.join();
  EXPECT_EQ(Sum, 4 * 100 * 190);
}

TEST(Pool, DestroyedRightAfterUse) {
  for (int Round = 0; Round < 100; ++Round) {
    Owned<heddle_pool> Pool = makePool(3);
    if (Round % 2)
      Pool->run(3, 8, [](int32_t, void *) {});
  }
}

TEST(Pool, DestructionWaitsForTheRunningLaunch) {
  heddle_pool *Pool = makePool(2).release();
  std::atomic<bool> Started{false}, Finished{false};
  std::thread Host([&] {
    Pool->run(2, 0, [&](int32_t Worker, void *) {
      if (Worker != 0)
        return;
      Started = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      Finished = true;
    });
  });
  while (!Started)
    std::this_thread::yield();
  heddle_pool_destroy(Pool);
  EXPECT_TRUE(Finished);
  Host.join();
}

static int countCores(const cpu_set_t &Set) { return CPU_COUNT(&Set); }

TEST(Pool, LeavesTheCallersAffinityAlone) {
  cpu_set_t Before, After;
  ASSERT_EQ(pthread_getaffinity_np(pthread_self(), sizeof(Before), &Before), 0);
  Owned<heddle_pool> Pool = makePool(2);
  Pool->run(2, 0, [](int32_t, void *) {});
  ASSERT_EQ(pthread_getaffinity_np(pthread_self(), sizeof(After), &After), 0);
  EXPECT_TRUE(CPU_EQUAL(&Before, &After));
}

TEST(Pool, PinsWhenThereAreCoresEnough) {
  cpu_set_t Mine;
  ASSERT_EQ(pthread_getaffinity_np(pthread_self(), sizeof(Mine), &Mine), 0);
  for (bool Pin : {true, false}) {
    ScopedVariable Variable("HEDDLE_PIN", Pin ? "1" : "0");
    Owned<heddle_pool> Pool = makePool(2);
    std::atomic<int> Cores[2] = {};
    Pool->run(2, 0, [&](int32_t Worker, void *) {
      cpu_set_t Set;
      if (pthread_getaffinity_np(pthread_self(), sizeof(Set), &Set) == 0)
        Cores[Worker] = countCores(Set);
    });
    int Expected = Pin && countCores(Mine) >= 2 ? 1 : countCores(Mine);
    EXPECT_EQ(Cores[0], Expected);
    EXPECT_EQ(Cores[1], Expected);
  }
}

TEST(Pool, DefaultIsOnePerAvailableCore) {
  cpu_set_t Mine;
  ASSERT_EQ(pthread_getaffinity_np(pthread_self(), sizeof(Mine), &Mine), 0);
  Owned<heddle_pool> Pool = makePool(0);
  EXPECT_EQ(heddle_pool_threads(Pool.get()), countCores(Mine));
}

TEST(Pool, RefusesOddCounts) {
  heddle_pool *Pool = nullptr;
  expectError(heddle_pool_create(-1, &Pool), HEDDLE_INVALID_ARGUMENT,
              {"'threads' is -1"});
  expectError(heddle_pool_create(100000, &Pool), HEDDLE_INVALID_ARGUMENT,
              {"'threads' is 100000"});
  EXPECT_EQ(Pool, nullptr);
}

TEST(Pool, ReportsImpossibleWorkspaces) {
  Owned<heddle_pool> Pool = makePool(2);
  bool Ran = false;
  EXPECT_THROW(Pool->run(2, INT64_MAX, [&](int32_t, void *) { Ran = true; }),
               std::bad_alloc);
  EXPECT_FALSE(Ran);
  Pool->run(1, 8, [&](int32_t, void *) { Ran = true; });
  EXPECT_TRUE(Ran);
}
