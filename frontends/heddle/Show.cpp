// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/Show.h"

#include "frontends/heddle/SetProgram.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>

using namespace heddle;
using heddle::attn::TileStatus;

namespace {

/// Limits of the algebra: coordinates and parameters reach 2^31 at most.
constexpr int64_t Limit = int64_t(1) << 31;
/// Rows of tiles whose runs are held in memory.
constexpr int64_t MaxQueryTiles = int64_t(1) << 22;

llvm::Error invalid(const llvm::Twine &Message) {
  return llvm::createStringError(
      std::make_error_code(std::errc::invalid_argument), Message);
}

int64_t product(llvm::ArrayRef<int64_t> Sizes) {
  int64_t Result = 1;
  for (int64_t Size : Sizes)
    Result = llvm::SaturatingMultiply<uint64_t>(Result, Size);
  return Result;
}

/// How many pieces of `Size` cover `Extent`.
int64_t pieces(int64_t Extent, int64_t Size) {
  return (Extent + Size - 1) / Size;
}

llvm::Error checkTile(const char *Which, llvm::ArrayRef<int64_t> Tile,
                      unsigned Axes) {
  constexpr int64_t MaxTile = int64_t(1) << 20;
  if (Tile.size() != Axes)
    return invalid(llvm::Twine("expected a ") + Which + " tile with " +
                   llvm::Twine(Axes) + " extents, found " +
                   llvm::Twine(Tile.size()));
  for (int64_t Size : Tile)
    if (Size < 1 || Size > MaxTile)
      return invalid(llvm::Twine("expected a tile extent from 1 to ") +
                     llvm::Twine(MaxTile) + ", found " + llvm::Twine(Size));
  return llvm::Error::success();
}

/// Fills in tiles and grids and checks all sizes.
llvm::Error complete(attn::PatternOp Pattern, ShowResult &Result) {
  ShowOptions &Options = Result.Options;
  struct {
    const char *Name;
    int64_t Value, Low, High;
  } const Numbers[] = {
      {"number of queries", Options.Queries, 0, Limit},
      {"number of keys", Options.Keys, 0, Limit},
      {"sequence", Options.B, 0, Limit},
      {"head", Options.H, 0, Limit},
      {"origin", Options.Origin, -Limit, Limit - 1},
  };
  for (const auto &N : Numbers)
    if (N.Value < N.Low || N.Value > N.High)
      return invalid(llvm::Twine("expected a ") + N.Name + " from " +
                     llvm::Twine(N.Low) + " to " + llvm::Twine(N.High) +
                     ", found " + llvm::Twine(N.Value));
  if (Options.Params.size() != Pattern.getNumParams())
    return invalid("pattern '" + Pattern.getSymName() + "' has " +
                   llvm::Twine(Pattern.getNumParams()) + " parameters, found " +
                   llvm::Twine(Options.Params.size()) + " values");
  for (auto [I, Value] : llvm::enumerate(Options.Params))
    if (Pattern.getParamType(static_cast<unsigned>(I)).isIndex() &&
        (Value.integer < -Limit || Value.integer >= Limit))
      return invalid("expected a value from -2^31 to 2^31 - 1 for parameter '" +
                     Pattern.getParamName(static_cast<unsigned>(I)) +
                     "', found " + llvm::Twine(Value.integer));

  const attn::Grid Grid = attn::gridOf(Pattern);
  Result.HasGrid = !Grid.query.empty();
  for (unsigned Param : Grid.query)
    Result.QueryGrid.push_back(Options.Params[Param].integer);
  for (unsigned Param : Grid.key)
    Result.KeyGrid.push_back(Options.Params[Param].integer);
  if (!Result.HasGrid) {
    Result.QueryGrid = {Options.Queries};
    Result.KeyGrid = {Options.Keys};
  } else if (Options.Origin != 0) {
    return invalid("expected the origin 0 for a token grid, found " +
                   llvm::Twine(Options.Origin));
  }
  struct {
    const char *Name;
    llvm::ArrayRef<int64_t> Extents;
    int64_t Tokens;
  } const Grids[] = {{"queries", Result.QueryGrid, Options.Queries},
                     {"keys", Result.KeyGrid, Options.Keys}};
  for (const auto &G : Grids)
    if (llvm::any_of(G.Extents, [](int64_t X) { return X < 0; }) ||
        product(G.Extents) != G.Tokens)
      return invalid(llvm::Twine("the token grid of ") + G.Name + " has " +
                     llvm::Twine(product(G.Extents)) + " tokens, found " +
                     llvm::Twine(G.Tokens) + " " + G.Name);
  const unsigned Axes = Grid.axes();
  const int64_t Usual[] = {64, 8, 4};
  for (std::vector<int64_t> *Tile : {&Options.QueryTile, &Options.KeyTile})
    if (Tile->empty())
      Tile->assign(Axes, Usual[Axes - 1]);
  if (llvm::Error E = checkTile("query", Options.QueryTile, Axes))
    return E;
  if (llvm::Error E = checkTile("key", Options.KeyTile, Axes))
    return E;
  Result.QueryTiles = Result.KeyTiles = 1;
  for (unsigned Axis = 0; Axis < Axes; ++Axis) {
    Result.QueryTiles *=
        pieces(Result.QueryGrid[Axis], Options.QueryTile[Axis]);
    Result.KeyTiles *= pieces(Result.KeyGrid[Axis], Options.KeyTile[Axis]);
  }
  if (Result.QueryTiles > MaxQueryTiles)
    return invalid(llvm::Twine(Options.Queries) + " queries make more than " +
                   llvm::Twine(MaxQueryTiles) + " rows of tiles of height " +
                   llvm::Twine(product(Options.QueryTile)) +
                   "; choose a taller tile");
  return llvm::Error::success();
}

/// The coordinates of number `I` of a shape, outermost first.
using Coordinates = llvm::SmallVector<int64_t, 3>;
Coordinates unravel(int64_t I, llvm::ArrayRef<int64_t> Shape) {
  Coordinates Result(Shape.size());
  for (size_t Axis = Shape.size(); Axis-- > 0;) {
    Result[Axis] = I % Shape[Axis];
    I /= Shape[Axis];
  }
  return Result;
}

int64_t ravel(llvm::ArrayRef<int64_t> At, llvm::ArrayRef<int64_t> Shape) {
  int64_t I = 0;
  for (size_t Axis = 0; Axis < Shape.size(); ++Axis)
    I = I * Shape[Axis] + At[Axis];
  return I;
}

/// The shortest text for a parameter.
std::string formatReal(double X) {
  std::string Text;
  llvm::raw_string_ostream(Text) << llvm::format("%g", X);
  return Text;
}

/// What one thread, or all of them, have counted.
struct Counts {
  int64_t Full = 0;
  int64_t Partial = 0;
  int64_t KeptPairs = 0;
  RowExtremes Rows;
  bool HasRow = false;

