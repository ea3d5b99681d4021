// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/ScoreRegion.h"

#include "codegen/lanes/IndexAccess.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

LogicalResult heddle::cpu::emitScoreRegion(KernelBuilder &B,
                                           const ScoreRegion &Region) {
  int64_t Length = rowLength(B, Region.Type);
  int64_t Keys = Region.Type.getDimSize(1);
  RegionLifter Lifter(B, Region.Code, "cpu");
  LogicalResult Ok = success();
  B.loop(Length, B.lanes(), [&](Value Offset) {
    SmallVector<Value> Query = Region.At.queries(B, Offset);
    B.loop(Keys, 1, [&](Value Key) {
      Value At = B.add(B.mul(Key, Length), Offset);
      Value Score = B.loadVector(B.offset(Region.Scores, At));
      SmallVector<Value> Arguments{Score, Region.At.Batch, Region.At.Head};
      llvm::append_range(Arguments, Query);
      llvm::append_range(Arguments, Region.At.keys(B, Key));
      llvm::append_range(Arguments, Region.Params);
      auto Results = Lifter.lift(Arguments);
      Ok = success(Results.has_value());
      if (failed(Ok))
        return;
      for (auto [Result, Base] : llvm::zip_equal(*Results, Region.Results))
        B.storeVector(Result, B.offset(Base, At));
    });
    if (Keys > 1)
      moveInvariants(B);
  });
  return Ok;
}
