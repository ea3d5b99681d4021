// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random formulas: every sentence that Sets.h promises, against the predicate
// itself, on every tile of a small problem.

#include "dialect/attn/HostSets.h"
#include "dialect/attn/Normalize.h"
#include "dialect/attn/reference/Predicate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "runtime/src/Operand.h"
#include "test/fuzz/RandomPattern.h"
#include "gtest/gtest.h"

using namespace heddle;
using namespace heddle::attn;

namespace {

/// The kept pairs of one head as prefix sums over a rectangle of queries
/// [FirstQuery, FirstQuery + Queries) and keys [0, Keys).
class DenseMap {
public:
  DenseMap(const Predicate &Pattern, PredicatePoint At, int64_t FirstQuery,
           int64_t Queries, int64_t Keys)
      : FirstQuery(FirstQuery), Keys(Keys),
        Sums(static_cast<size_t>((Queries + 1) * (Keys + 1)), 0) {
    Predicate::Scratch Scratch;
    std::vector<KeyRun> Runs;
    for (int64_t I = 0; I < Queries; ++I) {
      At.Q = FirstQuery + I;
      Runs.clear();
      llvm::cantFail(Pattern.keptRuns(At, Scratch, Runs));
      for (const KeyRun &Run : Runs)
        for (int64_t K = Run.Begin; K < Run.End; ++K)
          sum(I + 1, K + 1) = 1;
      for (int64_t K = 0; K < Keys; ++K)
        sum(I + 1, K + 1) += sum(I, K + 1) + sum(I + 1, K) - sum(I, K);
    }
  }

  int64_t count(int64_t Q, int64_t Queries, int64_t K, int64_t Width) {
    int64_t I = Q - FirstQuery, End = std::min(K + Width, Keys);
    if (K >= End)
      return 0;
    return sum(I + Queries, End) - sum(I, End) - sum(I + Queries, K) +
           sum(I, K);
  }

private:
  int64_t &sum(int64_t I, int64_t K) {
    return Sums[static_cast<size_t>(I * (Keys + 1) + K)];
  }
  int64_t FirstQuery, Keys;
  std::vector<int64_t> Sums;
};

/// How precise the answers were, over all patterns.
struct Precision {
  int64_t Tiles = 0, Empty = 0, Visited = 0, Full = 0, KnownFull = 0;
  int64_t Questions = 0, Refused = 0;
};

class AlgebraCheck {
public:
  AlgebraCheck(uint64_t Seed, fuzz::Flavour Kind, Precision &Total)
      : Random(Seed ^ 0x5eed), Kind(Kind), Total(Total) {
    Context.loadDialect<AttnDialect, mlir::arith::ArithDialect>();
    Pattern = fuzz::makeRandomPattern(Seed, Kind);
  }

