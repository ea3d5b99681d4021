// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/ShowRender.h"

#include "llvm/Support/JSON.h"

using namespace heddle;
using heddle::attn::TileStatus;

void heddle::printShowJson(const ShowResult &Result, llvm::raw_ostream &Os) {
  const ShowOptions &O = Result.Options;
  llvm::json::OStream Json(Os);
  Json.objectBegin();
  Json.attribute("pattern", Result.Pattern);
  Json.attributeObject("params", [&] {
    for (const auto &[Name, Value] : Result.Numbers)
      Json.attributeBegin(Name), Json.rawValue(Value), Json.attributeEnd();
  });
  Json.attributeObject("operands", [&] {
    for (const auto &[Name, Summary] : Result.Operands)
      Json.attribute(Name, Summary);
  });
  Json.attribute("b", O.B);
  Json.attribute("h", O.H);
  Json.attribute("origin", O.Origin);
  Json.attribute("queries", O.Queries);
  Json.attribute("keys", O.Keys);
  Json.attribute("uses_batch", Result.UsesBatch);
  Json.attribute("uses_head", Result.UsesHead);
  Json.attribute("kept_pairs", Result.KeptPairs);
  Json.attribute("density", Result.density());
  Json.attributeObject("rows", [&] {
    Json.attribute("min", Result.Rows.Min);
    Json.attribute("min_row", Result.Rows.MinRow);
    Json.attribute("max", Result.Rows.Max);
    Json.attribute("max_row", Result.Rows.MaxRow);
    Json.attribute("mean", Result.meanKept());
    Json.attribute("empty", Result.Rows.Empty);
    if (Result.Rows.Empty != 0)
      Json.attribute("first_empty", Result.Rows.FirstEmpty);
  });
  Json.attributeObject("tiles", [&] {
    auto Extents = [&](const char *Name, const std::vector<int64_t> &Tile) {
      if (Tile.size() == 1)
        return Json.attribute(Name, Tile[0]);
      Json.attribute(Name, llvm::json::Array(Tile));
    };
    Extents("query_tile", O.QueryTile);
    Extents("key_tile", O.KeyTile);
    Json.attribute("query_tiles", Result.QueryTiles);
    Json.attribute("key_tiles", Result.KeyTiles);
    Json.attribute("full", Result.Full);
    Json.attribute("partial", Result.Partial);
    Json.attribute("empty", Result.Empty);
    Json.attributeArray("runs", [&] {
      for (const std::vector<TileRun> &Runs : Result.Tiles)
        Json.array([&] {
          for (const TileRun &Run : Runs)
            Json.array([&] {
              Json.value(Run.First);
              Json.value(Run.Count);
              Json.value(Run.Status == TileStatus::Full ? "full" : "partial");
            });
        });
    });
  });
  Json.objectEnd();
  Os << '\n';
}
