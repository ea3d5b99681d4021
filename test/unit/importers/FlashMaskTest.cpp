// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/importers/Support.h"

using namespace heddle;
using namespace heddle::importers;
using namespace heddle::importers::test;
using testing::HasSubstr;

namespace {

class FlashMaskTest : public ImportTest {
protected:
  std::string failure(const FlashMaskOptions &Options) {
    Import Out;
    return importFlashMask(Options, Out).value_or("");
  }
};

} // namespace

/// The meaning by masking a dense matrix column by column, as FlashMask's
/// documentation converts its bounds.
TEST_F(FlashMaskTest, RandomBoundsMaskTheirRows) {
  for (int I = 0; I < 60; ++I) {
    const bool Causal = draw(0, 1) == 1;
    const int64_t Bounds = Causal ? draw(1, 2) : 2 * draw(1, 2);
    const int64_t Heads = draw(1, 2), Group = draw(1, 3), Batch = draw(1, 2);
    const int64_t Keys = draw(1, 30), Queries = draw(0, 1) ? Keys : draw(1, 30);
    std::vector<int32_t> Values;
    for (int64_t J = 0; J < Batch * Heads * Keys * Bounds; ++J)
      Values.push_back(static_cast<int32_t>(draw(0, Queries + 2)));
    Dense Want(Batch, Heads * Group, Queries, Keys);
    Want.fill([&](int64_t, int64_t, int64_t Q, int64_t K) {
      return !Causal || K <= Q;
    });
    for (int64_t B = 0; B < Batch; ++B)
      for (int64_t H = 0; H < Heads * Group; ++H)
        for (int64_t K = 0; K < Keys; ++K) {
          const int32_t *At = &Values[static_cast<size_t>(
              ((B * Heads + H / Group) * Keys + K) * Bounds)];
          auto MaskRows = [&](int64_t Begin, int64_t End) {
            for (int64_t Q = Begin; Q < std::min(End, Queries); ++Q)
              Want.at(B, H, Q, K) = 0;
          };
          if (Bounds == 1)
            MaskRows(At[0], Queries);
          else if (Causal)
            MaskRows(At[0], At[1]);
          else if (Bounds == 2) {
            MaskRows(At[0], Queries);
            MaskRows(0, At[1]);
          } else {
            MaskRows(At[0], At[1]);
            MaskRows(At[2], At[3]);
          }
        }
    FlashMaskOptions Options;
    Options.Bounds =
        writeI32("bounds.npy", {Batch, Heads, Keys, Bounds}, Values);
    Options.Causal = Causal;
    Options.Queries = Queries;
    Options.Group = Group;
    Import From;
    ASSERT_EQ(importFlashMask(Options, From), std::nullopt);
    Dense Found = keptPairs(From, Want);
    ASSERT_EQ(difference(Found, Want), "") << "draw " << I;
  }
}

TEST_F(FlashMaskTest, Errors) {
  FlashMaskOptions Options;
  Options.Bounds = writeI32("bounds.npy", {1, 1, 2, 1}, {1, 2});
  EXPECT_THAT(failure(Options),
              HasSubstr("has 1 bound per column, expected 2 or 4 for a mask "
                        "that is not causal; give --causal for 1"));
  Options.Causal = true;
  Options.Bounds = writeI32("bounds.npy", {1, 1, 1, 4}, {1, 2, 3, 4});
  EXPECT_THAT(failure(Options), HasSubstr("has 4 bounds per column, expected 1 "
                                          "or 2 for a causal mask"));
  Options.Bounds = writeI32("bounds.npy", {1, 1, 2, 1}, {1, -2});
  EXPECT_THAT(failure(Options), HasSubstr("has -2 at (0, 0, 1, 0)"));
  Options.Bounds = writeI32("bounds.npy", {1, 2, 1}, {1, 2});
  EXPECT_THAT(failure(Options),
              HasSubstr("expected (batch, heads, keys, bounds)"));
  Options.Bounds = writeI32("bounds.npy", {1, 1, 0, 1}, {});
  EXPECT_THAT(failure(Options), HasSubstr("at least one sequence"));
  Options.Bounds = writeI64("bounds.npy", {1, 1, 2, 1}, {1, 2});
  EXPECT_THAT(failure(Options), HasSubstr("has dtype '<i8', expected '<i4'"));
}
