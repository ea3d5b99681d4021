// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Normalize.h"
#include "frontends/heddle/ShowGrid.h"
#include "frontends/heddle/ShowRender.h"
#include "test/unit/reference/Patterns.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "gmock/gmock.h"

using namespace heddle;
using namespace heddle::attn;
using namespace heddle::attn::test;

namespace {

struct Example {
  const char *Name;
  const char *Params;
  const char *Body;
  std::vector<int64_t> Values;
};

const Example Examples[] = {
    {"dense", "", "%t = arith.constant true\nattn.keep %t", {}},
    {"nothing", "", "%t = arith.constant false\nattn.keep %t", {}},
    {"causal",
     "",
     R"(
      %d = arith.subi %q, %k : index
      %r = attn.in %d, #attn.interval<0, inf>
      attn.keep %r)",
     {}},
    {"a_shape",
     "(%sink: index, %window: index)",
     R"(
      %d = arith.subi %q, %k : index
      %past = attn.in %d, #attn.interval<0, inf>
      %first = arith.cmpi slt, %k, %sink : index
      %near = arith.cmpi slt, %d, %window : index
      %either = arith.ori %first, %near : i1
      %r = arith.andi %past, %either : i1
      attn.keep %r)",
     {5, 37}},
    {"power",
     "(%window: index)",
     R"(
      %d = arith.subi %q, %k : index
      %power = attn.in %d, #attn.pow2
      %past = attn.in %d, #attn.interval<0, inf>
      %near = arith.cmpi slt, %d, %window : index
      %local = arith.andi %past, %near : i1
      %r = arith.ori %power, %local : i1
      attn.keep %r)",
     {11}},
    {"dilated",
     "(%window: index)",
     R"(
      %d = arith.subi %q, %k : index
      %hit = attn.in %d, #attn.residue<1, 3>
      %past = attn.in %d, #attn.interval<0, inf>
      %near = arith.cmpi slt, %d, %window : index
      %local = arith.andi %past, %near : i1
      %r = arith.andi %hit, %local : i1
      attn.keep %r)",
     {90}},
    {"blocks of the head",
     "",
     R"(
      %c16 = arith.constant 16 : index
      %qb = arith.floordivsi %q, %c16 : index
      %kb = arith.floordivsi %k, %c16 : index
      %x = arith.addi %kb, %h : index
      %s = arith.addi %x, %b : index
      %hit = attn.in %s, #attn.residue<0, 3>
      %same = arith.cmpi eq, %qb, %kb : index
      %r = arith.ori %hit, %same : i1
      attn.keep %r)",
     {}},
    {"last keys",
     "",
     R"(
      %n = attn.num_keys
      %c40 = arith.constant 40 : index
      %from = arith.subi %n, %c40 : index
      %r = arith.cmpi sge, %k, %from : index
      attn.keep %r)",
     {}},
};

class ShowTest : public testing::Test, protected Patterns {
protected:
  ShowResult show(const Example &E, const ShowOptions &Options) {
    PatternOp Pattern = pattern(E.Params, E.Body);
    EXPECT_TRUE(Pattern) << E.Name;
    mlir::FailureOr<FormulaAttr> Formula = normalize(Pattern);
    EXPECT_TRUE(mlir::succeeded(Formula)) << E.Name;
    ShowOptions Full = Options;
    for (int64_t Value : E.Values) {
      Full.Params.emplace_back();
      Full.Params.back().integer = Value;
    }
    llvm::Expected<ShowResult> Result = analyse(Pattern, *Formula, Full);
    if (Result)
      return std::move(*Result);
    ADD_FAILURE() << llvm::toString(Result.takeError());
    return {};
  }

  static ShowOptions options(int64_t Queries, int64_t Keys, int64_t Tq = 64,
                             int64_t Tk = 64, int64_t Origin = 0) {
    ShowOptions Out;
    Out.Queries = Queries;
    Out.Keys = Keys;
    Out.QueryTile = {Tq};
    Out.KeyTile = {Tk};
    Out.Origin = Origin;
    Out.H = 1;
    Out.B = 1;
    return Out;
  }

