// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/importers/Support.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::importers;
using namespace heddle::importers::test;
using testing::HasSubstr;

namespace {

class BsrTest : public ImportTest {
protected:
  /// A random map of blocks, as unsorted CSR with duplicates, with this many
  /// leading axes.
  struct Map {
    int64_t Batch = 1, Heads = 1, Rows = 0, Columns = 0;
    std::vector<std::vector<int32_t>> Live;
    std::vector<int64_t> Indptr;
    std::vector<int32_t> Indices;
    std::vector<int64_t> IndptrShape, IndicesShape;
  };

  Map makeMap(int LeadingAxes) {
    Map M;
    M.Batch = LeadingAxes > 1 ? draw(1, 2) : 1;
    M.Heads = LeadingAxes > 0 ? draw(1, 3) : 1;
    M.Rows = draw(1, 6);
    M.Columns = draw(1, 6);
    std::vector<std::vector<int32_t>> Groups;
    size_t Capacity = 0;
    for (int64_t G = 0; G < M.Batch * M.Heads; ++G) {
      Groups.emplace_back();
      M.Indptr.push_back(0);
      for (int64_t R = 0; R < M.Rows; ++R) {
        M.Live.emplace_back();
        for (int64_t I = draw(0, M.Columns); I > 0; --I) {
          M.Live.back().push_back(static_cast<int32_t>(draw(0, M.Columns - 1)));
          Groups.back().push_back(M.Live.back().back());
        }
        M.Indptr.push_back(static_cast<int64_t>(Groups.back().size()));
      }
      Capacity = std::max(Capacity, Groups.back().size());
    }
    for (std::vector<int32_t> &Group : Groups) {
      Group.resize(Capacity, -7); // what lies after the rows does not count
      M.Indices.insert(M.Indices.end(), Group.begin(), Group.end());
    }
    M.IndptrShape = {M.Rows + 1};
    M.IndicesShape = {static_cast<int64_t>(Capacity)};
    for (auto *Shape : {&M.IndptrShape, &M.IndicesShape}) {
      if (LeadingAxes > 0)
        Shape->insert(Shape->begin(), M.Heads);
      if (LeadingAxes > 1)
        Shape->insert(Shape->begin(), M.Batch);
    }
    return M;
  }

  /// One row with blocks 1 and 0, two blocks of keys.
  BsrOptions smallOptions() {
    BsrOptions Options;
    Options.BlockRows = Options.BlockCols = 4;
    Options.Indptr = writeI32("indptr.npy", {2}, {0, 2});
    Options.Indices = writeI32("indices.npy", {2}, {1, 0});
    return Options;
  }
  std::string failure(const BsrOptions &Options) {
    Import Out;
    return importBsr(Options, Out).value_or("");
  }
};

} // namespace

TEST_F(BsrTest, RandomMapsKeepTheirBlocks) {
  for (int I = 0; I < 40; ++I) {
    Map M = makeMap(I % 3);
    BsrOptions Options;
    Options.BlockRows = draw(1, 20);
    Options.BlockCols = draw(1, 20);
    Options.Causal = draw(0, 1) == 1;
    // The last blocks may be cut.
    Options.Queries =
        M.Rows * Options.BlockRows - draw(0, Options.BlockRows - 1);
    Options.Keys =
        M.Columns * Options.BlockCols - draw(0, Options.BlockCols - 1);
    Options.Indptr = writeI64("indptr.npy", M.IndptrShape, M.Indptr);
    Options.Indices = writeI32("indices.npy", M.IndicesShape, M.Indices);
    Import From;
    ASSERT_EQ(importBsr(Options, From), std::nullopt);
    Dense Want(M.Batch, M.Heads, Options.Queries, Options.Keys);
    Want.fill([&](int64_t B, int64_t H, int64_t Q, int64_t K) {
      const std::vector<int32_t> &Row = M.Live[static_cast<size_t>(
          (B * M.Heads + H) * M.Rows + Q / Options.BlockRows)];
      return (!Options.Causal || K <= Q) &&
             std::count(Row.begin(), Row.end(),
                        static_cast<int32_t>(K / Options.BlockCols)) > 0;
    });
    Dense Found = keptPairs(From, Want);
    ASSERT_EQ(difference(Found, Want), "") << "draw " << I;
  }
}

TEST_F(BsrTest, SizesThatAreNotGivenComeFromTheBlocks) {
  Import From;
  ASSERT_EQ(importBsr(smallOptions(), From), std::nullopt);
  EXPECT_EQ(From.Shape.Queries, 4);
  EXPECT_EQ(From.Shape.Keys, 8);
}

TEST_F(BsrTest, Errors) {
  BsrOptions Options = smallOptions();
  Options.Keys = 4;
  EXPECT_THAT(failure(Options),
              HasSubstr("indices.npy' has 1 at (0,), expected "
                        "a block of keys from 0 to 0"));
  Options = smallOptions();
  Options.Indptr = writeI32("indptr.npy", {2}, {0, 0});
  EXPECT_THAT(failure(Options), HasSubstr("has no live block"));
  Options.Indptr = writeI32("indptr.npy", {1}, {0});
  EXPECT_THAT(failure(Options), HasSubstr("has no row"));
  Options = smallOptions();
  Options.Queries = 5;
  EXPECT_THAT(failure(Options),
              HasSubstr("has 1 row, but 5 queries in blocks of 4 have 2"));
  Options = smallOptions();
  Options.Indptr = writeI32("indptr.npy", {2}, {0, 3});
  EXPECT_THAT(failure(Options), HasSubstr("has 0 at (0,) and 3 after it, "
                                          "expected ascending values from 0 to "
                                          "2"));
  Options.Indptr = writeI32("indptr.npy", {3}, {0, 2, 1});
  EXPECT_THAT(failure(Options), HasSubstr("has 2 at (1,) and 1 after it"));
  Options.Indptr = writeI32("indptr.npy", {1, 2}, {0, 2});
  EXPECT_THAT(failure(Options), HasSubstr("expected the same axes"));
  Options.Indptr = writeI32("indptr.npy", {0}, {});
  EXPECT_THAT(failure(Options),
              HasSubstr("has shape (0,), expected (rows + 1)"));
  Options = smallOptions();
  Options.Indices = writeI32("indices.npy", {2}, {1, -1});
  EXPECT_THAT(failure(Options), HasSubstr("has -1 at (1,)"));
}
