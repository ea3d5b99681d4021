// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about token grids: neighborhoods (NATTEN), shifted windows (Swin),
// windows between grids of different resolution.

#include "test/exec/Statement.h"

#include <array>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// NATTEN's rule along one axis: of the tokens with the query's residue, those
/// from the query's window. A window reaches window / 2 to the left of its
/// leader and the rest to the right, and is then moved into the axis; a causal
/// one ends at the query.
bool isNear(int64_t Q, int64_t K, int64_t Length, int64_t Window,
            int64_t Dilation = 1, int64_t Stride = 1) {
  if (Q % Dilation != K % Dilation)
    return false;
  int64_t Tokens = 0;
  for (int64_t I = Q % Dilation; I < Length; I += Dilation)
    ++Tokens;
  const int64_t I = Q / Dilation, J = K / Dilation;
  const int64_t Leader = std::min(I / Stride * Stride + Stride / 2, Tokens - 1);
  const int64_t Left = Window / 2, Right = Window - Left - 1;
  int64_t Start = std::max<int64_t>(Leader - Left, 0);
  if (Leader + Right >= Tokens)
    Start = Tokens - Window;
  return Start <= J && J < Start + Window;
}

TEST(Natten, OneDimensionWithDilation) {
  for (int64_t Dilation : {1, 2, 3, 4, 7}) {
    const std::string D = std::to_string(Dilation);
    const Statement What =
        Statement::example("natten_1d")
            .with("%c4 = arith.constant 4", "%c4 = arith.constant " + D)
            .with("%c3 = arith.constant 3",
                  "%c3 = arith.constant " + std::to_string(Dilation - 1))
            .with("residue<0, 4>", "residue<0, " + D + ">")
            .with("%q, 4", "%q, " + D);
    for (int64_t N :
         {8 * Dilation, 8 * Dilation + 1, int64_t{100}, int64_t{333}})
      for (int64_t Window : {1, 4, 5, 8}) {
        const Inputs In(1, 2, 1, N, N, static_cast<uint64_t>(N));
        auto Kept = [&](const Pair &P) {
          return isNear(P.Q, P.K, N, Window, Dilation);
        };
        const Values Params = {{"window", Window}};
        EXPECT_TRUE(What.equals(In, Params, Kept))
            << "dilation " << D << ", window " << Window << ", length " << N;
        EXPECT_EQ(What.result(In, Params).KeptPairs, 2 * N * Window)
            << "every row keeps as many keys as the window has";
      }
    const Inputs Short(1, 1, 1, 8 * Dilation - 1, 8 * Dilation - 1);
    EXPECT_NE(What.refusal(Short, {{"window", 8}}).find("'window' times"),
              std::string::npos);
    EXPECT_NE(What.refusal(Short, {{"window", 0}}).find("not positive"),
              std::string::npos);
  }
}

struct Grid2 {
  int64_t H, W;
};

TEST(Natten, TwoDimensions) {
  const Statement What = Statement::example("natten_2d");
  for (const Grid2 &G : {Grid2{7, 9}, Grid2{19, 23}, Grid2{32, 16}})
    for (const Grid2 &Window :
         {Grid2{1, 1}, Grid2{7, 9}, Grid2{3, 5}, Grid2{4, 6}}) {
      const int64_t N = G.H * G.W;
      const Inputs In(2, 2, 1, N, N, static_cast<uint64_t>(N));
      const Values Params = {
          {"H", G.H}, {"W", G.W}, {"wy", Window.H}, {"wx", Window.W}};
      EXPECT_TRUE(
          What.equals(In, Params,
                      [&](const Pair &P) {
                        return isNear(P.Q / G.W, P.K / G.W, G.H, Window.H) &&
                               isNear(P.Q % G.W, P.K % G.W, G.W, Window.W);
                      }))
          << G.H << "x" << G.W << ", window " << Window.H << "x" << Window.W;
      EXPECT_EQ(What.result(In, Params).KeptPairs, 4 * N * Window.H * Window.W);
    }
}