  void run() {
    auto Module =
        mlir::parseSourceString<mlir::ModuleOp>(Pattern.Text, &Context);
    ASSERT_TRUE(Module);
    auto Op = *Module->getOps<PatternOp>().begin();
    mlir::ScopedDiagnosticHandler Quiet(&Context, [](mlir::Diagnostic &) {});
    auto Formula = normalize(Op);
    if (failed(Formula)) { // too many cases: refused, not wrong
      ++Total.Refused;
      return;
    }
    auto Dense = Predicate::compile(Op);
    ASSERT_TRUE(succeeded(Dense));

    int64_t NumKeys = fuzz::pick(Random, 0, 150);
    int64_t Origin =
        fuzz::pick(Random, Kind == fuzz::Flavour::Plain ? -20 : 0, 100);
    PredicatePoint At;
    At.B = fuzz::pick(Random, 0, 2);
    At.H = fuzz::pick(Random, 0, 5);
    At.NumKeys = NumKeys;
    std::vector<heddle_param> Params = Pattern.params();
    std::vector<heddle_value> Values = Pattern.values();
    auto Known = OperandList::read(Values.data(), Dense->params());
    ASSERT_TRUE(static_cast<bool>(Known)) << toString(Known.takeError());
    At.Params = *Known;
    runtime::OperandStore Prepared;
    auto Problem = Prepared.prepare(
        Params.data(), static_cast<int64_t>(Params.size()), Values.data(),
        /*Trusted=*/false);
    ASSERT_FALSE(Problem) << *Problem;
    int64_t Queries = 96;
    if (Kind == fuzz::Flavour::Grid)
      return checkGrid(*Dense, *Formula, At,
                       llvm::ArrayRef(Prepared.operands(), Params.size()),
                       gridOf(Op));
    DenseMap Map(*Dense, At, Origin, Queries, NumKeys);
    HostPattern Host(*Formula, Grid(), NumKeys,
                     llvm::ArrayRef(Prepared.operands(), Params.size()));

    for (int Repeat = 0; Repeat < 5; ++Repeat)
      checkBits(Host, Map, At, Origin + fuzz::pick(Random, 0, Queries - 1));
    for (int Repeat = 0; Repeat < 4; ++Repeat) {
      if (testing::Test::HasFatalFailure())
        return;
      int64_t Width = fuzz::pick(Random, 1, 40);
      int64_t Rows = fuzz::pick(Random, 1, 48);
      checkRow(Host, Map, At, Origin + fuzz::pick(Random, 0, Queries - Rows),
               Rows, Width);
    }
  }

  std::string describe() const { return Pattern.describe(); }

private:
  /// Membership of single pairs, one by one and by 64.
  static void checkBits(const HostPattern &Host, DenseMap &Map,
                        const PredicatePoint &At, int64_t Q) {
    for (int64_t K0 = 0; K0 < Host.getNumKeys(); K0 += 64) {
      uint64_t Bits = Host.bits(At.B, At.H, Q, K0);
      for (int64_t J = 0; J < 64; ++J) {
        bool Kept = Map.count(Q, 1, K0 + J, 1) != 0;
        ASSERT_EQ(Bits >> J & 1, uint64_t(Kept))
            << "q " << Q << " k " << K0 + J;
        if (J % 7 == 0)
          ASSERT_EQ(Host.contains(At.B, At.H, Q, K0 + J), Kept)
              << "q " << Q << " k " << K0 + J;
      }
    }
  }

  /// Walks one query tile along the keys as a kernel does, and asks at every
  /// tile besides.
  void checkRow(const HostPattern &Host, DenseMap &Map,
                const PredicatePoint &At, int64_t Q, int64_t Rows,
                int64_t Width) {
    int64_t NumKeys = Host.getNumKeys(), Walked = 0;
    for (int64_t K = 0; K < NumKeys; K += Width) {
      auto Answer = Host.at(At.B, At.H, Q, Rows, K, Width);
      int64_t Kept = Map.count(Q, Rows, K, Width);
      bool IsFull = Kept == Rows * Width;
      ++Total.Tiles;
      Total.Empty += Kept == 0;
      Total.Visited += Answer.status != TileStatus::Empty;
      Total.Full += IsFull;
      Total.KnownFull += Answer.status == TileStatus::Full;
      ASSERT_GT(Answer.until, K);
      if (Answer.until < NumKeys)
        ASSERT_EQ(Answer.until % Width, 0);
      // The answer is right here and on every tile before `until`.
      for (int64_t Later = K; Later < std::min(Answer.until, NumKeys);
           Later += Width) {
        int64_t There = Map.count(Q, Rows, Later, Width);
        if (Answer.status == TileStatus::Empty)
          ASSERT_EQ(There, 0) << where(Q, Rows, K, Width) << " later " << Later;
        if (Answer.status == TileStatus::Full)
          ASSERT_EQ(There, Rows * Width)
              << where(Q, Rows, K, Width) << " later " << Later;
      }
    }
    for (int64_t K = 0; K < NumKeys;) {
      auto Answer = Host.at(At.B, At.H, Q, Rows, K, Width);
      ++Total.Questions;
      int64_t End = std::min(Answer.until, NumKeys);
      if (Answer.status != TileStatus::Empty)
        Walked += Map.count(Q, Rows, K, End - K);
      K = Answer.until;
    }
    ASSERT_EQ(Walked, Map.count(Q, Rows, 0, NumKeys)) << "kept pairs were lost";
  }