  void addRow(int64_t Row, int64_t Kept) {
    KeptPairs += Kept;
    if (!HasRow || Kept < Rows.Min || (Kept == Rows.Min && Row < Rows.MinRow)) {
      Rows.Min = Kept;
      Rows.MinRow = Row;
    }
    if (!HasRow || Kept > Rows.Max || (Kept == Rows.Max && Row < Rows.MaxRow)) {
      Rows.Max = Kept;
      Rows.MaxRow = Row;
    }
    HasRow = true;
    if (Kept != 0)
      return;
    Rows.FirstEmpty = Rows.Empty == 0 ? Row : std::min(Row, Rows.FirstEmpty);
    ++Rows.Empty;
  }

  void add(const Counts &Other) {
    Full += Other.Full;
    Partial += Other.Partial;
    KeptPairs += Other.KeptPairs;
    if (!Other.HasRow)
      return;
    const RowExtremes &R = Other.Rows;
    if (!HasRow ||
        std::pair(R.Min, R.MinRow) < std::pair(Rows.Min, Rows.MinRow))
      std::tie(Rows.Min, Rows.MinRow) = std::tie(R.Min, R.MinRow);
    if (!HasRow ||
        std::pair(-R.Max, R.MaxRow) < std::pair(-Rows.Max, Rows.MaxRow))
      std::tie(Rows.Max, Rows.MaxRow) = std::tie(R.Max, R.MaxRow);
    if (R.Empty != 0)
      Rows.FirstEmpty = Rows.Empty == 0
                            ? R.FirstEmpty
                            : std::min(Rows.FirstEmpty, R.FirstEmpty);
    Rows.Empty += R.Empty;
    HasRow = true;
  }
};

/// A box of a token grid: a tile, cut off where the grid ends.
struct Box {
  /// The box number `Number` of a grid.
  Box(int64_t Number, llvm::ArrayRef<int64_t> Grid,
      llvm::ArrayRef<int64_t> Tile) {
    Coordinates Boxes;
    for (size_t Axis = 0; Axis < Grid.size(); ++Axis)
      Boxes.push_back(pieces(Grid[Axis], Tile[Axis]));
    First = unravel(Number, Boxes);
    for (size_t Axis = 0; Axis < Grid.size(); ++Axis) {
      First[Axis] *= Tile[Axis];
      Size.push_back(std::min(Tile[Axis], Grid[Axis] - First[Axis]));
    }
  }

