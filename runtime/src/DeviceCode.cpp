// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which code of a kernel runs on a device.

#include "DeviceCode.h"
#include "Bundle.h"

#include "codegen/nv/host/Arch.h"

#include <cstdlib>

using namespace heddle;
using namespace heddle::runtime;

static bool isOurs(const heddle_code &Code) {
  return Code.device && std::string(Code.device->target) == nv::TargetName;
}

DeviceFormats runtime::formatsFor(const heddle_device_code &Code,
                                  const heddle_device &Device) {
  return {Code.cubin && nv::runsBinary(Code.arch, Device.Info.arch),
          Code.ptx && nv::runsPtx(Code.arch, Device.Info.arch)};
}

/// "NVIDIA X (sm_90)"
static std::string nameOf(const heddle_device &Device) {
  return fmt::format("'{}' ({})", Device.Name, nv::archName(Device.Info.arch));
}

/// "'sm_80' (machine code and PTX for sm_80)"
static std::string nameOf(const heddle_code &Code) {
  if (!Code.device)
    return fmt::format("'{}' (for the CPU)", Code.level);
  if (!isOurs(Code))
    return fmt::format("'{}' (for {})", Code.level, Code.device->target);
  return fmt::format("'{}' ({} for {})", Code.level,
                     !Code.device->cubin ? "PTX"
                     : Code.device->ptx  ? "machine code and PTX"
                                         : "machine code",
                     nv::archName(Code.device->arch));
}

/// "'avx2' (for the CPU), 'sm_90' (PTX for sm_90)"
static std::string levelsOf(const heddle_entry &Entry) {
  std::string Text;
  for (int64_t I = 0; I < Entry.num_codes; ++I)
    Text += (I ? ", " : "") + nameOf(Entry.codes[I]);
  return Text;
}

/// The code called `Level`; `Asker` says in messages who asked for it.
static heddle_error *findLevel(const heddle_device &Device,
                               const heddle_entry &Entry,
                               const std::string &Level, const char *Asker,
                               const heddle_code **Out) {
  for (int64_t I = 0; I < Entry.num_codes; ++I) {
    const heddle_code &Code = Entry.codes[I];
    if (Level != Code.level)
      continue;
    if (!isOurs(Code) || !formatsFor(*Code.device, Device))
      return makeError(HEDDLE_UNSUPPORTED,
                       "level {}{} of kernel '{}' does not run on device {}",
                       nameOf(Code), Asker, Entry.name, nameOf(Device));
    *Out = &Code;
    return nullptr;
  }
  return makeError(HEDDLE_NOT_FOUND,
                   "kernel '{}' has no level '{}'{}; it has {}", Entry.name,
                   Level, Asker, levelsOf(Entry));
}

heddle_error *heddle_device_code_of(const heddle_device *device,
                                    const heddle_kernel *kernel,
                                    const char *level,
                                    const heddle_code **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (!device || !kernel)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       device ? "kernel" : "device");
    const heddle_entry &Entry = *kernel->Entry;
    if (level)
      return findLevel(*device, Entry, level, "", out);
    const char *Named = std::getenv("HEDDLE_LEVEL");
    if (Named && *Named)
      return findLevel(*device, Entry, Named, " (from HEDDLE_LEVEL)", out);
    const heddle_code *Best = nullptr;
    for (int64_t I = 0; I < Entry.num_codes; ++I) {
      const heddle_code &Code = Entry.codes[I];
      if (isOurs(Code) && formatsFor(*Code.device, *device) &&
          (!Best || Code.device->arch > Best->device->arch))
        Best = &Code;
    }
    *out = Best;
    if (Best)
      return nullptr;
    return makeError(HEDDLE_UNSUPPORTED,
                     "kernel '{}' has no code for device {}; it has {}; "
                     "compile it with a level for the device too",
                     Entry.name, nameOf(*device), levelsOf(Entry));
  });
}
