// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an importer hands back: a pattern, the operands it is asked with, and
// what was found. `write` puts it into a folder and says how to run it.
//
//   importMInference    head configurations of MInference (JSON)
//   importVerticalSlash columns and diagonals chosen at run time
//   importBsr           block maps in BSR or CSR
//   importFlashMask     row bounds per column
//   importMask          a dense boolean mask, compressed

#ifndef HEDDLE_FRONTENDS_IMPORTERS_IMPORT_H
#define HEDDLE_FRONTENDS_IMPORTERS_IMPORT_H

#include "frontends/importers/Operand.h"
#include "runtime/npy/ErrorText.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace heddle::importers {

/// The sizes of the problem that was imported, for the command that runs it.
struct Sizes {
  int64_t Batch = 1;
  int64_t Heads = 1;
  /// Heads of k and v.
  int64_t HeadsKV = 1;
  int64_t Queries = 0;
  int64_t Keys = 0;
};

struct Import {
  /// The pattern to run, without '@', and how many there are in the text.
  std::string Pattern;
  unsigned NumPatterns = 1;
  std::string Text;
  std::vector<Operand> Operands;
  /// Tables that are written beside, and are no parameters of the pattern.
  std::vector<Operand> Beside;
  /// Further words of --set: parameters that nothing was imported for.
  std::vector<std::string> Settings;
  Sizes Shape;
  /// What was found, as lines of a report: a heading and a text.
  std::vector<std::pair<std::string, std::string>> Findings;
};

/// What was written.
struct Written {
  std::string PatternPath;
  std::vector<std::string> OperandPaths;
  /// Of all operands.
  int64_t Bytes = 0;
  /// The command that runs the pattern with its operands, as a shell reads it.
  std::string RunLine;
};

/// Writes PATTERN.mlir and one or two .npy files per operand into `Folder`,
/// which is made where it does not exist. Files appear complete, all or none
/// unless the system fails between two renames; files of the same names are
/// replaced.
ErrorText write(const Import &From, const std::string &Folder, Written &Out);

/// The report of an import: what was found, the operands, how it is run.
std::string report(const Import &From, const Written &Files);

/// MInference's offline search gives every head of every layer a kind and two
/// sizes (Jiang et al., "MInference 1.0", 2024): a list over layers of objects
/// from a head's number to [kind, vertical size, slash size, score]. Imports
/// all layers as one pattern with the layer as a parameter, or one layer. Heads
/// that the file does not name get what MInference gives them.
struct MInferenceOptions {
  std::string Path;
  std::optional<int64_t> Layer;
  /// Tokens of the sequence that the reported command runs.
  int64_t Length = 4096;
};
ErrorText importMInference(const MInferenceOptions &Options, Import &Out);

/// Which keys a diagonal stands for.
enum class SlashCover {
  Exact, ///< the keys q - s
  Spans, ///< for 64 queries together the 64 keys that their diagonals meet
  Index, ///< what MInference's index builder lists, spans merged in 64-key
         ///< steps
};
/// Index tensors (b, h, count) of columns and diagonals, i32 or i64, in any
/// order and with duplicates, of a sequence of `Length` tokens.
struct VerticalSlashOptions {
  std::string Vertical, Slash;
  int64_t Length = 0;
  SlashCover Cover = SlashCover::Exact;
};
ErrorText importVerticalSlash(const VerticalSlashOptions &Options, Import &Out);

/// Block maps as BSR or CSR has them: indptr (…, rows + 1) and indices
/// (…, capacity), i32 or i64, with leading axes (b, h), (h) or none. Indices in
/// a row may be in any order and repeated.
struct BsrOptions {
  std::string Indptr, Indices;
  /// Queries and keys of a block.
  int64_t BlockRows = 64, BlockCols = 64;
  /// 0: as many as the blocks hold.
  int64_t Queries = 0, Keys = 0;
  bool Causal = false;
};
ErrorText importBsr(const BsrOptions &Options, Import &Out);

/// FlashMask's startend_row_indices (b, heads of k or 1, keys, bounds), i32
/// (Wang et al., "FlashMask", 2024).
struct FlashMaskOptions {
  std::string Bounds;
  bool Causal = false;
  /// 0: as many as keys.
  int64_t Queries = 0;
  /// Query heads per head of the tensor.
  int64_t Group = 1;
};
ErrorText importFlashMask(const FlashMaskOptions &Options, Import &Out);

/// A mask (q, k), (h, q, k) or (b, h, q, k) of bool, true where the pair is
/// kept. Every form that reproduces it exactly is considered, and the one with
/// the fewest bytes of operands is taken; a formula has none.
struct MaskOptions {
  std::string Path;
};
ErrorText importMask(const MaskOptions &Options, Import &Out);

} // namespace heddle::importers

#endif // HEDDLE_FRONTENDS_IMPORTERS_IMPORT_H
