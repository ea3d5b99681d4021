// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/importers/Support.h"

using namespace heddle;
using namespace heddle::importers;
using namespace heddle::importers::test;
using testing::HasSubstr;

namespace {

/// Two layers of four heads; head 3 of layer 0 is not named.
const char *const Config = R"([
  {"0": ["vertical_and_slash", 1000, 6096, 336],
   "1": ["stream_llm", 3, 5, 0.25],
   "2": ["block_sparse", 10, 1, 7]},
  {"3": ["stream_llm", 2, 4, 1], "1": ["stream_llm", 1, 1, 0],
   "0": ["vertical_and_slash", 8, 20, 0], "2": ["vertical_and_slash", 40, 60]}
])";

class MInferenceTest : public ImportTest {
protected:
  Import import(std::optional<int64_t> Layer = std::nullopt,
                const std::string &Text = Config) {
    Import Out;
    EXPECT_EQ(
        importMInference({writeText("config.json", Text), Layer, 4096}, Out),
        std::nullopt);
    return Out;
  }
  std::string failure(const std::string &Text,
                      std::optional<int64_t> Layer = std::nullopt) {
    Import Out;
    return importMInference({writeText("config.json", Text), Layer, 4096}, Out)
        .value_or("");
  }

  static constexpr int64_t Length = 140;

  /// Replaces the sets that a run would draw by these, and the layer by a
  /// number; what the pattern then keeps.
  Dense kept(Import From, std::optional<int64_t> Layer) {
    From.Settings.clear();
    const int64_t Blocks = (Length + 63) / 64;
    const std::vector<std::vector<int32_t>> Columns = {{2, 90}, {}, {7}, {11}},
                                            Diagonals = {{0, 30}, {}, {0}, {1}};
    std::vector<std::vector<int32_t>> Live;
    for (int64_t Row = 0; Row < 4 * Blocks; ++Row)
      Live.push_back({static_cast<int32_t>(Row % 2)});
    if (From.Text.find("%cols: !attn.set)") != std::string::npos ||
        From.Text.find("%cols: !attn.set,") != std::string::npos) {
      From.Operands.push_back(Operand::sets("cols", {1, 4}, Length, Columns));
      From.Operands.push_back(
          Operand::sets("diags", {1, 4}, Length, Diagonals));
    }
    if (From.Text.find("@block_sparse") != std::string::npos)
      From.Operands.push_back(
          Operand::sets("blocks", {1, 4, Blocks}, Blocks, Live));
    if (Layer)
      From.Settings.push_back("layer=" + std::to_string(*Layer));
    From.Shape.Queries = From.Shape.Keys = Length;
    return keptPairs(From, Dense(1, 4, Length, Length));
  }

  /// The same by hand, for the two layers of `Config`.
  static Dense expected(int64_t Layer) {
    return Dense(1, 4, Length, Length)
        .fill([&](int64_t, int64_t H, int64_t Q, int64_t K) {
          const int64_t D = Q - K;
          auto Stream = [&](int64_t Sink, int64_t Window) {
            return K < Sink || D < Window;
          };
          auto Cross = [&] {
            return H == 0   ? K == 2 || K == 90 || D == 0 || D == 30
                   : H == 2 ? K == 7 || D == 0
                            : K == 11 || D == 1;
          };
          if (D < 0)
            return false;
          if (Layer == 0)
            return H == 1   ? Stream(3, 5)
                   : H == 2 ? K / 64 == (2 * 3 + Q / 64) % 2
                            : Cross();
          return H == 1 ? Stream(1, 1) : H == 3 ? Stream(2, 4) : Cross();
        });
  }
};

} // namespace

TEST_F(MInferenceTest, OneLayer) {
  for (int64_t Layer : {0, 1}) {
    Dense Want = expected(Layer);
    Dense Found = kept(import(Layer), std::nullopt);
    EXPECT_EQ(difference(Found, Want), "") << "layer " << Layer;
  }
}

TEST_F(MInferenceTest, AllLayersWithTheLayerAsParameter) {
  for (int64_t Layer : {0, 1}) {
    Dense Want = expected(Layer);
    Dense Found = kept(import(), Layer);
    EXPECT_EQ(difference(Found, Want), "") << "layer " << Layer;
  }
}

