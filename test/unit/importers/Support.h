// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Imports are tested end to end: what an importer wrote is read back as
// `heddle run` reads it, and the pattern is asked about every pair through the
// interpreter, which knows nothing of importers.

#ifndef HEDDLE_TEST_UNIT_IMPORTERS_SUPPORT_H
#define HEDDLE_TEST_UNIT_IMPORTERS_SUPPORT_H

#include "frontends/importers/Import.h"
#include "runtime/npy/Npy.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <random>
#include <string>
#include <vector>

namespace heddle::importers::test {

/// A dense mask.
struct Dense {
  int64_t Batch = 1, Heads = 1, Queries = 0, Keys = 0;
  std::vector<uint8_t> Pairs;

  Dense(int64_t Batch, int64_t Heads, int64_t Queries, int64_t Keys)
      : Batch(Batch), Heads(Heads), Queries(Queries), Keys(Keys),
        Pairs(static_cast<size_t>(Batch * Heads * Queries * Keys)) {}
  uint8_t &at(int64_t B, int64_t H, int64_t Q, int64_t K) {
    return Pairs[static_cast<size_t>(((B * Heads + H) * Queries + Q) * Keys +
                                     K)];
  }
  /// Sets every pair to what `Keep(b, h, q, k)` says.
  template <typename Predicate> Dense &fill(Predicate Keep) {
    for (int64_t B = 0; B < Batch; ++B)
      for (int64_t H = 0; H < Heads; ++H)
        for (int64_t Q = 0; Q < Queries; ++Q)
          for (int64_t K = 0; K < Keys; ++K)
            at(B, H, Q, K) = Keep(B, H, Q, K);
    return *this;
  }
};

/// Files that vanish with the test, and what is written to them.
class ImportTest : public testing::Test {
protected:
  ImportTest();
  ~ImportTest() override;

  std::string path(const std::string &Name) const {
    return Folder + "/" + Name;
  }
  std::string writeText(const std::string &Name, const std::string &Text);
  std::string writeI32(const std::string &Name, std::vector<int64_t> Shape,
                       const std::vector<int32_t> &Values);
  std::string writeI64(const std::string &Name, std::vector<int64_t> Shape,
                       const std::vector<int64_t> &Values);
  std::string writeBool(const std::string &Name, std::vector<int64_t> Shape,
                        const std::vector<uint8_t> &Values);

  /// The pairs that the pattern keeps for as many sequences, heads, queries
  /// and keys as `Shape` has, asked of files written to a folder of their own.
  Dense keptPairs(const Import &From, const Dense &Shape);
  /// Names of the files in a folder, sorted.
  static std::vector<std::string> filesIn(const std::string &Folder);

  std::string Folder;
  std::mt19937 Random{20240701};
  /// In [Low, High].
  int64_t draw(int64_t Low, int64_t High) {
    return std::uniform_int_distribution<int64_t>(Low, High)(Random);
  }

private:
  int Written = 0;
};

/// The first pair where two masks differ, in words; empty where they agree.
std::string difference(Dense &Found, Dense &Expected);

} // namespace heddle::importers::test

#endif // HEDDLE_TEST_UNIT_IMPORTERS_SUPPORT_H
