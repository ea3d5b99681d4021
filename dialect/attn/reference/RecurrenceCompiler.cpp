// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs of the regions of a recurrence.

#include "dialect/attn/reference/ProgramCompiler.h"

using namespace heddle::attn;

mlir::LogicalResult
ProgramCompiler::compileReduction(mlir::Operation *Op,
                                  std::vector<FeatureMap::Stage> &Stages) {
  llvm::SmallVector<unsigned> Outputs = {read(Op->getOperand(0))};
  FeatureMap::Reduction Kind = FeatureMap::Reduction::Sum;
  unsigned Param = 0;
  if (mlir::isa<RowMaxOp>(Op))
    Kind = FeatureMap::Reduction::Max;
  if (auto Project = mlir::dyn_cast<ProjectOp>(Op)) {
    Kind = FeatureMap::Reduction::Project;
    Param = Places.lookup(Project.getTable());
    if (Project.getIndices().size() + 2 != Out.Params[Param].Rank)
      return Op->emitError()
             << "expected two axes of the table more than indices, found "
             << Out.Params[Param].Rank << " axes";
    for (mlir::Value Index : Project.getIndices()) {
      Outputs.push_back(read(Index));
      if (Depends[Outputs.back()] & Program::OnKey)
        return Op->emitError() << "expected indices that do not depend on the "
                                  "element or the feature";
    }
  }
  mlir::FailureOr<Program> Code = finish(Outputs);
  if (mlir::failed(Code))
    return mlir::failure();
  Stages.push_back({std::move(*Code), Kind, Param});
  const unsigned Input = temporary(Program::OnKey);
  Out.Inputs.push_back(Input);
  Registers[Op->getResult(0)] = Input;
  return mlir::success();
}

mlir::FailureOr<FeatureMap> ProgramCompiler::compileMap(mlir::Region &Region) {
  start(Region, RegionKind::Recurrence);
  bind(Region, 0, Out.scoreRegister());
  bind(Region, 1, 0);
  bind(Region, 2, 1);
  bind(Region, 3, Program::queryRegister(0));
  bind(Region, 4, Out.keyRegister(0));
  std::vector<FeatureMap::Stage> Stages;
  llvm::SmallVector<unsigned> Features;
  for (mlir::Operation &Op : Region.front()) {
    if (mlir::isa<FeaturesOp>(Op)) {
      for (mlir::Value Feature : Op.getOperands())
        Features.push_back(read(Feature));
    } else if (mlir::isa<RowSumOp, RowMaxOp, ProjectOp>(Op)) {
      if (mlir::failed(compileReduction(&Op, Stages)))
        return mlir::failure();
    } else if (mlir::failed(compileOperation(&Op))) {
      return mlir::failure();
    }
  }
  mlir::FailureOr<Program> Last = finish(Features);
  if (mlir::failed(Last))
    return mlir::failure();
  return FeatureMap(std::move(Stages), std::move(*Last));
}

mlir::FailureOr<Program> ProgramCompiler::compileFactor(mlir::Region &Region) {
  start(Region, RegionKind::Recurrence);
  bind(Region, 0, 0);
  bind(Region, 1, 1);
  bind(Region, 2, Program::queryRegister(0));
  if (Region.getNumArguments() > Slots.size() + 3)
    bind(Region, 3, Out.keyRegister(0));
  unsigned Result = 0;
  for (mlir::Operation &Op : Region.front()) {
    if (mlir::isa<DecayOp, DeltaOp>(Op))
      Result = read(Op.getOperand(0));
    else if (mlir::failed(compileOperation(&Op)))
      return mlir::failure();
  }
  return finish(Result);
}