/// Every axis has a dilation and a causal flag of its own: rows three apart,
/// and columns that are not after the query.
TEST(Natten, DilationAndCausalityPerAxis) {
  const Statement What(
      Statement::example("natten_2d")
              .with("attn.apply @natten_axis(%H", "attn.apply @dilated(%H")
              .with("attn.apply @natten_axis(%W", "attn.apply @causal(%W")
              .text() +
          R"(
attn.pattern @causal(%length: index, %window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
}
attn.pattern @dilated(%length: index, %window: index) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %d = arith.subi %q, %k : index
  %kin = attn.in %d, #attn.residue<0, 3>
  %phase = attn.mod %q, 3
  %rest = arith.subi %length, %phase : index
  %tokens = arith.ceildivsi %rest, %c3 : index
  %i = arith.floordivsi %q, %c3 : index
  %j = arith.floordivsi %k, %c3 : index
  %half = arith.floordivsi %window, %c2 : index
  %centred = arith.subi %i, %half : index
  %last = arith.subi %tokens, %window : index
  %before = arith.minsi %centred, %last : index
  %start = arith.maxsi %before, %c0 : index
  %step = arith.subi %j, %start : index
  %after = arith.cmpi sge, %step, %c0 : index
  %inside = arith.cmpi slt, %step, %window : index
  %near = arith.andi %after, %inside : i1
  %kept = arith.andi %kin, %near : i1
  attn.keep %kept
}
)",
      "natten_2d");
  for (const Grid2 &G : {Grid2{9, 8}, Grid2{20, 17}, Grid2{31, 24}}) {
    const Inputs In(2, 2, 1, G.H * G.W, G.H * G.W);
    EXPECT_TRUE(What.equals(In, {{"H", G.H}, {"W", G.W}, {"wy", 3}, {"wx", 5}},
                            [&](const Pair &P) {
                              const int64_t Back = P.Q % G.W - P.K % G.W;
                              return isNear(P.Q / G.W, P.K / G.W, G.H, 3, 3) &&
                                     Back >= 0 && Back < 5;
                            }))
        << G.H << "x" << G.W;
  }
}

TEST(Natten, ThreeDimensionsCausalInTime) {
  const Statement What = Statement::example("natten_3d");
  struct Grid3 {
    int64_t T, H, W;
  };
  for (const Grid3 &G : {Grid3{3, 5, 7}, Grid3{6, 8, 8}, Grid3{5, 9, 11}}) {
    const int64_t Plane = G.H * G.W, N = G.T * Plane;
    const Inputs In(1, 2, 2, N, N, static_cast<uint64_t>(N));
    EXPECT_TRUE(What.equals(
        In,
        {{"T", G.T}, {"H", G.H}, {"W", G.W}, {"wt", 2}, {"wy", 5}, {"wx", 3}},
        [&](const Pair &P) {
          const int64_t Back = P.Q / Plane - P.K / Plane;
          return Back >= 0 && Back < 2 &&
                 isNear(P.Q / G.W % G.H, P.K / G.W % G.H, G.H, 5) &&
                 isNear(P.Q % G.W, P.K % G.W, G.W, 3);
        }))
        << G.T << "x" << G.H << "x" << G.W;
  }
}

TEST(Natten, Strides) {
  const Statement Four = Statement::example("natten_strided");
  for (int64_t Stride : {1, 3, 4, 8}) {
    const std::string S = std::to_string(Stride);
    const Statement What =
        Four.with("%c4 = arith.constant 4", "%c4 = arith.constant " + S)
            .with("%first, %c2", "%first, %middle_of_group")
            .with("%c2 = arith.constant 2 : index",
                  "%c2 = arith.constant 2 : index\n  %middle_of_group = "
                  "arith.constant " +
                      std::to_string(Stride / 2) + " : index");
    constexpr int64_t H = 21, W = 18, N = H * W;
    const Inputs In(1, 1, 1, N, N);
    const Values Params = {{"H", H}, {"W", W}, {"wy", 8}, {"wx", 9}};
    EXPECT_TRUE(What.equals(In, Params,
                            [&](const Pair &P) {
                              return isNear(P.Q / W, P.K / W, H, 8, 1,
                                            Stride) &&
                                     isNear(P.Q % W, P.K % W, W, 9, 1, Stride);
                            }))
        << "stride " << S;
    EXPECT_EQ(What.result(In, Params).KeptPairs, N * 72);
  }
}

/// Twice the rows, twice the tiles.
TEST(Natten, WorkIsLinearInTokens) {
  const Statement What = Statement::example("natten_2d");
  int64_t Before = 0;
  for (int64_t H : {32, 64, 128}) {
    const Inputs In(1, 1, 1, H * 32, H * 32, 1, 4);
    const Outputs Found =
        What.result(In, {{"H", H}, {"W", 32}, {"wy", 7}, {"wx", 7}});
    if (Before > 0)
      EXPECT_LE(Found.liveTiles(), 2 * Before + Before / 4) << H;
    Before = Found.liveTiles();
  }
}

