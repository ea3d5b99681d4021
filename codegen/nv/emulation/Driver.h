// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A device driver whose device is the emulator: what the runtime is given in
// place of the machine's own to run kernels without a device.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_DRIVER_H
#define HEDDLE_CODEGEN_NV_EMULATION_DRIVER_H

#include "codegen/nv/emulation/Launch.h"
#include "heddle/driver.h"

namespace heddle::ptx {

/// The table of a driver with one device, "PTX emulation", of a compute
/// capability (10 * major + minor) that there is a level for; null for another.
/// There is one such device per process: a further call changes what it is, and
/// must not come while a device of the runtime is open. `How.SharedLimit` is
/// that of the level.
///
/// It does what the CUDA driver does, at once and in order: streams do not
/// overlap. A launch that goes wrong fails with CUDA_ERROR_LAUNCH_FAILED and
/// `explain` tells what the emulator found. Machine code is refused with
/// CUDA_ERROR_NO_BINARY_FOR_GPU, so that PTX is loaded instead.
const heddle_driver *emulatedDriver(int32_t Arch, const Options &How = {});

/// What all launches since the last call of emulatedDriver did.
Stats emulatedWork();

/// What the last launch did wrong; nothing where it ran to its end.
std::optional<Fault> emulatedFault();

/// Memory that is allocated, in bytes: 0 when everything was given back.
uint64_t emulatedBytes();

} // namespace heddle::ptx

#endif // HEDDLE_CODEGEN_NV_EMULATION_DRIVER_H