  static std::string text(const ShowResult &Result, const TextStyle &Style) {
    std::string Out;
    llvm::raw_string_ostream Stream(Out);
    printShowText(Result, Stream, Style);
    return Out;
  }

  static std::string svg(const ShowResult &Result) {
    std::string Out;
    llvm::raw_string_ostream Stream(Out);
    printShowSvg(Result, Stream);
    return Out;
  }

  /// Everything against a matrix made by the reference predicate.
  void checkAgainstBruteForce(const Example &E, const ShowOptions &O) {
    SCOPED_TRACE(testing::Message()
                 << E.Name << ' ' << O.Queries << 'x' << O.Keys << " tiles "
                 << O.QueryTile[0] << 'x' << O.KeyTile[0] << " origin "
                 << O.Origin);
    ShowResult Result = show(E, O);
    Predicate P = compile(E.Params, E.Body);
    std::vector<std::vector<bool>> Kept(
        static_cast<size_t>(O.Queries),
        std::vector<bool>(static_cast<size_t>(O.Keys)));
    int64_t Pairs = 0;
    int64_t Min = 0, MinRow = 0, Max = 0, MaxRow = 0, Empty = 0;
    Predicate::Scratch Registers;
    for (int64_t I = 0; I < O.Queries; ++I) {
      PredicatePoint At;
      At.B = O.B;
      At.H = O.H;
      At.Q = I + O.Origin;
      At.NumKeys = O.Keys;
      At.Params = E.Values;
      std::vector<KeyRun> Runs;
      ASSERT_FALSE(P.keptRuns(At, Registers, Runs));
      int64_t InRow = 0;
      for (KeyRun Run : Runs) {
        InRow += Run.size();
        for (int64_t J = Run.Begin; J < Run.End; ++J)
          Kept[static_cast<size_t>(I)][static_cast<size_t>(J)] = true;
      }
      Pairs += InRow;
      Empty += static_cast<int64_t>(InRow == 0);
      if (I == 0 || InRow < Min) {
        Min = InRow;
        MinRow = I;
      }
      if (I == 0 || InRow > Max) {
        Max = InRow;
        MaxRow = I;
      }
    }
    EXPECT_EQ(Result.KeptPairs, Pairs);
    EXPECT_EQ(Result.Rows.Min, Min);
    EXPECT_EQ(Result.Rows.MinRow, MinRow);
    EXPECT_EQ(Result.Rows.Max, Max);
    EXPECT_EQ(Result.Rows.MaxRow, MaxRow);
    EXPECT_EQ(Result.Rows.Empty, Empty);
    EXPECT_EQ(Result.Full + Result.Partial + Result.Empty, Result.tiles());
    checkTiles(Result, Kept);
  }

