// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/SvgParts.h"

#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

using namespace heddle;

// Where the map is in a picture, in pixels.
static constexpr int64_t MapSize = 512;
static constexpr int64_t MaxCellSize = 24;
static constexpr int64_t Left = 76;
static constexpr int64_t Top = 76;
static constexpr int64_t Right = 24;
static constexpr int64_t LineHeight = 18;
static constexpr int64_t MinWidth = 440;

static constexpr llvm::StringLiteral Style = R"(<style>
text { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #24292f; }
.title { font-weight: bold; font-size: 14px; }
.axis { fill: #57606a; font-size: 11px; }
.paper { fill: #ffffff; }
.empty { fill: #eaeef2; }
.some { fill: #c8dcf0; }
.half { fill: #8fbce6; }
.live { fill: #e6a33a; }
.full { fill: #1f5fa8; }
.frame { fill: none; stroke: #8c959f; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.axis { fill: #9198a1; }
.paper { fill: #0d1117; }
.empty { fill: #21262d; }
.some { fill: #17385c; }
.half { fill: #255f99; }
.live { fill: #d29922; }
.full { fill: #79c0ff; }
.frame { stroke: #6e7681; }
}
</style>
)";

static std::string escape(llvm::StringRef Text) {
  std::string Out;
  llvm::raw_string_ostream Stream(Out);
  llvm::printHTMLEscaped(Text, Stream);
  return Out;
}

/// The start of a picture: title, classes, background.
static void writeHead(llvm::StringRef Title, int64_t Width, int64_t Height,
                      llvm::raw_ostream &Os) {
  Os << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << Width
     << ' ' << Height << "\" width=\"" << Width << "\" height=\"" << Height
     << "\" role=\"img\">\n<title>" << escape(Title) << "</title>\n"
     << Style << "<rect class=\"paper\" width=\"" << Width << "\" height=\""
     << Height << "\"/>\n";
}

std::vector<svg::Box>
svg::cover(int64_t Rows, int64_t Cols,
           llvm::function_ref<bool(int64_t, int64_t)> Belongs) {
  std::vector<Box> Out;
  // Open rectangles by (first column, number of columns).
  std::map<std::pair<int64_t, int64_t>, Box> Open;
  for (int64_t Row = 0; Row <= Rows; ++Row) {
    std::map<std::pair<int64_t, int64_t>, Box> Next;
    for (int64_t Col = 0; Row < Rows && Col < Cols;) {
      if (!Belongs(Row, Col)) {
        ++Col;
        continue;
      }
      int64_t End = Col + 1;
      while (End < Cols && Belongs(Row, End))
        ++End;
      std::pair<int64_t, int64_t> Key(Col, End - Col);
      Box Here{Row, Col, 1, End - Col};
      if (auto It = Open.find(Key); It != Open.end()) {
        Here = It->second;
        ++Here.Rows;
        Open.erase(It);
      }
      Next.emplace(Key, Here);
      Col = End;
    }
    for (const auto &[Key, Done] : Open)
      Out.push_back(Done);
    Open = std::move(Next);
  }
  return Out;
}

/// The rest of a path element, from its outline on.
static void writeBoxes(const std::vector<svg::Box> &Boxes, int64_t CellSize,
                       llvm::raw_ostream &Os) {
  Os << " d=\"";
  for (const svg::Box &B : Boxes)
    Os << 'M' << B.Col * CellSize << ' ' << B.Row * CellSize << 'h'
       << B.Cols * CellSize << 'v' << B.Rows * CellSize << 'h'
       << -B.Cols * CellSize << 'z';
  Os << "\"/>\n";
}

std::pair<int64_t, int64_t>
svg::squareCells(int64_t RowTiles, int64_t ColumnTiles, int64_t Most) {
  const int64_t Longest = std::max<int64_t>({RowTiles, ColumnTiles, 1});
  if (Longest <= Most)
    return {RowTiles, ColumnTiles};
  auto Share = [&](int64_t Tiles) {
    return std::max<int64_t>(1, (Tiles * Most + Longest / 2) / Longest);
  };
  return {Share(RowTiles), Share(ColumnTiles)};
}

svg::MapDrawing::MapDrawing(int64_t Rows, int64_t Columns,
                            llvm::raw_ostream &Os)
    : Os(Os), Rows(Rows), Columns(Columns),
      Cell(std::clamp<int64_t>(MapSize / std::max<int64_t>({Rows, Columns, 1}),
                               1, MaxCellSize)),
      Width(Cell * Columns), Height(Cell * Rows) {}

void svg::MapDrawing::draw(
    llvm::StringRef Title, llvm::StringRef Axes,
    llvm::ArrayRef<std::pair<std::string, std::string>> Facts) {
  size_t Longest = Title.size() + 4;
  for (const auto &[Name, Text] : Facts)
    Longest = std::max(Longest, Text.size() + 14);
  // A character of the font is at most 8 pixels wide.
  const int64_t PageWidth =
      std::max({Left + Width + Right, MinWidth, 24 + 8 * int64_t(Longest)});
  LegendX = 16;
  LegendY = Top + Height + 28;
  writeHead(Title, PageWidth,
            LegendY + LineHeight * (int64_t(Facts.size()) + 2), Os);
  text(16, 26, "title", Title);
  text(16, 44, "axis", Axes);
  map();
  labels();
  legend();
  int64_t Y = LegendY + 2 * LineHeight;
  for (const auto &[Name, Text] : Facts) {
    text(16, Y, "axis", Name);
    text(120, Y, "", Text);
    Y += LineHeight;
  }
  Os << "</svg>\n";
}

void svg::MapDrawing::text(int64_t X, int64_t Y, llvm::StringRef Class,
                           llvm::StringRef Text, llvm::StringRef Anchor) {
  Os << "<text x=\"" << X << "\" y=\"" << Y << '"';
  if (!Class.empty())
    Os << " class=\"" << Class << '"';
  if (!Anchor.empty())
    Os << " text-anchor=\"" << Anchor << '"';
  Os << '>' << escape(Text) << "</text>\n";
}

void svg::MapDrawing::cells(llvm::function_ref<bool(int64_t, int64_t)> Belongs,
                            llvm::function_ref<void()> Start) {
  const std::vector<Box> Boxes = cover(Rows, Columns, Belongs);
  if (Boxes.empty())
    return;
  Start();
  writeBoxes(Boxes, Cell, Os);
}

void svg::MapDrawing::map() {
  if (Width == 0 || Height == 0)
    return;
  Os << "<g shape-rendering=\"crispEdges\" transform=\"translate(" << Left
     << ' ' << Top << ")\">\n<rect class=\"empty\" width=\"" << Width
     << "\" height=\"" << Height << "\"/>\n";
  fill();
  Os << "<rect class=\"frame\" width=\"" << Width << "\" height=\"" << Height
     << "\"/>\n</g>\n";
}

/// As many as fit without touching.
void svg::MapDrawing::labels() {
  const int64_t ColumnStep = std::max<int64_t>(1, 72 / Cell);
  for (int64_t Column = 0; Column < Columns; Column += ColumnStep)
    text(Left + Column * Cell, Top - 6, "axis",
         std::to_string(columnLabel(Column)));
  const int64_t RowStep = std::max<int64_t>(1, 48 / Cell);
  for (int64_t Row = 0; Row < Rows; Row += RowStep)
    text(Left - 6, Top + Row * Cell + 10, "axis", std::to_string(rowLabel(Row)),
         "end");
}

void svg::MapDrawing::entry(llvm::StringRef Text,
                            llvm::function_ref<void()> Start) {
  Start();
  Os << " x=\"" << LegendX << "\" y=\"" << LegendY - 10
     << "\" width=\"12\" height=\"12\"/>\n";
  text(LegendX + 16, LegendY, "", Text);
  LegendX += 16 + 8 * int64_t(Text.size()) + 12;
}

llvm::Error
svg::writeFile(llvm::StringRef Path,
               llvm::function_ref<void(llvm::raw_ostream &)> Print) {
  llvm::Error Failure = llvm::writeToOutput(Path, [&](llvm::raw_ostream &Os) {
    Print(Os);
    return llvm::Error::success();
  });
  if (!Failure)
    return llvm::Error::success();
  // Some of the reasons name the file themselves.
  const std::string Why = llvm::toString(std::move(Failure));
  const std::string Name = ("'" + Path + "': ").str();
  llvm::StringRef Reason = Why;
  Reason.consume_front(Name);
  return llvm::createStringError(std::make_error_code(std::errc::io_error),
                                 "cannot write " + Name + Reason);
}
