// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"

#include "codegen/Target.h"
#include "llvm/ADT/StringSet.h"

using namespace heddle;

TEST(Target, LevelsAreFoundByName) {
  ASSERT_FALSE(targets().empty());
  llvm::StringSet<> Names;
  for (const Target *T : targets()) {
    EXPECT_EQ(findTarget(T->name()), T);
    ASSERT_FALSE(T->levels().empty());
    for (const Level &L : T->levels()) {
      EXPECT_EQ(findTargetOfLevel(L.Name), T);
      EXPECT_TRUE(Names.insert(L.Name).second) << L.Name << " occurs twice";
    }
  }
  EXPECT_EQ(findTarget("no-such-target"), nullptr);
  EXPECT_EQ(findTargetOfLevel("no-such-level"), nullptr);
}

TEST(Target, LastLevelNeedsNothing) {
  Level Last = targets().front()->levels().back();
  EXPECT_TRUE(Last.Features.empty());
  EXPECT_TRUE(Last.runsHere());
}

TEST(Target, ItsOwnSchedulesPassItsCheck) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const Target *T : targets())
    for (const Level &L : T->levels())
      for (int64_t Qk : {1, 40, 64, 128, 512})
        for (int64_t V : {1, 80, 512})
          EXPECT_EQ(T->checkSchedule(T->chooseSchedule(&Context, L.Name, Qk, V),
                                     L.Name),
                    "")
              << L.Name << " " << Qk << " " << V;
}
