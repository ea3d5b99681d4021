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
          for (unsigned Axes : {0, 1, 2, 3})
            EXPECT_EQ(T->checkSchedule(
                          T->chooseSchedule(&Context, L.Name, {Qk, V, Axes, 0}),
                          L.Name),
                      "")
                << L.Name << " " << Qk << " " << V << " " << Axes;
}

TEST(Target, DevicesKeepTheirTilesInMemoryOfTheirOwn) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const Target *T : targets())
    for (const Level &L : T->levels()) {
      attn::ScheduleAttr S = T->chooseSchedule(&Context, L.Name, {64, 64});
      EXPECT_EQ(S.getStages() > 0, T->isDevice()) << L.Name;
      EXPECT_EQ(L.runsHere() && T->isDevice(), false) << L.Name;
      // Where there is nothing to stage, asking for it is an error.
      auto Staged = attn::ScheduleAttr::get(
          &Context, S.getQueryTile(), S.getKeyTile(), S.getRows(), S.getLanes(),
          S.getUnroll(), S.getQueryBox(), S.getKeyBox(), T->isDevice() ? 0 : 2,
          S.getHeads());
      EXPECT_NE(T->checkSchedule(Staged, L.Name), "") << L.Name;
    }
}

TEST(Target, DevicesHaveAScheduleForAnyLimit) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const Target *T : targets())
    for (const Level &L : T->levels())
      for (int64_t Kilobytes : {48, 64, 100, 164, 228})
        for (auto [Width, Group] :
             {std::pair(1, 0), std::pair(40, 0), std::pair(64, 0),
              std::pair(128, 0), std::pair(256, 0), std::pair(512, 0),
              std::pair(64, 509), std::pair(512, 512)})
          for (int64_t Bytes : {2, 4}) {
            KernelShape Shape{Width, Width};
            Shape.Group = Group;
            Shape.ElementBytes = Bytes;
            Shape.SharedLimit = Kilobytes * 1024;
            const std::string What = L.Name + " " + std::to_string(Kilobytes) +
                                     " KB, head dim " + std::to_string(Width) +
                                     ", " + std::to_string(Bytes) + " bytes";
            EXPECT_EQ(T->checkShape(Shape, L.Name), "") << What;
            attn::ScheduleAttr S = T->chooseSchedule(&Context, L.Name, Shape);
            EXPECT_EQ(T->checkSchedule(S, L.Name), "") << What;
            if (T->isDevice() && S.getQueryTile() > 16) {
              EXPECT_LE(
                  (S.getQueryTile() + 2 * S.getStages() * S.getKeyTile()) *
                      Width * Bytes,
                  Shape.SharedLimit)
                  << What;
            }
          }
}

/// What not even slices of rows fit into is an error, which says what does.
TEST(Target, SayWhatTheLeastSlicesTake) {
  for (const Target *T : targets()) {
    if (!T->isDevice())
      continue;
    const std::string Level = T->levels().front().Name;
    KernelShape Shape{64, 64, 0, 512};
    Shape.SharedLimit = 20 * 1024;
    EXPECT_EQ(T->checkShape(Shape, Level),
              "the least slices, of 16 queries and 512 keys, take 38 KB of "
              "shared memory, expected at most 20 KB for level '" +
                  Level + "'; allow more with --shared-memory");
    Shape.SharedLimit = 38 * 1024;
    EXPECT_EQ(T->checkShape(Shape, Level), "");
  }
}

TEST(Target, BoxesHaveTheSizeOfTheirTiles) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const Target *T : targets())
    for (const Level &L : T->levels())
      for (unsigned Axes : {1, 2, 3}) {
        attn::ScheduleAttr S =
            T->chooseSchedule(&Context, L.Name, {64, 64, Axes, 0});
        for (auto [Box, Size] : {std::pair(S.getQueryBox(), S.getQueryTile()),
                                 std::pair(S.getKeyBox(), S.getKeyTile())}) {
          ASSERT_EQ(Box.size(), Axes) << L.Name;
          int64_t Product = 1;
          for (int64_t Extent : Box) {
            Product *= Extent;
            // No axis is split much finer than another.
            EXPECT_LE(Extent, 2 * Box.front());
          }
          EXPECT_EQ(Product, Size) << L.Name;
        }
      }
}

TEST(Target, GroupsAreKeyTiles) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const Target *T : targets())
    for (const Level &L : T->levels())
      for (int64_t Group : {2, 50, 63, 64, 509, 512}) {
        const KernelShape Shape{64, 64, 0, Group};
        EXPECT_EQ(T->checkShape(Shape, L.Name), "") << L.Name << " " << Group;
        attn::ScheduleAttr S = T->chooseSchedule(&Context, L.Name, Shape);
        EXPECT_EQ(S.getKeyTile(), Group);
        EXPECT_EQ(Group % S.getRows(), 0);
        EXPECT_EQ(Group % S.getUnroll(), 0);
        EXPECT_EQ(T->checkSchedule(S, L.Name), "") << L.Name << " " << Group;
      }
}
