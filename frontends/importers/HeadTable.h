// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MInference's head configurations as tables.

#ifndef HEDDLE_FRONTENDS_IMPORTERS_HEADTABLE_H
#define HEDDLE_FRONTENDS_IMPORTERS_HEADTABLE_H

#include "runtime/npy/ErrorText.h"

#include <cstdint>
#include <string>
#include <vector>

namespace heddle::importers {

enum HeadKind : uint8_t { AShape, VerticalSlash, BlockSparse };
inline constexpr size_t NumKinds = 3;

/// A kind in MInference's words, in ours, and how its sizes are called.
struct KindNames {
  const char *Theirs, *Ours;
};
inline constexpr KindNames Kinds[NumKinds] = {
    {"stream_llm", "a_shape"},
    {"vertical_and_slash", "vertical_slash"},
    {"block_sparse", "block_sparse"}};

struct HeadChoice {
  HeadKind Kind = VerticalSlash;
  int32_t Vertical = 1000;
  int32_t Slash = 6096;
};

/// What MInference does with these sizes when it chooses indices: it never
/// takes fewer columns and diagonals than these, and always 100 key blocks per
/// row of 64 x 64 blocks.
inline constexpr int32_t FewestColumns = 30, FewestDiagonals = 50,
                         KeyBlocks = 100;

/// A config file as read: heads[layer][head].
struct HeadTable {
  std::vector<std::vector<HeadChoice>> Layers;
  size_t NumHeads = 0;
  /// Heads that the file does not name, by layer.
  std::vector<int64_t> Missing;
};

/// Reads a file: a JSON list over layers of objects from a head's number to
/// [kind, vertical size, slash size, score]. Fails on anything else, naming the
/// layer and the head.
ErrorText readHeadTable(const std::string &Path, HeadTable &Out);

} // namespace heddle::importers

#endif // HEDDLE_FRONTENDS_IMPORTERS_HEADTABLE_H