  /// Empty tiles hold no pair and full ones all, by the pairs themselves.
  void checkTiles(const ShowResult &Result,
                  const std::vector<std::vector<bool>> &Kept) {
    const ShowOptions &O = Result.Options;
    int64_t Counts[3] = {};
    ASSERT_EQ(static_cast<int64_t>(Result.Tiles.size()), Result.QueryTiles);
    for (int64_t Qt = 0; Qt < Result.QueryTiles; ++Qt) {
      std::vector<TileStatus> Row(static_cast<size_t>(Result.KeyTiles),
                                  TileStatus::Empty);
      int64_t End = 0;
      for (const TileRun &Run : Result.Tiles[static_cast<size_t>(Qt)]) {
        ASSERT_GT(Run.Count, 0);
        ASSERT_GE(Run.First, End);
        End = Run.First + Run.Count;
        ASSERT_LE(End, Result.KeyTiles);
        std::fill_n(Row.begin() + Run.First, Run.Count, Run.Status);
      }
      for (int64_t Kt = 0; Kt < Result.KeyTiles; ++Kt) {
        int64_t Inside = 0, Rows = 0;
        for (int64_t I = Qt * O.QueryTile[0];
             I < std::min((Qt + 1) * O.QueryTile[0], O.Queries); ++I, ++Rows)
          for (int64_t J = Kt * O.KeyTile[0];
               J < std::min((Kt + 1) * O.KeyTile[0], O.Keys); ++J)
            Inside += static_cast<int64_t>(
                Kept[static_cast<size_t>(I)][static_cast<size_t>(J)]);
        TileStatus Status = Row[static_cast<size_t>(Kt)];
        ++Counts[static_cast<int>(Status)];
        if (Status == TileStatus::Empty)
          ASSERT_EQ(Inside, 0) << Qt << ' ' << Kt;
        if (Status == TileStatus::Full)
          ASSERT_EQ(Inside, Rows * O.KeyTile[0]) << Qt << ' ' << Kt;
      }
    }
    EXPECT_EQ(Counts[0], Result.Empty);
    EXPECT_EQ(Counts[1], Result.Partial);
    EXPECT_EQ(Counts[2], Result.Full);
  }
};

TEST_F(ShowTest, CountsAgreeWithBruteForce) {
  for (const Example &E : Examples)
    for (auto [Queries, Keys] :
         {std::pair(0, 5), {5, 0}, {1, 1}, {65, 63}, {200, 333}, {500, 64}})
      for (int64_t Origin : {0, 7, 100})
        for (auto [Tq, Tk] : {std::pair(64, 64), {48, 100}, {7, 5}})
          checkAgainstBruteForce(E, options(Queries, Keys, Tq, Tk, Origin));
}

TEST_F(ShowTest, ThreadsDoNotChangeTheResult) {
  for (const Example &E : Examples) {
    ShowOptions O = options(500, 500, 16, 16);
    O.Threads = 1;
    ShowResult One = show(E, O);
    O.Threads = 4;
    ShowResult Four = show(E, O);
    EXPECT_EQ(One.Tiles, Four.Tiles) << E.Name;
    EXPECT_EQ(One.KeptPairs, Four.KeptPairs);
    EXPECT_EQ(One.Rows.MinRow, Four.Rows.MinRow);
    EXPECT_EQ(One.Rows.MaxRow, Four.Rows.MaxRow);
    EXPECT_EQ(One.Rows.Empty, Four.Rows.Empty);
  }
}

TEST_F(ShowTest, LongSequencesCostWhatTheyKeep) {
  // 2^34 pairs; a matrix of them would take minutes and 16 GiB.
  const int64_t N = 131072;
  ShowResult Result = show(Examples[3], options(N, N));
  // Row i keeps min(i + 1, 37) keys of the window and the sinks before it.
  int64_t Pairs = 0;
  for (int64_t I = 0; I < N; ++I)
    Pairs +=
        std::min<int64_t>(I + 1, 37) + std::clamp<int64_t>(I + 1 - 37, 0, 5);
  EXPECT_EQ(Result.KeptPairs, Pairs);
  EXPECT_LT(svg(Result).size(), 200000U);
}

TEST_F(ShowTest, KnowsWhatHeadsAndSequencesShare) {
  EXPECT_FALSE(show(Examples[2], options(9, 9)).UsesHead);
  ShowResult Result = show(Examples[6], options(9, 9));
  EXPECT_TRUE(Result.UsesHead);
  EXPECT_TRUE(Result.UsesBatch);
}