  using Coordinates = llvm::SmallVector<int64_t, 3>;

  /// Calls the function for the boxes that cover the extents.
  template <typename Function>
  static void forEachBox(llvm::ArrayRef<int64_t> Extents,
                         llvm::ArrayRef<int64_t> Sizes, Function Visit) {
    int64_t Count = 1;
    for (auto [Extent, Size] : llvm::zip(Extents, Sizes))
      Count *= (Extent + Size - 1) / Size;
    for (int64_t Number = 0; Number < Count; ++Number) {
      Coordinates At(Extents.size());
      int64_t Rest = Number;
      for (size_t Axis = Extents.size(); Axis-- > 0;) {
        int64_t Boxes = (Extents[Axis] + Sizes[Axis] - 1) / Sizes[Axis];
        At[Axis] = Rest % Boxes * Sizes[Axis];
        Rest /= Boxes;
      }
      Visit(At);
    }
  }

  /// Walks boxes of queries along boxes of keys, row by row of the grid.
  void checkGrid(const Predicate &Dense, FormulaAttr Formula, PredicatePoint At,
                 llvm::ArrayRef<heddle_operand> Operands, const Grid &Tokens) {
    llvm::ArrayRef<int64_t> Extents = Pattern.Extents;
    int64_t Size = 1;
    for (int64_t Extent : Extents)
      Size *= Extent;
    At.NumKeys = Size;
    HostPattern Host(Formula, Tokens, Size, Operands);
    std::vector<bool> Kept(static_cast<size_t>(Size * Size), false);
    Predicate::Scratch Scratch;
    for (At.Q = 0; At.Q < Size; ++At.Q) {
      std::vector<KeyRun> Runs;
      llvm::cantFail(Dense.keptRuns(At, Scratch, Runs));
      for (const KeyRun &Run : Runs)
        for (int64_t K = Run.Begin; K < Run.End; ++K)
          Kept[static_cast<size_t>(At.Q * Size + K)] = true;
      for (int64_t K = At.Q % 3; K < Size; K += 3)
        ASSERT_EQ(Host.contains(At.B, At.H, At.Q, K),
                  Kept[static_cast<size_t>(At.Q * Size + K)])
            << "q " << At.Q << " k " << K;
    }
    for (int Repeat = 0; Repeat < 2; ++Repeat) {
      Coordinates Queries, Keys;
      for (size_t Axis = 0; Axis < Extents.size(); ++Axis) {
        Queries.push_back(fuzz::pick(Random, 1, 6));
        Keys.push_back(fuzz::pick(Random, 1, 6));
      }
      // Tokens of a box that exist, as numbers.
      auto TokensOf = [&](llvm::ArrayRef<int64_t> From,
                          llvm::ArrayRef<int64_t> Sizes) {
        std::vector<int64_t> Result = {0};
        for (size_t Axis = 0; Axis < Extents.size(); ++Axis) {
          std::vector<int64_t> Longer;
          for (int64_t Token : Result)
            for (int64_t X = From[Axis];
                 X < std::min(From[Axis] + Sizes[Axis], Extents[Axis]); ++X)
              Longer.push_back(Token * Extents[Axis] + X);
          Result = std::move(Longer);
        }
        return Result;
      };
      forEachBox(Extents, Queries, [&](const Coordinates &Q) {
        std::vector<int64_t> Rows = TokensOf(Q, Queries);
        int64_t Until = 0;
        TileStatus Promised = TileStatus::Partial;
        forEachBox(Extents, Keys, [&](const Coordinates &K) {
          std::vector<int64_t> Columns = TokensOf(K, Keys);
          int64_t Count = 0;
          for (int64_t Row : Rows)
            for (int64_t Column : Columns)
              Count += Kept[static_cast<size_t>(Row * Size + Column)];
          auto Answer = Host.at(At.B, At.H, Q, Queries, K, Keys);
          ++Total.Tiles;
          Total.Empty += Count == 0;
          Total.Visited += Answer.status != TileStatus::Empty;
          // A promise holds along the innermost axis.
          if (K.back() == 0 || K.back() >= Until) {
            Promised = Answer.status;
            Until = Answer.until;
          }
          int64_t All = static_cast<int64_t>(Rows.size() * Columns.size());
          for (TileStatus Status : {Answer.status, Promised}) {
            if (Status == TileStatus::Empty)
              ASSERT_EQ(Count, 0) << "called empty";
            if (Status == TileStatus::Full)
              ASSERT_EQ(Count, All) << "called full";
          }
        });
      });
    }
  }