TEST(Natten, RefusesAWindowThatDoesNotFitItsAxis) {
  const Inputs In(1, 1, 1, 63, 63), Video(1, 1, 1, 126, 126);
  const Values Image = {{"H", 7}, {"W", 9}, {"wy", 7}, {"wx", 9}};
  Values Frames = Image;
  Frames.insert({{"T", 2}, {"wt", 2}});
  for (const char *Name : {"natten_2d", "natten_strided", "natten_3d"}) {
    const Statement What = Statement::example(Name);
    const bool IsVideo = std::string(Name) == "natten_3d";
    const Inputs &Of = IsVideo ? Video : In;
    const Values &Good = IsVideo ? Frames : Image;
    EXPECT_EQ(What.refusal(Of, Good), "") << "windows as large as their axes";
    for (const char *Window : {"wt", "wy", "wx"}) {
      if (!Good.count(Window))
        continue;
      Values Bad = Good;
      Bad.insert_or_assign(Window, Value(10));
      EXPECT_NE(What.refusal(Of, Bad).find("larger than"), std::string::npos)
          << Name << ", " << Window << ": " << What.refusal(Of, Bad);
      Bad.insert_or_assign(Window, Value(0));
      EXPECT_NE(What.refusal(Of, Bad).find("not positive"), std::string::npos)
          << Name << ", " << Window << ": " << What.refusal(Of, Bad);
    }
  }
}

/// The paper's way: roll the image by -shift, cut it into windows, forbid pairs
/// of different regions of the rolled image, add the bias of the offset inside
/// the window.
struct Rolled {
  int64_t Window, Region, Offset;
};
Rolled roll(int64_t At, int64_t Length, int64_t Shift) {
  const int64_t To = (At - Shift + Length) % Length;
  const int64_t Region =
      Shift == 0 || To < Length - 7 ? 0 : (To < Length - Shift ? 1 : 2);
  return {To / 7, Region, To % 7};
}

TEST(Swin, EqualsRollPartitionAttendUnroll) {
  const Statement What = Statement::example("swin");
  std::mt19937_64 Random(1);
  std::normal_distribution<float> Numbers;
  for (const Grid2 &G : {Grid2{7, 7}, Grid2{14, 21}, Grid2{28, 28}})
    for (int64_t Shift : {0, 1, 3, 6}) {
      const int64_t N = G.H * G.W;
      std::vector<float> Bias(2 * 13 * 13);
      for (float &X : Bias)
        X = Numbers(Random);
      auto Places = [&](int64_t I) {
        return std::array<Rolled, 2>{roll(I / G.W, G.H, Shift),
                                     roll(I % G.W, G.W, Shift)};
      };
      auto Meet = [&](const Pair &P) {
        const auto Q = Places(P.Q), K = Places(P.K);
        for (size_t Axis = 0; Axis < 2; ++Axis)
          if (Q[Axis].Window != K[Axis].Window ||
              Q[Axis].Region != K[Axis].Region)
            return false;
        return true;
      };
      auto AddBias = [&](double S, const Pair &P) {
        const auto Q = Places(P.Q), K = Places(P.K);
        return S + static_cast<double>(Bias[static_cast<size_t>(
                       (P.H * 13 + Q[0].Offset - K[0].Offset + 6) * 13 +
                       Q[1].Offset - K[1].Offset + 6)]);
      };
      const Inputs In(1, 2, 2, N, N, Random());
      Values Params = {{"H", G.H},
                       {"W", G.W},
                       {"bias", Value::table({2, 13, 13}, Bias)},
                       {"shift", Shift}};
      EXPECT_TRUE(What.equals(In, Params, Meet, AddBias))
          << G.H << "x" << G.W << ", shift " << Shift;
      if (Shift != 0)
        continue;
      EXPECT_TRUE(agree(What.result(In, Params),
                        attend(
                            In,
                            [&](const Pair &P) {
                              return P.Q / G.W / 7 == P.K / G.W / 7 &&
                                     P.Q % G.W / 7 == P.K % G.W / 7;
                            },
                            AddBias)))
          << "plain windows";
      Params.insert_or_assign("shift", Value(7));
      EXPECT_NE(What.refusal(In, Params).find("'shift' is not in [0, 7)"),
                std::string::npos);
    }
}

TEST(WindowedCross, EqualsItsMask) {
  const Statement What = Statement::example("windowed_cross");
  for (const Grid2 &Low : {Grid2{1, 1}, Grid2{6, 7}, Grid2{12, 10}})
    for (int64_t Radius : {0, 1, 3}) {
      const Grid2 High = {2 * Low.H, 2 * Low.W};
      const Inputs In(2, 2, 1, High.H * High.W, Low.H * Low.W);
      EXPECT_TRUE(What.equals(
          In,
          {{"H", High.H},
           {"W", High.W},
           {"Hk", Low.H},
           {"Wk", Low.W},
           {"radius", Radius}},
          [&](const Pair &P) {
            return std::abs(P.Q / High.W / 2 - P.K / Low.W) <= Radius &&
                   std::abs(P.Q % High.W / 2 - P.K % Low.W) <= Radius;
          }))
          << Low.H << "x" << Low.W << ", radius " << Radius;
    }
}

} // namespace
