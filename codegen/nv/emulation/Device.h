// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The global memory of an emulated device. Addresses are host addresses, so
// that copies to and from the device are plain copies; only what is registered
// here may be touched by kernels.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_DEVICE_H
#define HEDDLE_CODEGEN_NV_EMULATION_DEVICE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace heddle::ptx {

class Program;

/// Bytes [Begin, End) that kernels may read, and write unless ReadOnly.
struct Range {
  uint64_t Begin = 0;
  uint64_t End = 0;
  bool ReadOnly = false;
  /// For messages: "allocation", or the name of a variable of a module.
  std::string Name;
};

/// Not safe for use by several host threads at once, except that any number of
/// kernels may run while nobody changes it.
class Device {
public:
  Device();
  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  /// `Bytes` of device memory at a multiple of `Align` (a power of two), filled
  /// with a pattern that is a NaN in every float type. Unregistered bytes lie
  /// on both sides, so that running over an end is caught. Never 0; zero bytes
  /// give an address that must not be touched.
  uint64_t allocate(size_t Bytes, size_t Align = 256);
  /// Gives back what allocate() gave. False: no such allocation.
  bool free(uint64_t Address);

  /// Lets kernels touch host memory that others own (pinned memory).
  void registerRange(const void *Begin, size_t Bytes, bool ReadOnly = false,
                     llvm::StringRef Name = "host memory");
  bool unregisterRange(const void *Begin);

  /// The variables (.global, .const) of a module in this device's memory, set
  /// to their initial values on the first call for that program.
  void load(const Program &Of);
  void unload(const Program &Of);
  /// Address and size of a variable of a loaded module.
  std::optional<Range> variable(const Program &Of, llvm::StringRef Name) const;
  /// Address of the variable with that number; the module must be loaded.
  uint64_t variable(const Program &Of, unsigned Number) const;

  /// The range that holds the address, or null.
  const Range *find(uint64_t Address) const;
  /// Where an address that may not be touched lies, for messages.
  std::string describe(uint64_t Address) const;
  /// Bytes allocated now, and the most there ever were.
  uint64_t allocated() const { return Allocated; }
  uint64_t peak() const { return Peak; }

private:
  struct Block;
  struct Loaded;
  /// Keyed by their last byte, so that lower_bound finds the range.
  std::map<uint64_t, Range> Ranges;
  std::map<uint64_t, std::unique_ptr<Block>> Blocks;
  std::map<const Program *, std::unique_ptr<Loaded>> Programs;
  uint64_t Allocated = 0, Peak = 0;
};

} // namespace heddle::ptx

#endif
