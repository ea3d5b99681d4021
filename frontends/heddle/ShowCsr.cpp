// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/ShowRender.h"
#include "runtime/npy/Npy.h"

using namespace heddle;

llvm::Error heddle::writeShowCsr(const ShowResult &Result,
                                 const std::string &Prefix) {
  std::vector<int64_t> Offsets = {0}, Tiles;
  for (const std::vector<TileRun> &Row : Result.Tiles) {
    for (const TileRun &Run : Row)
      for (int64_t I = 0; I < Run.Count; ++I)
        Tiles.push_back(Run.First + I);
    Offsets.push_back(static_cast<int64_t>(Tiles.size()));
  }
  npy::PendingFile OffsetFile, TileFile;
  auto Stage = [&](const char *Suffix, const std::vector<int64_t> &Numbers,
                   npy::PendingFile &File) {
    // One sequence and one head, as sets indexed by (b, h, block) come.
    return npy::stage(Prefix + Suffix,
                      {1, 1, static_cast<int64_t>(Numbers.size())},
                      Numbers.data(), File, HEDDLE_I64);
  };
  ErrorText Bad = Stage(".indptr.npy", Offsets, OffsetFile);
  if (!Bad)
    Bad = Stage(".indices.npy", Tiles, TileFile);
  if (!Bad)
    Bad = OffsetFile.commit();
  if (!Bad)
    Bad = TileFile.commit();
  if (Bad)
    return llvm::createStringError(*Bad);
  return llvm::Error::success();
}
