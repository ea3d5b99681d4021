// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/Emulation.h"

#include "codegen/nv/emulation/Driver.h"
#include "codegen/nv/host/Arch.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

using namespace heddle;

ErrorText cli::emulate(const heddle_device_code &Code, int32_t Threads,
                       const heddle_driver *&Out) {
  ptx::Options How;
  How.Threads = Threads > 0 ? static_cast<unsigned>(Threads)
                            : std::max(1U, std::thread::hardware_concurrency());
  Out = ptx::emulatedDriver(Code.arch, How);
  if (Out)
    return std::nullopt;
  return fmt::format("there is no emulation of {}", nv::archName(Code.arch));
}

std::vector<std::pair<std::string, int64_t>>
cli::listEmulated(int64_t Launches) {
  const ptx::Stats Work = ptx::emulatedWork();
  auto Number = [&](uint64_t Of) {
    return static_cast<int64_t>(Of) / Launches;
  };
  return {{"groups", Number(Work.Ctas)},
          {"instructions", Number(Work.Instructions)},
          {"matrix_instructions", Number(Work.MatrixInstructions)},
          {"barriers", Number(Work.Barriers)},
          {"global_bytes", Number(Work.GlobalBytes)},
          {"shared_bytes", Number(Work.SharedBytes)},
          {"async_bytes", Number(Work.AsyncBytes)}};
}
