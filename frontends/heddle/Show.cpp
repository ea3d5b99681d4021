// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/Show.h"

#include "frontends/heddle/SetProgram.h"

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

llvm::Error checkOptions(attn::PatternOp Pattern, const ShowOptions &Options) {
  struct {
    const char *Name;
    int64_t Value, Low, High;
  } const Numbers[] = {
      {"number of queries", Options.Queries, 0, Limit},
      {"number of keys", Options.Keys, 0, Limit},
      {"tile height", Options.TileQueries, 1, int64_t(1) << 20},
      {"tile width", Options.TileKeys, 1, int64_t(1) << 20},
      {"sequence", Options.B, 0, Limit},
      {"head", Options.H, 0, Limit},
      {"origin", Options.Origin, -Limit, Limit},
  };
  for (const auto &N : Numbers)
    if (N.Value < N.Low || N.Value > N.High)
      return invalid(llvm::Twine("expected a ") + N.Name + " from " +
                     llvm::Twine(N.Low) + " to " + llvm::Twine(N.High) +
                     ", found " + llvm::Twine(N.Value));
  if ((Options.Queries - 1) / Options.TileQueries >= MaxQueryTiles)
    return invalid(llvm::Twine(Options.Queries) + " queries make more than " +
                   llvm::Twine(MaxQueryTiles) + " rows of tiles of height " +
                   llvm::Twine(Options.TileQueries) + "; choose a taller tile");
  if (Options.Params.size() != Pattern.getNumParams())
    return invalid("pattern '" + Pattern.getSymName() + "' has " +
                   llvm::Twine(Pattern.getNumParams()) + " parameters, found " +
                   llvm::Twine(Options.Params.size()) + " values");
  for (auto [I, Value] : llvm::enumerate(Options.Params))
    if (Value < -Limit || Value > Limit)
      return invalid("expected a value of at most 2^31 in magnitude for "
                     "parameter '" +
                     Pattern.getParamName(static_cast<unsigned>(I)) +
                     "', found " + llvm::Twine(Value));
  return llvm::Error::success();
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

/// One thread: classifies and counts query tiles until none is left.
class Worker {
public:
  Worker(const SetProgram &StatusCode, const SetProgram &ContainsCode,
         const SetProgram &BreaksCode, ShowResult &Result,
         std::atomic<int64_t> &Next)
      : Options(Result.Options), Result(Result), Next(Next),
        Status(StatusCode, inputs()), Contains(ContainsCode, inputs()),
        Breaks(BreaksCode, inputs()), Period(BreaksCode.period()) {}

  void run() {
    int64_t Tile = 0;
    while ((Tile = Next.fetch_add(1)) < Result.QueryTiles) {
      First = Tile * Options.TileQueries;
      Rows = std::min(Options.TileQueries, Options.Queries - First);
      std::vector<TileRun> &Runs = Result.Tiles[static_cast<size_t>(Tile)];
      classify(Runs);
      count(Runs);
    }
  }

  const Counts &counts() const { return Found; }

private:
  SetInputs inputs() const {
    return {Options.B, Options.H, Options.Keys, Options.Params};
  }

  void classify(std::vector<TileRun> &Runs) {
    int64_t Tile = 0;
    while (Tile < Result.KeyTiles) {
      auto [Kind, Until] =
          Status.status(Options.Origin + First, Rows, Tile * Options.TileKeys);
      // `Until` may lie beyond every key, far beyond.
      int64_t End = std::min(Result.KeyTiles, Until / Options.TileKeys);
      if (Kind != TileStatus::Empty) {
        if (!Runs.empty() && Runs.back().Status == Kind &&
            Runs.back().First + Runs.back().Count == Tile)
          Runs.back().Count += End - Tile;
        else
          Runs.push_back({Tile, End - Tile, Kind});
      }
      Tile = End;
    }
  }

  void count(const std::vector<TileRun> &Runs) {
    int64_t FullTiles = 0;
    int64_t PartialTiles = 0;
    for (const TileRun &Run : Runs)
      (Run.Status == TileStatus::Full ? FullTiles : PartialTiles) += Run.Count;
    Found.Full += FullTiles;
    Found.Partial += PartialTiles;
    for (int64_t Row = First; Row < First + Rows; ++Row)
      Found.addRow(Row, PartialTiles == 0 ? FullTiles * Options.TileKeys
                                          : countRow(Row, Runs, PartialTiles));
  }

  /// Kept keys of one row, which has partial tiles. Where a period is shorter
  /// than these, tiles do not matter: they would only cut stretches to pieces.
  int64_t countRow(int64_t Row, const std::vector<TileRun> &Runs,
                   int64_t PartialTiles) {
    Contains.setQuery(Options.Origin + Row);
    Breaks.breaks(Options.Origin + Row, Options.Keys, Ends);
    auto EndOf = [&](const TileRun &Run) {
      return std::min(Options.Keys, (Run.First + Run.Count) * Options.TileKeys);
    };
    size_t Next = 0;
    if (Period != 0 && Period < PartialTiles * Options.TileKeys)
      return countRange(Runs.front().First * Options.TileKeys,
                        EndOf(Runs.back()), Next);
    int64_t Total = 0;
    for (const TileRun &Run : Runs)
      Total += Run.Status == TileStatus::Full
                   ? Run.Count * Options.TileKeys
                   : countRange(Run.First * Options.TileKeys, EndOf(Run), Next);
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
      Total += Contains.keptKeys(K, static_cast<unsigned>(std::min<int64_t>(
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
  Counts Found;
  std::vector<int64_t> Ends; ///< breaks of a row, then the number of keys
  int64_t First = 0;
  int64_t Rows = 0;
};

} // namespace

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
  if (llvm::Error E = checkOptions(Pattern, Options))
    return E;
  const unsigned NumParams = Pattern.getNumParams();
  ShowResult Result;
  Result.Pattern = Pattern.getSymName().str();
  for (unsigned I = 0; I < NumParams; ++I)
    Result.Params.push_back({Pattern.getParamName(I).str(), Options.Params[I]});
  Result.Options = Options;
  Result.UsesBatch = attn::uses(Formula, attn::DimB);
  Result.UsesHead = attn::uses(Formula, attn::DimH);
  Result.QueryTiles =
      (Options.Queries + Options.TileQueries - 1) / Options.TileQueries;
  Result.KeyTiles = (Options.Keys + Options.TileKeys - 1) / Options.TileKeys;
  Result.Tiles.resize(static_cast<size_t>(Result.QueryTiles));

  const SetProgram StatusCode =
      SetProgram::recordStatus(Formula, Options.TileKeys, NumParams);
  const SetProgram ContainsCode =
      SetProgram::recordContains(Formula, NumParams);
  const SetProgram BreaksCode = SetProgram::recordBreaks(Formula, NumParams);
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