  int64_t volume() const { return product(Size); }
  /// The coordinates of its `I`-th token.
  Coordinates token(int64_t I) const {
    Coordinates At = unravel(I, Size);
    for (size_t Axis = 0; Axis < At.size(); ++Axis)
      At[Axis] += First[Axis];
    return At;
  }

  Coordinates First, Size;
};

/// Fails where the pattern asks outside of its tables and sets.
llvm::Error checkReads(const SetSource &Source, attn::PatternOp Pattern,
                       const ShowResult &Result) {
  const ShowOptions &Options = Result.Options;
  const SetProgram Code = SetProgram::recordReads(Source);
  Coordinates Q0(Result.QueryGrid.size()), K0(Result.KeyGrid.size());
  Q0.back() = Options.Origin;
  SetProgram::Machine Machine(
      Code, {Options.B, Options.H, Options.Keys, Options.Params});
  auto Bad = Machine.outside(Q0, Result.QueryGrid, K0, Result.KeyGrid);
  if (!Bad)
    return llvm::Error::success();
  const bool IsSet = mlir::isa<attn::SetType>(Pattern.getParamType(Bad->Param));
  const std::string Hint = Bad->Low < 0 ? "keep the index from going below 0"
                           : IsSet
                               ? "give a set for each index, or one for all"
                               : "give an element for each index, or one for "
                                 "all";
  return invalid(llvm::Twine(IsSet ? "set '" : "table '") +
                 Pattern.getParamName(Bad->Param) + "' is read at indices " +
                 llvm::Twine(Bad->Low) + " to " + llvm::Twine(Bad->High) +
                 " along axis " + llvm::Twine(Bad->Axis) + ", which has " +
                 llvm::Twine(Bad->Extent) +
                 (IsSet ? " sets; " : " elements; ") + Hint);
}

/// One thread: classifies and counts query tiles until none is left.
class Worker {
public:
  Worker(const SetProgram &StatusCode, const SetProgram &ContainsCode,
         const SetProgram &BreaksCode, ShowResult &Result,
         std::atomic<int64_t> &Next)
      : Options(Result.Options), Result(Result), Next(Next),
        Status(StatusCode, inputs()), Contains(ContainsCode, inputs()),
        Breaks(BreaksCode, inputs()),
        Period(Result.HasGrid ? 0 : BreaksCode.period()),
        TileKeys(product(Options.KeyTile)) {}

  void run() {
    int64_t Tile = 0;
    while ((Tile = Next.fetch_add(1)) < Result.QueryTiles) {
      const Box Queries(Tile, Result.QueryGrid, Options.QueryTile);
      std::vector<TileRun> &Runs = Result.Tiles[static_cast<size_t>(Tile)];
      classify(Queries, Runs);
      count(Queries, Runs);
    }
  }

  const Counts &counts() const { return Found; }

private:
  SetInputs inputs() const {
    return {Options.B, Options.H, Options.Keys, Options.Params};
  }

  /// Absolute coordinates: a plain sequence may begin anywhere.
  Coordinates placed(Coordinates At) const {
    At.back() += Options.Origin;
    return At;
  }

  void classify(const Box &Queries, std::vector<TileRun> &Runs) {
    const int64_t Inner = pieces(Result.KeyGrid.back(), Options.KeyTile.back());
    const Coordinates Q0 = placed(Queries.First);
    // One row of tiles after the other; the answers look ahead within a row.
    for (int64_t Row = 0; Row < Result.KeyTiles; Row += Inner) {
      Coordinates K0 = Box(Row, Result.KeyGrid, Options.KeyTile).First;
      int64_t Tile = 0;
      while (Tile < Inner) {
        K0.back() = Tile * Options.KeyTile.back();
        auto [Kind, Until] =
            Status.status(Q0, Queries.Size, K0, Options.KeyTile);
        // `Until` may lie beyond every key, far beyond.
        int64_t End = std::min(Inner, Until / Options.KeyTile.back());
        if (Kind != TileStatus::Empty)
          append(Runs, {Row + Tile, End - Tile, Kind});
        Tile = End;
      }
    }
  }

