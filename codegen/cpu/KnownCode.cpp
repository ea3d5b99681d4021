// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/KnownCode.h"

#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// Of the operations in their order, without what connects them.
static llvm::hash_code hashBody(LLVM::LLVMFuncOp Procedure) {
  llvm::hash_code Hash = hash_value(Procedure.getFunctionType());
  Procedure.getBody().walk([&](Operation *Op) {
    Hash =
        llvm::hash_combine(Hash, OperationEquivalence::computeHash(
                                     Op, OperationEquivalence::ignoreHashValue,
                                     OperationEquivalence::ignoreHashValue,
                                     OperationEquivalence::IgnoreLocations));
  });
  return Hash;
}

/// True if they differ in nothing but locations.
static bool areAlike(LLVM::LLVMFuncOp One, LLVM::LLVMFuncOp Other) {
  llvm::DenseMap<Value, Value> Others;
  auto IsSame = [&](Value L, Value R) {
    return success(Others.lookup(L) == R);
  };
  return OperationEquivalence::isEquivalentTo(
      One, Other, IsSame, [&](Value L, Value R) { Others[L] = R; },
      OperationEquivalence::IgnoreLocations,
      // The order of operands is code too.
      [&](ValueRange L, ValueRange R) {
        return success(llvm::all_of_zip(
            L, R, [&](Value A, Value B) { return Others.lookup(A) == B; }));
      });
}

std::optional<KnownCode::Match> KnownCode::find(LLVM::LLVMFuncOp Procedure) {
  const llvm::hash_code Hash = hashBody(Procedure);
  StringAttr Own = Procedure.getSymNameAttr();
  for (auto I = Entries.begin(); I != Entries.end(); ++I) {
    if (I->Hash != Hash)
      continue;
    StringAttr Symbol = I->Procedure->getSymNameAttr();
    Procedure.setSymNameAttr(Symbol);
    const bool IsIt = areAlike(*I->Procedure, Procedure);
    Procedure.setSymNameAttr(Own);
    if (!IsIt)
      continue;
    Entries.splice(Entries.begin(), Entries, I);
    return Match{Symbol, I->Object};
  }
  return std::nullopt;
}

std::string KnownCode::newSymbol(llvm::StringRef Verb) {
  return (Verb + "." + llvm::Twine(NumSymbols++)).str();
}

void KnownCode::add(ArrayRef<LLVM::LLVMFuncOp> Procedures,
                    const HostEmitter::Object &Object) {
  for (LLVM::LLVMFuncOp Procedure : Procedures) {
    Procedure->remove();
    Entries.push_front({hashBody(Procedure), Procedure, Object});
  }
  while (Entries.size() > MostEntries)
    Entries.pop_back();
}
