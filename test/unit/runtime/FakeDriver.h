// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A driver of one device that is the host: device memory is the heap's, and a
// launch calls a function of the test for every group. It counts what is in
// use, writes down what it is asked, and fails where a test wants it to.

#ifndef HEDDLE_TEST_UNIT_RUNTIME_FAKEDRIVER_H
#define HEDDLE_TEST_UNIT_RUNTIME_FAKEDRIVER_H

#include "heddle/device.h"

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace heddle::test {

/// One launch.
struct LaunchRecord {
  std::string Function;
  int64_t Groups, Threads, Shared;
  void *Stream;
  std::vector<unsigned char> Block;
};

struct FakeDriver {
  int Count = 2;
  int Arch = 86;
  int Shared = 100 * 1024;
  /// The call of that number, from 0, has this result and does nothing; so
  /// have all calls of that name.
  int64_t FailAt = -1;
  std::string FailIn;
  int Failure = 999;
  /// Results of loading, by the first bytes of the image.
  std::map<std::string, int> Images;
  std::string Log;
  /// What a group of a launch does.
  std::function<void(const LaunchRecord &, int64_t Group)> Run;

  std::vector<std::string> Calls;
  std::vector<LaunchRecord> Launches;
  std::vector<std::string> Loaded;
  /// Everything of the device that is in use.
  std::map<uint64_t, std::unique_ptr<unsigned char[]>> Memory;
  std::map<uint64_t, size_t> Sizes;
  int64_t Modules = 0, Streams = 0, Events = 0, Contexts = 0, Pushed = 0;
  std::map<std::string, int64_t> SharedOf;
  std::vector<std::unique_ptr<std::string>> Names;
  bool BreaksRules = false;

  bool isIdle() const {
    return Memory.empty() && !Modules && !Streams && !Events && !Contexts &&
           !Pushed && !BreaksRules;
  }
  /// Whether all the bytes are in one allocation.
  bool owns(uint64_t At, size_t Bytes) const {
    auto Next = Sizes.upper_bound(At);
    if (Next == Sizes.begin())
      return false;
    --Next;
    return At + Bytes <= Next->first + Next->second;
  }
  int64_t calls(const std::string &Name) const {
    int64_t Result = 0;
    for (const std::string &Call : Calls)
      Result += Call == Name;
    return Result;
  }

  /// The one that the table's functions talk to.
  static FakeDriver *&current() {
    static FakeDriver *Current = nullptr;
    return Current;
  }
  FakeDriver() { current() = this; }
  FakeDriver(const FakeDriver &) = delete;
  FakeDriver &operator=(const FakeDriver &) = delete;
  ~FakeDriver() { current() = nullptr; }

  /// Writes a call down; true if it is to fail.
  bool fails(const char *Name, bool NeedsContext = true) {
    const auto Number = static_cast<int64_t>(Calls.size());
    Calls.emplace_back(Name);
    if (NeedsContext && Pushed < 1)
      BreaksRules = true;
    return Number == FailAt || FailIn == Name;
  }

  static const heddle_driver *table();
};

inline const heddle_driver *FakeDriver::table() {
  using R = heddle_driver_result;
  static const heddle_driver Table = [] {
    heddle_driver T = {};
    T.name = "fake.so";
    T.Init = [](unsigned) -> R {
      FakeDriver &D = *current();
      return D.fails("Init", false) ? D.Failure : 0;
    };
    T.DriverGetVersion = [](int *Out) -> R {
      FakeDriver &D = *current();
      *Out = 12040;
      return D.fails("DriverGetVersion", false) ? D.Failure : 0;
    };
    T.GetErrorName = [](R Code, const char **Out) -> R {
      *Out = Code == 2 ? "FAKE_MEMORY" : Code == 100 ? "FAKE_NONE" : "FAKE_BAD";
      return Code == 998 ? 1 : 0;
    };
    T.GetErrorString = [](R Code, const char **Out) -> R {
      *Out = "this is a test";
      return Code == 998 ? 1 : 0;
    };
    T.DeviceGetCount = [](int *Out) -> R {
      FakeDriver &D = *current();
      *Out = D.Count;
      return D.fails("DeviceGetCount", false) ? D.Failure : 0;
    };
    T.DeviceGet = [](int *Out, int Ordinal) -> R {
      FakeDriver &D = *current();
      *Out = 70 + Ordinal;
      return D.fails("DeviceGet", false) ? D.Failure : 0;
    };
    T.DeviceGetName = [](char *Out, int Bytes, int) -> R {
      FakeDriver &D = *current();
      std::strncpy(Out, "Fake 100", Bytes);
      return D.fails("DeviceGetName", false) ? D.Failure : 0;
    };
    T.DeviceGetAttribute = [](int *Out, int Attribute, int) -> R {
      FakeDriver &D = *current();
      switch (Attribute) {
      case HEDDLE_DRIVER_ARCH_MAJOR:
        *Out = D.Arch / 10;
        break;
      case HEDDLE_DRIVER_ARCH_MINOR:
        *Out = D.Arch % 10;
        break;
      case HEDDLE_DRIVER_MULTIPROCESSORS:
        *Out = 12;
        break;
      case HEDDLE_DRIVER_MOST_SHARED_BYTES:
        *Out = D.Shared;
        break;
      default:
        D.BreaksRules = true;
      }
      return D.fails("DeviceGetAttribute", false) ? D.Failure : 0;
    };
    T.DevicePrimaryCtxRetain = [](void **Out, int) -> R {
      FakeDriver &D = *current();
      if (D.fails("DevicePrimaryCtxRetain", false))
        return D.Failure;
      ++D.Contexts;
      *Out = &D;
      return 0;
    };
    T.DevicePrimaryCtxRelease = [](int) -> R {
      FakeDriver &D = *current();
      --D.Contexts;
      return D.fails("DevicePrimaryCtxRelease", false) ? D.Failure : 0;
    };
    T.CtxPushCurrent = [](void *Context) -> R {
      FakeDriver &D = *current();
      D.BreaksRules |= Context != &D;
      if (D.fails("CtxPushCurrent", false))
        return D.Failure;
      ++D.Pushed;
      return 0;
    };
    T.CtxPopCurrent = [](void **Out) -> R {
      FakeDriver &D = *current();
      --D.Pushed;
      *Out = &D;
      return D.fails("CtxPopCurrent", false) ? D.Failure : 0;
    };
    T.ModuleLoadDataEx = [](void **Out, const void *Image, unsigned Count,
                            int *Options, void **Values) -> R {
      FakeDriver &D = *current();
      bool Fails = D.fails("ModuleLoadDataEx");
      std::string Begin(static_cast<const char *>(Image), 4);
      D.Loaded.push_back(Begin);
      for (unsigned I = 0; I + 1 < Count; ++I)
        if (Options[I] == HEDDLE_DRIVER_ERROR_LOG &&
            Options[I + 1] == HEDDLE_DRIVER_ERROR_LOG_BYTES)
          std::strncpy(static_cast<char *>(Values[I]), D.Log.c_str(),
                       reinterpret_cast<uintptr_t>(Values[I + 1]));
      if (Fails)
        return D.Failure;
      if (D.Images[Begin])
        return D.Images[Begin];
      ++D.Modules;
      *Out = &D;
      return 0;
    };
    T.ModuleUnload = [](void *) -> R {
      FakeDriver &D = *current();
      --D.Modules;
      return D.fails("ModuleUnload") ? D.Failure : 0;
    };
    T.ModuleGetFunction = [](void **Out, void *, const char *Name) -> R {
      FakeDriver &D = *current();
      if (D.fails("ModuleGetFunction"))
        return D.Failure;
      D.Names.push_back(std::make_unique<std::string>(Name));
      *Out = D.Names.back().get();
      return 0;
    };
    T.FuncSetAttribute = [](void *Function, int Attribute, int Value) -> R {
      FakeDriver &D = *current();
      if (D.fails("FuncSetAttribute"))
        return D.Failure;
      D.BreaksRules |= Attribute != HEDDLE_DRIVER_DYNAMIC_SHARED_BYTES;
      D.SharedOf[*static_cast<std::string *>(Function)] = Value;
      return 0;
    };
    T.MemAlloc = [](uint64_t *Out, size_t Bytes) -> R {
      FakeDriver &D = *current();
      if (D.fails("MemAlloc"))
        return D.Failure;
      D.BreaksRules |= Bytes == 0;
      auto Block = std::make_unique<unsigned char[]>(Bytes);
      std::memset(Block.get(), 0xee, Bytes);
      *Out = reinterpret_cast<uint64_t>(Block.get());
      D.Sizes[*Out] = Bytes;
      D.Memory[*Out] = std::move(Block);
      return 0;
    };
    T.MemFree = [](uint64_t At) -> R {
      FakeDriver &D = *current();
      D.BreaksRules |= D.Memory.erase(At) == 0;
      D.Sizes.erase(At);
      return D.fails("MemFree") ? D.Failure : 0;
    };
    T.MemcpyHtoDAsync = [](uint64_t To, const void *From, size_t Bytes,
                           void *) -> R {
      FakeDriver &D = *current();
      if (D.fails("MemcpyHtoDAsync"))
        return D.Failure;
      D.BreaksRules |= !D.owns(To, Bytes);
      std::memcpy(reinterpret_cast<void *>(To), From, Bytes);
      return 0;
    };
    T.MemcpyDtoHAsync = [](void *To, uint64_t From, size_t Bytes, void *) -> R {
      FakeDriver &D = *current();
      if (D.fails("MemcpyDtoHAsync"))
        return D.Failure;
      D.BreaksRules |= !D.owns(From, Bytes);
      std::memcpy(To, reinterpret_cast<const void *>(From), Bytes);
      return 0;
    };
    T.MemsetD8Async = [](uint64_t To, unsigned char Value, size_t Bytes,
                         void *) -> R {
      FakeDriver &D = *current();
      if (D.fails("MemsetD8Async"))
        return D.Failure;
      D.BreaksRules |= !D.owns(To, Bytes);
      std::memset(reinterpret_cast<void *>(To), Value, Bytes);
      return 0;
    };
    T.StreamCreate = [](void **Out, unsigned) -> R {
      FakeDriver &D = *current();
      if (D.fails("StreamCreate"))
        return D.Failure;
      ++D.Streams;
      *Out = &D.Streams;
      return 0;
    };
    T.StreamDestroy = [](void *) -> R {
      FakeDriver &D = *current();
      --D.Streams;
      return D.fails("StreamDestroy") ? D.Failure : 0;
    };
    T.StreamSynchronize = [](void *) -> R {
      FakeDriver &D = *current();
      return D.fails("StreamSynchronize") ? D.Failure : 0;
    };
    T.EventCreate = [](void **Out, unsigned) -> R {
      FakeDriver &D = *current();
      if (D.fails("EventCreate"))
        return D.Failure;
      ++D.Events;
      *Out = &D.Events;
      return 0;
    };
    T.EventDestroy = [](void *) -> R {
      FakeDriver &D = *current();
      --D.Events;
      return D.fails("EventDestroy") ? D.Failure : 0;
    };
    T.EventRecord = [](void *, void *) -> R {
      FakeDriver &D = *current();
      return D.fails("EventRecord") ? D.Failure : 0;
    };
    T.EventSynchronize = [](void *) -> R {
      FakeDriver &D = *current();
      return D.fails("EventSynchronize") ? D.Failure : 0;
    };
    T.EventElapsedTime = [](float *Out, void *, void *) -> R {
      FakeDriver &D = *current();
      *Out = 1.5F;
      return D.fails("EventElapsedTime") ? D.Failure : 0;
    };
    T.LaunchKernel = [](void *Function, unsigned X, unsigned Y, unsigned Z,
                        unsigned ThreadsX, unsigned ThreadsY, unsigned ThreadsZ,
                        unsigned Shared, void *Stream, void **Params,
                        void **Extra) -> R {
      FakeDriver &D = *current();
      if (D.fails("LaunchKernel"))
        return D.Failure;
      LaunchRecord Record = {*static_cast<std::string *>(Function),
                             X,
                             ThreadsX,
                             Shared,
                             Stream,
                             {}};
      D.BreaksRules |= Y != 1 || Z != 1 || ThreadsY != 1 || ThreadsZ != 1 ||
                       X == 0 || Params || D.SharedOf[Record.Function] < Shared;
      const unsigned char *Data = nullptr;
      size_t Bytes = 0;
      for (; *Extra != HEDDLE_DRIVER_PARAM_END; Extra += 2)
        if (*Extra == HEDDLE_DRIVER_PARAM_BUFFER)
          Data = static_cast<const unsigned char *>(Extra[1]);
        else if (*Extra == HEDDLE_DRIVER_PARAM_BYTES)
          Bytes = *static_cast<size_t *>(Extra[1]);
      Record.Block.assign(Data, Data + Bytes);
      D.Launches.push_back(Record);
      if (D.Run)
        for (unsigned Group = 0; Group < X; ++Group)
          D.Run(Record, Group);
      return 0;
    };
    return T;
  }();
  return &Table;
}

} // namespace heddle::test

#endif // HEDDLE_TEST_UNIT_RUNTIME_FAKEDRIVER_H
