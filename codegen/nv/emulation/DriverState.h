// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the functions of the emulated driver share.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_DRIVERSTATE_H
#define HEDDLE_CODEGEN_NV_EMULATION_DRIVERSTATE_H

#include "codegen/nv/emulation/Driver.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace heddle::ptx {

using Result = heddle_driver_result;

/// What a module handle points to.
struct LoadedModule;

/// What a function handle points to.
struct LoadedFunction {
  const LoadedModule *Of;
  const Kernel *Entry;
  /// Dynamic shared memory that a launch may have: this much unless asked for.
  uint64_t SharedLimit = 48 * 1024;
};

struct LoadedModule {
  std::unique_ptr<Program> Code;
  std::vector<std::unique_ptr<LoadedFunction>> Functions;
};

struct Event {
  std::chrono::steady_clock::time_point When;
  bool IsRecorded = false;
};

/// The one device.
struct State {
  std::mutex Access;
  int32_t Arch = 80;
  Options How;
  std::unique_ptr<Device> Memory = std::make_unique<Device>();
  std::set<LoadedModule *> Modules;
  std::set<LoadedFunction *> Functions;
  std::set<int *> Streams;
  std::set<Event *> Events;
  Stats Work;
  std::optional<Fault> Found; ///< what stopped the last launch
  bool IsInitialized = false;
  int64_t Retained = 0;
};

State &state();

/// What a thread's last failure was about, as far as there is room for it. A
/// device may be closed when the thread's objects are gone: this is never.
class Explanation {
public:
  void clear() { Text[0] = 0; }
  void set(const std::string &Why) {
    Text[Why.copy(Text, sizeof(Text) - 1)] = 0;
  }
  const char *get() const { return *Text ? Text : nullptr; }

private:
  char Text[8192];
};

/// Contexts pushed by this thread, and what its last failure was about.
extern thread_local int64_t Pushed;
extern thread_local Explanation LastFailure;

inline Result fail(Result Code, const std::string &Why = "") {
  LastFailure.set(Why);
  return Code;
}

/// Runs a call that needs a current context.
template <typename Body> Result inContext(Body Fn) {
  LastFailure.clear();
  if (Pushed < 1)
    return fail(HEDDLE_DRIVER_INVALID_CONTEXT, "no context is current");
  State &S = state();
  std::lock_guard<std::mutex> Lock(S.Access);
  return Fn(S);
}

/// Whether a stream is none of ours.
inline bool isForeign(const State &S, heddle_driver_stream Stream) {
  return Stream && S.Streams.count(static_cast<int *>(Stream)) == 0;
}

/// Puts the functions for memory, streams and events into a table.
void addMemory(heddle_driver &Table);

} // namespace heddle::ptx

#endif // HEDDLE_CODEGEN_NV_EMULATION_DRIVERSTATE_H