  static void append(std::vector<TileRun> &Runs, const TileRun &Run) {
    if (!Runs.empty() && Runs.back().Status == Run.Status &&
        Runs.back().First + Runs.back().Count == Run.First)
      Runs.back().Count += Run.Count;
    else
      Runs.push_back(Run);
  }

  void count(const Box &Queries, const std::vector<TileRun> &Runs) {
    int64_t FullTiles = 0;
    int64_t PartialTiles = 0;
    for (const TileRun &Run : Runs)
      (Run.Status == TileStatus::Full ? FullTiles : PartialTiles) += Run.Count;
    Found.Full += FullTiles;
    Found.Partial += PartialTiles;
    for (int64_t I = 0, E = Queries.volume(); I < E; ++I) {
      const Coordinates At = Queries.token(I);
      // A full tile has all its keys.
      int64_t Kept = FullTiles * TileKeys;
      if (PartialTiles != 0 && Result.HasGrid)
        Kept += countBoxes(At, Runs);
      else if (PartialTiles != 0)
        Kept = countRow(At.front(), Runs, PartialTiles);
      Found.addRow(ravel(At, Result.QueryGrid), Kept);
    }
  }

  /// Kept keys of one query in the partial boxes.
  int64_t countBoxes(const Coordinates &Query,
                     const std::vector<TileRun> &Runs) {
    Contains.setQuery(Query);
    int64_t Total = 0;
    for (const TileRun &Run : Runs) {
      if (Run.Status == TileStatus::Full)
        continue;
      for (int64_t Tile = Run.First; Tile < Run.First + Run.Count; ++Tile) {
        const Box Keys(Tile, Result.KeyGrid, Options.KeyTile);
        const int64_t Width = Keys.Size.back();
        for (int64_t Row = 0; Row < Keys.volume(); Row += Width) {
          Coordinates K0 = Keys.token(Row);
          for (int64_t Left = Width; Left > 0;) {
            const auto Count = static_cast<unsigned>(
                std::min<int64_t>(SetProgram::Lanes, Left));
            Total += Contains.keptKeys(K0, Count);
            K0.back() += Count;
            Left -= Count;
          }
        }
      }
    }
    return Total;
  }

  /// Kept keys of one row of a plain sequence, which has partial tiles. Where a
  /// period is shorter than these, tiles do not matter: they would only cut
  /// stretches to pieces.
  int64_t countRow(int64_t Row, const std::vector<TileRun> &Runs,
                   int64_t PartialTiles) {
    Contains.setQuery({Options.Origin + Row});
    Breaks.breaks(Options.Origin + Row, Options.Keys, Ends);
    auto EndOf = [&](const TileRun &Run) {
      return std::min(Options.Keys, (Run.First + Run.Count) * TileKeys);
    };
    size_t Next = 0;
    if (Period != 0 && Period < PartialTiles * TileKeys)
      return countRange(Runs.front().First * TileKeys, EndOf(Runs.back()),
                        Next);
    int64_t Total = 0;
    for (const TileRun &Run : Runs)
      Total += Run.Status == TileStatus::Full
                   ? Run.Count * TileKeys
                   : countRange(Run.First * TileKeys, EndOf(Run), Next);
    return Total;
  }

  /// Kept keys of [K, End); `Next` is the number of breaks already behind.
  int64_t countRange(int64_t K, int64_t End, size_t &Next) {
    int64_t Total = 0;
    while (K < End) {
      while (Ends[Next] <= K)
        ++Next;
      const int64_t Stop = std::min(End, Ends[Next]);
      Total += countStretch(K, Stop);
      K = Stop;
    }
    return Total;
  }

  /// Kept keys of [Begin, End), which holds no break but at its ends.
  int64_t countStretch(int64_t Begin, int64_t End) {
    const int64_t Length = End - Begin;
    if (Period == 0 || Length <= Period)
      return countKeys(Begin, End);
    return Length / Period * countKeys(Begin, Begin + Period) +
           countKeys(Begin, Begin + Length % Period);
  }

