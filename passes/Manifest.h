// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The manifest of a bundle: what its descriptor says, as JSON for people and
// tools.

#ifndef HEDDLE_PASSES_MANIFEST_H
#define HEDDLE_PASSES_MANIFEST_H

#include "passes/KernelInfo.h"

#include <string>

namespace heddle {

/// The kind of a parameter of this type.
heddle_param_kind paramKind(mlir::Type Type);

/// "heddle 0.1.0".
std::string compilerName();

/// JSON text: compiler and ABI version, architecture, and for every kernel its
/// form and pattern or recurrence, element types, head dims, arguments with
/// their roles and axes, parameters with kinds and defaults, the token grid,
/// the normaliser, the state, and per level the extensions it needs, the
/// schedule and the workspace in bytes, the resources of a device's kernels,
/// and all that of the code for short queries.
std::string writeManifest(llvm::ArrayRef<KernelInfo> Kernels,
                          llvm::StringRef Arch);

} // namespace heddle

#endif // HEDDLE_PASSES_MANIFEST_H