TEST_F(ShowTest, BadOptionsAreErrors) {
  PatternOp Pattern = pattern(Examples[3].Params, Examples[3].Body);
  FormulaAttr Formula = *normalize(Pattern);
  auto Failure = [&](auto Change) {
    ShowOptions O = options(10, 10);
    O.Params.resize(2);
    O.Params[0].integer = 1;
    O.Params[1].integer = 2;
    Change(O);
    llvm::Expected<ShowResult> R = analyse(Pattern, Formula, O);
    return R ? std::string() : llvm::toString(R.takeError());
  };
  using testing::HasSubstr;
  EXPECT_EQ(Failure([](ShowOptions &) {}), "");
  EXPECT_THAT(Failure([](ShowOptions &O) { O.Queries = -1; }),
              HasSubstr("number of queries from 0"));
  EXPECT_THAT(Failure([](ShowOptions &O) { O.KeyTile[0] = 0; }),
              HasSubstr("tile extent from 1"));
  EXPECT_THAT(Failure([](ShowOptions &O) { O.H = -3; }), HasSubstr("found -3"));
  EXPECT_THAT(Failure([](ShowOptions &O) { O.Params.resize(1); }),
              HasSubstr("2 parameters, found 1"));
  EXPECT_THAT(
      Failure([](ShowOptions &O) { O.Params[1].integer = int64_t(1) << 40; }),
      HasSubstr("parameter 'window'"));
  EXPECT_THAT(Failure([](ShowOptions &O) {
                O.Queries = int64_t(1) << 31;
                O.QueryTile[0] = 1;
              }),
              HasSubstr("choose a taller tile"));
}

TEST_F(ShowTest, AsciiPicture) {
  std::string Text = text(show(Examples[2], options(256, 256)), {});
  EXPECT_THAT(Text, testing::HasSubstr("    0 ++......\n"));
  EXPECT_THAT(Text, testing::HasSubstr("   64 ##++....\n"));
  EXPECT_THAT(Text, testing::HasSubstr("  192 ######++\n"));
  EXPECT_THAT(Text, testing::HasSubstr("6 full, 4 partial, 6 empty"));
  EXPECT_THAT(Text, testing::HasSubstr("32,896 of 65,536"));
  EXPECT_THAT(
      Text, testing::HasSubstr("min 1 (row 0), max 256 (row 255), mean 128.5"));
  EXPECT_TRUE(llvm::all_of(Text, [](char C) { return C >= 0; }));
  EXPECT_EQ(Text.find('\033'), std::string::npos);
}

TEST_F(ShowTest, UnicodeAndColour) {
  TextStyle Style;
  Style.Unicode = true;
  std::string Text = text(show(Examples[2], options(256, 256)), Style);
  EXPECT_THAT(Text, testing::HasSubstr("   64 ██▒▒····\n"));
  Style.Colour = true;
  Text = text(show(Examples[2], options(256, 256)), Style);
  EXPECT_THAT(Text,
              testing::HasSubstr("\033[34m██\033[33m▒▒\033[90m····\033[0m"));
}

TEST_F(ShowTest, WideMapsFit) {
  for (unsigned Width : {40U, 80U, 200U})
    for (auto [Queries, Keys] :
         {std::pair(100000, 100000), {1, 100000}, {100000, 1}, {64, 9000}}) {
      TextStyle Style;
      Style.Width = Width;
      std::string Text = text(show(Examples[3], options(Queries, Keys)), Style);
      llvm::SmallVector<llvm::StringRef> Lines;
      // The picture; the counts below are prose.
      llvm::StringRef(Text).split("\n\n").second.split("\n\n").first.split(
          Lines, '\n');
      EXPECT_LE(Lines.size(), 50U);
      for (llvm::StringRef Line : Lines)
        EXPECT_LE(Line.size(), Width) << Line.str();
    }
}

