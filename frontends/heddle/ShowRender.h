// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tile map for people, for browsers and for programs.

#ifndef HEDDLE_FRONTENDS_HEDDLE_SHOWRENDER_H
#define HEDDLE_FRONTENDS_HEDDLE_SHOWRENDER_H

#include "frontends/heddle/Show.h"
#include "llvm/Support/raw_ostream.h"

namespace heddle {

/// How the terminal picture may look.
struct TextStyle {
  /// Columns available.
  unsigned Width = 80;
  /// Shaded blocks; plain ASCII otherwise.
  bool Unicode = false;
  bool Colour = false;
};

enum class ColourMode { Auto, Always, Never };

/// The style that fits standard output: its width, the character set of the
/// locale (LC_ALL, LC_CTYPE, LANG), and, when the mode is automatic, colour on
/// a terminal unless NO_COLOR is set to something.
TextStyle detectTextStyle(ColourMode Mode);

/// Picture, legend and counts. Maps that are too wide are reduced.
void printShowText(const ShowResult &Result, llvm::raw_ostream &Os,
                   const TextStyle &Style);

/// One JSON object: the problem, all counts, and for every query tile its runs
/// of live tiles as [first key tile, number of tiles, "partial" or "full"].
void printShowJson(const ShowResult &Result, llvm::raw_ostream &Os);

/// A self-contained SVG that follows the viewer's light or dark scheme. Its
/// size is bounded whatever the lengths are.
void printShowSvg(const ShowResult &Result, llvm::raw_ostream &Os);

/// Writes the SVG to a file that appears complete or not at all.
llvm::Error writeShowSvg(const ShowResult &Result, llvm::StringRef Path);

/// Writes the live tiles in CSR, what block-sparse kernels elsewhere take:
/// `Prefix`.indptr.npy, one number more than query tiles, and
/// `Prefix`.indices.npy, the key tiles of each in ascending order; both i64,
/// with axes of extent 1 for the sequence and the head before.
llvm::Error writeShowCsr(const ShowResult &Result, const std::string &Prefix);

/// A symbol and its parameters that are numbers: "@a_shape(sink = 64, window =
/// 1024)".
std::string
describeSymbol(const std::string &Name,
               llvm::ArrayRef<std::pair<std::string, std::string>> Numbers);
std::string describePattern(const ShowResult &Result);
/// The head that a picture shows, and for which others it stands.
std::string describeHead(int64_t B, int64_t H, bool UsesBatch, bool UsesHead,
                         int64_t Origin);
/// "1,234,567".
std::string groupDigits(int64_t X);
/// The lines below a picture: kept pairs, tiles, rows.
std::vector<std::pair<std::string, std::string>>
describeCounts(const ShowResult &Result);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_HEDDLE_SHOWRENDER_H
