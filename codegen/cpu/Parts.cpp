// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Parts.h"

#include "codegen/cpu/Procedures.h"
#include "llvm/ADT/STLExtras.h"

#include <tuple>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

namespace {
class Division {
public:
  Division(ModuleOp Module, KnownCode *Known) : Module(Module), Known(Known) {
    Result.Rest = Module;
  }
  Parts run();

private:
  /// True if the procedure is known: it is gone then.
  bool replaceKnown(LLVM::LLVMFuncOp Procedure);
  void shareOut();
  void declareCallees(ModuleOp Part);
  void move(LLVM::LLVMFuncOp Function, OwningOpRef<ModuleOp> &To);

  ModuleOp Module;
  KnownCode *Known;
  Parts Result;
  llvm::DenseSet<Operation *> NewProcedures;
  /// What calls are to name instead.
  llvm::DenseMap<StringAttr, StringAttr> Renamed;
  llvm::DenseMap<StringAttr, LLVM::LLVMFuncOp> Functions;
};
} // namespace

/// What making code of a function takes, as measured: one operation of the
/// arithmetic of addresses and formulas takes two to three times as long as one
/// on vectors.
static size_t estimateWork(LLVM::LLVMFuncOp Function) {
  auto IsVector = llvm::IsaPred<VectorType>;
  size_t Work = 0;
  for (Block &B : Function.getBody())
    for (Operation &Op : B)
      if (!Op.hasTrait<OpTrait::ConstantLike>())
        Work += llvm::any_of(Op.getOperandTypes(), IsVector) ||
                        llvm::any_of(Op.getResultTypes(), IsVector)
                    ? 1
                    : 2;
  return Work;
}

/// True if it names nothing of its module, or with `Calls` only functions that
/// it calls.
static bool isSelfContained(LLVM::LLVMFuncOp Function, bool Calls) {
  return !Function.getBody()
              .walk([&](Operation *Op) {
                return isa<LLVM::AddressOfOp>(Op) ||
                               (!Calls && isa<LLVM::CallOp>(Op))
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              })
              .wasInterrupted();
}

void Division::move(LLVM::LLVMFuncOp Function, OwningOpRef<ModuleOp> &To) {
  if (!To) {
    To = ModuleOp::create(Module.getLoc());
    (*To)->setAttrs(Module->getAttrs());
  }
  Function->remove();
  To->push_back(Function);
}

bool Division::replaceKnown(LLVM::LLVMFuncOp Procedure) {
  StringAttr Own = Procedure.getSymNameAttr();
  std::optional<KnownCode::Match> Match = Known->find(Procedure);
  if (!Match) {
    auto Verb = Procedure->getAttrOfType<StringAttr>(ProcedureAttr);
    Procedure.setSymName(Known->newSymbol(Verb.getValue()));
    Renamed[Own] = Procedure.getSymNameAttr();
    return false;
  }
  Renamed[Own] = Match->Symbol;
  if (!llvm::is_contained(Result.Found, Match->Object))
    Result.Found.push_back(Match->Object);
  // Others of the module may be the same one.
  LLVM::LLVMFuncOp &Declaration = Functions[Match->Symbol];
  if (!Declaration) {
    Declaration = Procedure.cloneWithoutRegions();
    Declaration.setSymNameAttr(Match->Symbol);
    Module.push_back(Declaration);
  }
  Procedure.erase();
  return true;
}

/// The longest first, each to where less is to do.
void Division::shareOut() {
  struct Item {
    size_t Work, Place;
    LLVM::LLVMFuncOp Function;
  };
  llvm::SmallVector<Item> ToDo;
  size_t All = 0;
  for (auto Function : Module.getOps<LLVM::LLVMFuncOp>()) {
    if (Function.isExternal())
      continue;
    ToDo.push_back({estimateWork(Function), ToDo.size(), Function});
    All += ToDo.back().Work;
  }
  llvm::sort(ToDo, [](const Item &One, const Item &Other) {
    return std::tuple(Other.Work, One.Place) <
           std::tuple(One.Work, Other.Place);
  });
  // The first half is of the thread that also translates both.
  size_t Shares[] = {All / 32, 0};
  for (auto [Work, Place, Function] : ToDo) {
    bool Second =
        Shares[1] < Shares[0] && isSelfContained(Function, /*Calls=*/true);
    Shares[Second] += Work;
    if (NewProcedures.contains(Function))
      move(Function, Second ? Result.WithOthers : Result.WithRest);
    else if (Second)
      move(Function, Result.Others);
  }
}

void Division::declareCallees(ModuleOp Part) {
  llvm::DenseSet<StringAttr> Present;
  for (auto Function : Part.getOps<LLVM::LLVMFuncOp>())
    Present.insert(Function.getSymNameAttr());
  auto Declare = [&](FlatSymbolRefAttr Name) {
    LLVM::LLVMFuncOp Callee = Functions.lookup(Name.getAttr());
    if (Callee && Present.insert(Name.getAttr()).second)
      Part.push_back(Callee.cloneWithoutRegions());
  };
  Part.walk([&](Operation *Op) {
    if (auto Call = dyn_cast<LLVM::CallOp>(Op)) {
      FlatSymbolRefAttr Callee = Call.getCalleeAttr();
      if (!Callee)
        return;
      if (StringAttr To = Renamed.lookup(Callee.getAttr()))
        Call.setCalleeAttr(Callee = FlatSymbolRefAttr::get(To));
      Declare(Callee);
    } else if (auto Address = dyn_cast<LLVM::AddressOfOp>(Op)) {
      Declare(Address.getGlobalNameAttr());
    }
  });
}

Parts Division::run() {
  for (auto Function : llvm::to_vector(Module.getOps<LLVM::LLVMFuncOp>())) {
    if (Function.getLinkage() == LLVM::Linkage::Internal) {
      Function.setLinkage(LLVM::Linkage::External);
      Function.setVisibility_(LLVM::Visibility::Hidden);
    }
    if (Known && Function->hasAttr(ProcedureAttr) &&
        isSelfContained(Function, /*Calls=*/false)) {
      if (replaceKnown(Function))
        continue;
      NewProcedures.insert(Function);
    }
    Functions[Function.getSymNameAttr()] = Function;
  }
  shareOut();
  declareCallees(Module);
  if (Result.Others)
    declareCallees(*Result.Others);
  return std::move(Result);
}

Parts cpu::takeApart(ModuleOp Module, KnownCode *Known) {
  return Division(Module, Known).run();
}
