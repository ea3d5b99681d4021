// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of a module: which of its functions belong together, and whether
// each kernel has all that it needs.

#ifndef HEDDLE_PASSES_KERNELINFO_H
#define HEDDLE_PASSES_KERNELINFO_H

#include "heddle/abi.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/KernelSpec.h"

#include <optional>

namespace heddle {

/// The kernels of another device, as its code generator leaves them.
struct DeviceInfo {
  mlir::ModuleOp Module;
  /// Columns is null for a kernel without outputs by columns, Merge for all but
  /// packed code.
  mlir::LLVM::LLVMFuncOp Task, Columns, Merge;

  explicit operator bool() const { return static_cast<bool>(Module); }
  /// A number of `kernel`'s resources; none for what is not known of it.
  static std::optional<int64_t> resource(mlir::LLVM::LLVMFuncOp Kernel,
                                         llvm::StringRef Name);
  /// A string of the module's code, null if it has none of that name; and the
  /// number called `tile::kArch`.
  mlir::StringAttr code(llvm::StringRef Name) const;
  /// What an assembler has to say about the code: strings.
  llvm::ArrayRef<mlir::Attribute> warnings() const;
  int64_t arch() const;
};

/// A kernel's code at one level, ordinary or packed.
struct CodeInfo {
  attn::EntryAttr Entry;
  /// In the place of Task and Columns where the level is another device's.
  DeviceInfo Device;
  /// Null with `Device`.
  mlir::LLVM::LLVMFuncOp Task;
  /// Null for a linear kernel.
  mlir::LLVM::LLVMFuncOp Count;
  /// Null for packed code.
  mlir::LLVM::LLVMFuncOp Check;
  /// Null for a kernel without outputs by columns.
  mlir::LLVM::LLVMFuncOp Columns;
  /// Null for attention, and for a linear kernel that has none.
  mlir::LLVM::LLVMFuncOp State, Step, Slice;

  /// All that are there, those of a device included.
  llvm::SmallVector<mlir::LLVM::LLVMFuncOp, 4> functions() const;
  /// Bytes of scratch memory that any of them needs.
  int64_t workspace() const;
  /// The most tokens that are for `Step`; 0 without it.
  int64_t stepTokens(attn::RecurrenceOp Recurrence) const;
  /// The features of v that are for one call of `Slice`; 0 without it.
  int64_t sliceValues(attn::RecurrenceOp Recurrence) const;
  /// Comma-separated instruction-set extensions.
  llvm::StringRef features() const;
};

/// One kernel of a bundle.
struct KernelInfo {
  KernelSpec Spec; ///< With the entry of its first code.
  bool UsesBatch = false, UsesHead = false;
  llvm::SmallVector<CodeInfo> Codes; ///< Best first.
  /// For short queries, under `PackedSpec`; of all levels or none.
  llvm::SmallVector<CodeInfo> Packed;
  KernelSpec PackedSpec;

  /// The packed code of a level, or null.
  const CodeInfo *packed(llvm::StringRef Level) const;

  heddle_dtype dtype() const;
  heddle_dtype outputDtype() const;
};

/// The kernels of a module and of the modules of devices in it, in the order in
/// which they are first met. Fails where a function belongs to none or a kernel
/// lacks one.
mlir::FailureOr<llvm::SmallVector<KernelInfo, 1>>
collectKernels(mlir::ModuleOp Module);

} // namespace heddle

#endif // HEDDLE_PASSES_KERNELINFO_H
