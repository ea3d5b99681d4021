// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Devices that are programs: code of every device target runs on the processor
// too, much slower, and what it does wrong is found.

#ifndef HEDDLE_FRONTENDS_HEDDLE_EMULATION_H
#define HEDDLE_FRONTENDS_HEDDLE_EMULATION_H

#include "heddle/device.h"
#include "runtime/npy/ErrorText.h"

#include <string>
#include <utility>
#include <vector>

namespace heddle::cli {

/// A driver whose one device is of the kind that the code is for, emulated on
/// so many threads (0: one per core).
ErrorText emulate(const heddle_device_code &Code, int32_t Threads,
                  const heddle_driver *&Out);

/// Names and numbers of what one launch does, of so many alike since then.
std::vector<std::pair<std::string, int64_t>> listEmulated(int64_t Launches);

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_EMULATION_H
