// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constant C data as globals of the LLVM dialect.

#ifndef HEDDLE_PASSES_CONSTANTBUILDER_H
#define HEDDLE_PASSES_CONSTANTBUILDER_H

#include "passes/DescriptorLayout.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/StringMap.h"

namespace heddle {

/// The value of one member: an integer, the address of a symbol, or null.
class Constant {
public:
  Constant(int64_t Value) : Value(Value) {}
  static Constant address(mlir::FlatSymbolRefAttr Symbol) {
    Constant C(0);
    C.Symbol = Symbol;
    return C;
  }

  int64_t Value;
  mlir::FlatSymbolRefAttr Symbol; ///< Null: the integer.
};

/// Adds private constants at the end of a module.
class ConstantBuilder {
public:
  explicit ConstantBuilder(mlir::ModuleOp Module);

  /// One value per member of a structure.
  using Fields = llvm::SmallVector<Constant>;

  /// A NUL-terminated string; equal strings share a global.
  Constant string(llvm::StringRef Text);

  /// Bytes as they are, aligned to 64; equal ones share a global.
  Constant bytes(llvm::StringRef Data);

  /// An array of structures; null when there are none.
  Constant array(llvm::ArrayRef<Member> Layout, llvm::ArrayRef<Fields> Elements,
                 llvm::StringRef Name);

  /// One structure under the exported symbol `Name`.
  void exported(llvm::ArrayRef<Member> Layout, const Fields &Values,
                llvm::StringRef Name);

private:
  mlir::LLVM::LLVMStructType structType(llvm::ArrayRef<Member> Layout);
  /// A global of `Type` whose initializer region is built at the end of it.
  mlir::LLVM::GlobalOp global(mlir::Type Type, llvm::StringRef Name,
                              mlir::LLVM::Linkage Linkage);
  mlir::Value buildStruct(llvm::ArrayRef<Member> Layout, const Fields &Values);
  std::string uniqueName(llvm::StringRef Base);

  mlir::ModuleOp Module;
  mlir::OpBuilder Builder;
  mlir::Location Loc;
  llvm::StringMap<mlir::FlatSymbolRefAttr> Strings, Blobs;
  unsigned NumGlobals = 0;
};

} // namespace heddle

#endif // HEDDLE_PASSES_CONSTANTBUILDER_H
