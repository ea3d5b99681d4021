// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Bundle.h"

#include "codegen/cpu/HostFeatures.h"

#include <cstdlib>

using namespace heddle;
using namespace heddle::runtime;

const heddle_entry *heddle_kernel_entry(const heddle_kernel *kernel) {
  return kernel ? kernel->Entry : nullptr;
}

/// "avx2, fma" for the extensions that the code needs and the machine lacks.
static std::string lacking(const heddle_code &Code) {
  return fmt::format("{}",
                     fmt::join(cpu::missingFeatures(Code.features), ", "));
}

/// The code called `Level`; `Asker` says in messages who asked for it.
static heddle_error *findLevel(const heddle_kernel *Kernel,
                               const std::string &Level, const char *Asker,
                               const heddle_code **Out) {
  const heddle_entry &Entry = *Kernel->Entry;
  std::string Known;
  for (int64_t I = 0; I < Entry.num_codes; ++I) {
    const heddle_code &Code = Entry.codes[I];
    Known += fmt::format("{}'{}'", I ? ", " : "", Code.level);
    if (Level != Code.level)
      continue;
    if (Code.device)
      return makeError(HEDDLE_UNSUPPORTED,
                       "level '{}'{} of kernel '{}' is code for a device, "
                       "which the CPU cannot run",
                       Level, Asker, Entry.name);
    if (std::string Missing = lacking(Code); !Missing.empty())
      return makeError(HEDDLE_UNSUPPORTED,
                       "level '{}'{} of kernel '{}' needs {}, which this "
                       "machine lacks",
                       Level, Asker, Entry.name, Missing);
    *Out = &Code;
    return nullptr;
  }
  return makeError(HEDDLE_NOT_FOUND,
                   "kernel '{}' has no level '{}'{}; it has {}", Entry.name,
                   Level, Asker, Known);
}

heddle_error *heddle_kernel_code(const heddle_kernel *kernel,
                                 const heddle_code **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (!kernel)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the kernel is null");
    const char *Level = std::getenv("HEDDLE_LEVEL");
    if (Level && *Level)
      return findLevel(kernel, Level, " (from HEDDLE_LEVEL)", out);
    const heddle_entry &Entry = *kernel->Entry;
    std::string Reasons, Devices;
    for (int64_t I = 0; I < Entry.num_codes; ++I) {
      const heddle_code &Code = Entry.codes[I];
      if (Code.device) {
        Devices +=
            fmt::format("{}'{}'", Devices.empty() ? "" : ", ", Code.level);
        continue;
      }
      std::string Missing = lacking(Code);
      if (Missing.empty()) {
        *out = &Code;
        return nullptr;
      }
      Reasons += fmt::format("{}'{}' needs {}", Reasons.empty() ? "" : "; ",
                             Code.level, Missing);
    }
    if (Reasons.empty())
      return makeError(HEDDLE_UNSUPPORTED,
                       "kernel '{}' has no code for the CPU, only {} for a "
                       "device; run it on one, or compile it with a level of "
                       "the CPU too",
                       Entry.name, Devices);
    return makeError(HEDDLE_UNSUPPORTED,
                     "this machine cannot run kernel '{}': it lacks "
                     "instruction-set extensions ({}); compile it for this "
                     "machine or with a baseline level",
                     Entry.name, Reasons);
  });
}

heddle_error *heddle_kernel_code_at(const heddle_kernel *kernel,
                                    const char *level,
                                    const heddle_code **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (!kernel || !level)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       kernel ? "level's name" : "kernel");
    return findLevel(kernel, level, "", out);
  });
}
