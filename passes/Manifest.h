// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of a module, collected for its descriptor, and the manifest: the
// same facts as JSON for people and tools.

#ifndef HEDDLE_PASSES_MANIFEST_H
#define HEDDLE_PASSES_MANIFEST_H

#include "dialect/attn/Attn.h"
#include "heddle/abi.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <string>

namespace heddle {

/// A kernel's code at one level.
struct CodeInfo {
  attn::EntryAttr Entry;
  mlir::LLVM::LLVMFuncOp Task, Count;

  /// Bytes of scratch memory of a task.
  int64_t workspace() const;
  /// Comma-separated instruction-set extensions.
  llvm::StringRef features() const;
};

/// One kernel of a bundle.
struct KernelInfo {
  attn::EntryAttr Entry; ///< That of its first code.
  attn::PatternOp Pattern;
  bool UsesBatch = false, UsesHead = false;
  llvm::SmallVector<CodeInfo> Codes; ///< Best first.

  heddle_dtype dtype() const;
};

/// "heddle 0.1.0".
std::string compilerName();

/// JSON text: compiler and ABI version, architecture, and for every kernel its
/// pattern, element type, head dims, arguments with their roles and axes,
/// parameters with defaults, and per level the extensions it needs, the
/// schedule and the workspace in bytes.
std::string writeManifest(llvm::ArrayRef<KernelInfo> Kernels,
                          llvm::StringRef Arch);

} // namespace heddle

#endif // HEDDLE_PASSES_MANIFEST_H