  static std::string where(int64_t Q, int64_t Rows, int64_t K, int64_t Width) {
    return "tile of " + std::to_string(Rows) + " queries from " +
           std::to_string(Q) + ", " + std::to_string(Width) + " keys from " +
           std::to_string(K);
  }

  mlir::MLIRContext Context{mlir::MLIRContext::Threading::DISABLED};
  std::mt19937_64 Random;
  fuzz::Flavour Kind;
  fuzz::RandomPattern Pattern;
  Precision &Total;
};

/// Checks random patterns and returns how precise the answers were.
Precision checkPatterns(uint64_t Runs, fuzz::Flavour Kind) {
  Precision Total;
  for (uint64_t Seed = 1; Seed <= Runs; ++Seed) {
    AlgebraCheck Check(Seed, Kind, Total);
    Check.run();
    if (testing::Test::HasFatalFailure()) {
      ADD_FAILURE() << "seed " << Seed << ":\n" << Check.describe();
      break;
    }
  }
  EXPECT_LT(double(Total.Refused), 0.03 * double(Runs));
  const std::pair<const char *, int64_t> Numbers[] = {
      {"refused", Total.Refused},    {"tiles", Total.Tiles},
      {"empty", Total.Empty},        {"visited", Total.Visited},
      {"full", Total.Full},          {"known_full", Total.KnownFull},
      {"questions", Total.Questions}};
  for (auto [Name, Number] : Numbers)
    testing::Test::RecordProperty(Name, static_cast<int>(Number));
  return Total;
}

// Precision is a promise too: a change that makes patterns dense must fail. Of
// the empty tiles few are visited, of the full ones few are masked.

TEST(AlgebraFuzz, AnswersAreSound) {
  Precision Total = checkPatterns(fuzz::numRuns(6000), fuzz::Flavour::Plain);
  EXPECT_LT(double(Total.Visited - (Total.Tiles - Total.Empty)),
            0.06 * double(Total.Tiles));
  EXPECT_GT(double(Total.KnownFull), 0.85 * double(Total.Full));
}

TEST(AlgebraFuzz, AnswersAreSoundWithTablesAndSets) {
  Precision Total = checkPatterns(fuzz::numRuns(3000), fuzz::Flavour::Tables);
  EXPECT_LT(double(Total.Visited - (Total.Tiles - Total.Empty)),
            0.12 * double(Total.Tiles));
  EXPECT_GT(double(Total.KnownFull), 0.75 * double(Total.Full));
}

TEST(AlgebraFuzz, AnswersAreSoundOnGrids) {
  Precision Total = checkPatterns(fuzz::numRuns(1500), fuzz::Flavour::Grid);
  EXPECT_LT(double(Total.Visited - (Total.Tiles - Total.Empty)),
            0.1 * double(Total.Tiles));
}

} // namespace