TEST_F(ShowTest, ReducedCellsKeepTheStrongestMeaning) {
  // Single diagonals in a map of 782 x 782 tiles: every cell row must show one.
  ShowResult Result = show(Examples[4], options(50000, 50000));
  ShowGrid Grid(Result, 30, 60);
  EXPECT_TRUE(Grid.isReduced());
  for (int64_t Row = 0; Row < Grid.rows(); ++Row)
    for (int64_t Col = 0; Col < Grid.cols(); ++Col) {
      int64_t Live = 0, Full = 0, Tiles = 0;
      for (int64_t Qt = Grid.firstQueryTile(Row);
           Qt < Grid.firstQueryTile(Row + 1); ++Qt)
        for (int64_t Kt = Grid.firstKeyTile(Col);
             Kt < Grid.firstKeyTile(Col + 1); ++Kt) {
          ++Tiles;
          for (const TileRun &Run : Result.Tiles[static_cast<size_t>(Qt)])
            if (Kt >= Run.First && Kt < Run.First + Run.Count) {
              ++Live;
              Full += static_cast<int64_t>(Run.Status == TileStatus::Full);
            }
        }
      CellLevel Level = Grid.level(Row, Col);
      ASSERT_EQ(Level == CellLevel::Empty, Live == 0);
      ASSERT_EQ(Level == CellLevel::Full, Full == Tiles);
      ASSERT_EQ(Level >= CellLevel::Live, Live == Tiles);
      ASSERT_EQ(Level >= CellLevel::Half, 2 * Live >= Tiles);
    }
}

TEST_F(ShowTest, EmptyProblems) {
  EXPECT_THAT(text(show(Examples[0], options(0, 7)), {}),
              testing::HasSubstr("nothing to draw: 0 queries, 7 keys"));
  EXPECT_THAT(text(show(Examples[0], options(3, 0)), {}),
              testing::HasSubstr("empty rows    3, the first is row 0"));
}

TEST_F(ShowTest, Json) {
  std::string Text;
  llvm::raw_string_ostream Stream(Text);
  printShowJson(show(Examples[3], options(256, 256)), Stream);
  llvm::json::Value Json = llvm::cantFail(llvm::json::parse(Text));
  const llvm::json::Object &Object = *Json.getAsObject();
  EXPECT_EQ(Object.getString("pattern"), "p");
  EXPECT_EQ(Object.getObject("params")->getInteger("window"), 37);
  const llvm::json::Object &Tiles = *Object.getObject("tiles");
  EXPECT_EQ(Tiles.getInteger("full").value() +
                Tiles.getInteger("partial").value() +
                Tiles.getInteger("empty").value(),
            16);
  const llvm::json::Array &Runs = *Tiles.getArray("runs");
  ASSERT_EQ(Runs.size(), 4U);
  EXPECT_EQ(Runs[3], llvm::cantFail(llvm::json::parse(
                         R"([[0, 1, "partial"], [2, 2, "partial"]])")));
}

/// Checks that tags nest and every attribute is quoted; returns the number of
/// elements, or -1.
int64_t countElements(llvm::StringRef Text) {
  std::vector<std::string> Open;
  int64_t Count = 0;
  while (true) {
    auto [Before, Rest] = Text.split('<');
    if (Before.contains('>'))
      return -1;
    if (Before.contains('&') && !Before.contains(';'))
      return -1;
    if (Rest.empty())
      return Open.empty() ? Count : -1;
    auto [Tag, After] = Rest.split('>');
    Text = After;
    if (Tag.consume_front("/")) {
      if (Open.empty() || Open.back() != Tag)
        return -1;
      Open.pop_back();
      continue;
    }
    ++Count;
    if (Tag.count('"') % 2 != 0 || Tag.count('=') != Tag.count('"') / 2)
      return -1;
    if (!Tag.consume_back("/"))
      Open.push_back(Tag.split(' ').first.str());
  }
}

TEST_F(ShowTest, SvgIsWellFormed) {
  for (const Example &E : Examples)
    for (int64_t N : {0, 1, 100, 3000}) {
      std::string Text = svg(show(E, options(N, N + 5)));
      EXPECT_GT(countElements(Text), 8) << Text;
      EXPECT_TRUE(llvm::StringRef(Text).starts_with(
          "<svg xmlns=\"http://www.w3.org/2000/svg\""));
    }
  EXPECT_GT(countElements(svg(show(Examples[4], options(40000, 30000)))), 8);
  EXPECT_EQ(countElements("<a><b/></a>"), 2);
  EXPECT_EQ(countElements("<a><b></a></b>"), -1);
  EXPECT_EQ(countElements("<a x=1/>"), -1);
}