  int64_t countKeys(int64_t Begin, int64_t End) {
    int64_t Total = 0;
    for (int64_t K = Begin; K < End; K += SetProgram::Lanes)
      Total += Contains.keptKeys({K}, static_cast<unsigned>(std::min<int64_t>(
                                          SetProgram::Lanes, End - K)));
    return Total;
  }

  const ShowOptions &Options;
  ShowResult &Result;
  std::atomic<int64_t> &Next;
  SetProgram::Machine Status;
  SetProgram::Machine Contains;
  SetProgram::Machine Breaks;
  const int64_t Period;
  const int64_t TileKeys;
  Counts Found;
  std::vector<int64_t> Ends; ///< breaks of a row, then the number of keys
};

} // namespace

std::string heddle::describeTiles(const ShowOptions &Options) {
  auto Text = [](llvm::ArrayRef<int64_t> Extents) {
    return llvm::join(
        llvm::map_range(Extents, [](int64_t X) { return llvm::itostr(X); }),
        "x");
  };
  return Text(Options.QueryTile) +
         (Options.QueryTile.size() > 1 ? " by " : " x ") +
         Text(Options.KeyTile);
}

double ShowResult::density() const {
  double Pairs =
      static_cast<double>(Options.Queries) * static_cast<double>(Options.Keys);
  return Pairs == 0 ? 0 : static_cast<double>(KeptPairs) / Pairs;
}

double ShowResult::meanKept() const {
  return Options.Queries == 0 ? 0
                              : static_cast<double>(KeptPairs) /
                                    static_cast<double>(Options.Queries);
}

llvm::Expected<ShowResult> heddle::analyse(attn::PatternOp Pattern,
                                           attn::FormulaAttr Formula,
                                           const ShowOptions &Options) {
  ShowResult Result;
  Result.Options = Options;
  if (llvm::Error E = complete(Pattern, Result))
    return std::move(E);
  Result.Pattern = Pattern.getSymName().str();
  const unsigned NumParams = Pattern.getNumParams();
  for (unsigned I = 0; I < NumParams; ++I) {
    mlir::Type Type = Pattern.getParamType(I);
    const bool IsNumber = Type.isIndex() || Type.isF32();
    std::string Text = I < Options.Summaries.size() ? Options.Summaries[I] : "";
    if (Type.isIndex())
      Text = llvm::itostr(Options.Params[I].integer);
    else if (Type.isF32())
      Text = formatReal(Options.Params[I].real);
    (IsNumber ? Result.Numbers : Result.Operands)
        .push_back({Pattern.getParamName(I).str(), Text});
  }
  Result.UsesBatch = attn::uses(Formula, attn::DimB);
  Result.UsesHead = attn::uses(Formula, attn::DimH);
  Result.Tiles.resize(static_cast<size_t>(Result.QueryTiles));

  const SetSource Source{Formula, attn::gridOf(Pattern), NumParams};
  const SetProgram StatusCode =
      SetProgram::recordStatus(Source, Result.Options.KeyTile.back());
  const SetProgram ContainsCode = SetProgram::recordContains(Source);
  const SetProgram BreaksCode = SetProgram::recordBreaks(Source);
  if (Result.QueryTiles > 0 && Result.KeyTiles > 0)
    if (llvm::Error E = checkReads(Source, Pattern, Result))
      return std::move(E);
  int64_t Threads = Options.Threads != 0
                        ? Options.Threads
                        : std::max(1U, std::thread::hardware_concurrency());
  Threads =
      std::clamp<int64_t>(Threads, 1, std::max<int64_t>(1, Result.QueryTiles));
  std::atomic<int64_t> Next{0};
  std::vector<Worker> Workers;
  Workers.reserve(static_cast<size_t>(Threads));
  for (int64_t I = 0; I < Threads; ++I)
    Workers.emplace_back(StatusCode, ContainsCode, BreaksCode, Result, Next);
  std::vector<std::thread> Helpers;
  for (size_t I = 1; I < Workers.size(); ++I)
    Helpers.emplace_back([&Workers, I] { Workers[I].run(); });
  Workers.front().run();
  for (std::thread &Helper : Helpers)
    Helper.join();

  Counts Total;
  for (const Worker &W : Workers)
    Total.add(W.counts());
  Result.Full = Total.Full;
  Result.Partial = Total.Partial;
  Result.Empty = Result.tiles() - Total.Full - Total.Partial;
  Result.KeptPairs = Total.KeptPairs;
  Result.Rows = Total.Rows;
  return Result;
}