TEST_F(MInferenceTest, TablesHoldKindsAndSizes) {
  Import All = import();
  ASSERT_EQ(All.Operands.size(), 3u);
  EXPECT_EQ(All.Operands[0].Name, "kind");
  EXPECT_THAT(All.Operands[0].Shape, testing::ElementsAre(2, 4));
  EXPECT_THAT(All.Operands[0].Values,
              testing::ElementsAre(1, 0, 2, 1, 1, 0, 1, 0));
  EXPECT_THAT(All.Operands[1].Values,
              testing::ElementsAre(0, 3, 0, 0, 0, 1, 0, 2));
  EXPECT_THAT(All.Operands[2].Values,
              testing::ElementsAre(0, 5, 0, 0, 0, 1, 0, 4));
  // Budgets are those that MInference would use: 30 and 50 at least.
  ASSERT_EQ(All.Beside.size(), 2u);
  EXPECT_THAT(All.Beside[0].Values,
              testing::ElementsAre(1000, 0, 0, 1000, 30, 0, 40, 0));
  EXPECT_THAT(All.Beside[1].Values,
              testing::ElementsAre(6096, 0, 0, 6096, 50, 0, 60, 0));
}

/// A single kind needs no table of kinds.
TEST_F(MInferenceTest, OneKind) {
  Import Cross =
      import(std::nullopt, R"([{"0": ["vertical_and_slash", 30, 800, 0]}])");
  EXPECT_TRUE(Cross.Operands.empty());
  EXPECT_EQ(Cross.NumPatterns, 2u);
  Import Stream =
      import(0, R"([{"0": ["stream_llm", 3, 5, 0], "1": ["stream_llm", 1, 1],
                     "2": ["stream_llm", 0, 1], "3": ["stream_llm", 200, 0]}])");
  const int64_t Sinks[] = {3, 1, 0, 200}, Windows[] = {5, 1, 1, 0};
  Dense Want(1, 4, Length, Length);
  Want.fill([&](int64_t, int64_t H, int64_t Q, int64_t K) {
    return K <= Q && (K < Sinks[H] || Q - K < Windows[H]);
  });
  Dense Found = kept(Stream, std::nullopt);
  EXPECT_EQ(difference(Found, Want), "");
}

TEST_F(MInferenceTest, Errors) {
  EXPECT_THAT(failure("[{\"0\": "), HasSubstr("config.json' is not JSON: "));
  EXPECT_THAT(failure("[{} {}]"), HasSubstr("]: expected , or ]"));
  EXPECT_THAT(failure(std::string(1000000, '[')),
              HasSubstr("it nests 1000000 lists and objects"));
  // Brackets in a text do not nest.
  EXPECT_THAT(failure("[{\"" + std::string(100, '[') + "\\\"[\": 0}]"),
              HasSubstr("is not a head's number"));
  EXPECT_THAT(failure("{}"), HasSubstr("expected a list with an object per "
                                       "layer"));
  EXPECT_THAT(failure("[]"), HasSubstr("expected a list"));
  EXPECT_THAT(failure("[{}]"), HasSubstr("names no head"));
  EXPECT_THAT(failure("[{}, 5]"), HasSubstr("layer 1 of"));
  EXPECT_THAT(failure(R"([{"x": ["stream_llm", 1, 2, 3]}])"),
              HasSubstr("head 'x' in layer 0"));
  EXPECT_THAT(failure(R"([{"0": ["stream_llm", 1]}])"),
              HasSubstr("is not [kind, vertical size, slash size, score]"));
  EXPECT_THAT(failure(R"([{"0": ["streaming", 1, 2, 3]}])"),
              HasSubstr("has kind 'streaming', expected one of stream_llm"));
  EXPECT_THAT(failure(R"([{"0": [7, 1, 2, 3]}])"), HasSubstr("has no kind"));
  EXPECT_THAT(failure(R"([{"0": ["stream_llm", -1, 2, 3]}])"),
              HasSubstr("has no vertical size"));
  EXPECT_THAT(failure(R"([{"0": ["stream_llm", 1, [0.9, 1], 3]}])"),
              HasSubstr("has no slash size"));
  EXPECT_THAT(failure(Config, 2), HasSubstr("expected a layer from 0 to 1, "
                                            "found 2"));
  Import Out;
  EXPECT_THAT(
      importMInference({path("absent.json"), {}, 4096}, Out).value_or(""),
      HasSubstr("cannot open"));
}