TEST_F(ShowTest, SvgCoversEveryTileOnce) {
  ShowResult Result = show(Examples[4], options(640, 640, 64, 64));
  std::string Text = svg(Result);
  // Areas of the paths, in cells of 24 x 24 pixels.
  auto Area = [&](llvm::StringRef Class) {
    llvm::StringRef Path =
        llvm::StringRef(Text)
            .split(("<path class=\"" + Class + "\" d=\"").str())
            .second.split('"')
            .first;
    int64_t Sum = 0;
    llvm::SmallVector<llvm::StringRef> Boxes;
    Path.split(Boxes, 'z', -1, /*KeepEmpty=*/false);
    for (llvm::StringRef Box : Boxes) {
      int64_t Width = 0, Height = 0;
      auto [Horizontal, Vertical] = Box.split('h').second.split('v');
      EXPECT_FALSE(Horizontal.getAsInteger(10, Width));
      EXPECT_FALSE(Vertical.split('h').first.getAsInteger(10, Height));
      Sum += Width * Height;
    }
    return Sum / (24 * 24);
  };
  EXPECT_EQ(Area("live"), Result.Partial);
  EXPECT_EQ(Area("full"), Result.Full);
  EXPECT_GT(Result.Partial, 0);
}

TEST_F(ShowTest, SvgFileAppearsWholeOrNotAtAll) {
  llvm::SmallString<128> Folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("heddle-show", Folder));
  llvm::SmallString<128> Path = Folder;
  llvm::sys::path::append(Path, "map.svg");
  ShowResult Result = show(Examples[2], options(300, 300));
  ASSERT_FALSE(writeShowSvg(Result, Path));
  auto Buffer = llvm::MemoryBuffer::getFile(Path);
  ASSERT_TRUE(static_cast<bool>(Buffer));
  EXPECT_EQ((*Buffer)->getBuffer(), svg(Result));
  llvm::Error E = writeShowSvg(Result, (Folder + "/absent/map.svg").str());
  EXPECT_THAT(llvm::toString(std::move(E)),
              testing::HasSubstr("absent/map.svg': "));
  EXPECT_FALSE(llvm::sys::fs::exists(Folder + "/absent"));
  ASSERT_FALSE(llvm::sys::fs::remove_directories(Folder));
}

TEST(ShowStyleTest, Digits) {
  EXPECT_EQ(groupDigits(0), "0");
  EXPECT_EQ(groupDigits(999), "999");
  EXPECT_EQ(groupDigits(1000), "1,000");
  EXPECT_EQ(groupDigits(-1234567), "-1,234,567");
  EXPECT_EQ(groupDigits(-123), "-123");
}

TEST(ShowStyleTest, Environment) {
  ASSERT_EQ(setenv("LC_ALL", "C.UTF-8", 1), 0);
  EXPECT_TRUE(detectTextStyle(ColourMode::Never).Unicode);
  ASSERT_EQ(setenv("LC_ALL", "C", 1), 0);
  EXPECT_FALSE(detectTextStyle(ColourMode::Never).Unicode);
  EXPECT_FALSE(detectTextStyle(ColourMode::Never).Colour);
  EXPECT_TRUE(detectTextStyle(ColourMode::Always).Colour);
  ASSERT_EQ(setenv("NO_COLOR", "1", 1), 0);
  EXPECT_FALSE(detectTextStyle(ColourMode::Auto).Colour);
  ASSERT_EQ(unsetenv("LC_ALL"), 0);
  ASSERT_EQ(unsetenv("NO_COLOR"), 0);
}

} // namespace
