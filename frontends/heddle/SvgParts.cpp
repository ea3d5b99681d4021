// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/SvgParts.h"

#include "llvm/ADT/StringExtras.h"

#include <map>
#include <string>
#include <system_error>
#include <utility>

using namespace heddle;

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

void svg::writeHead(llvm::StringRef Title, int64_t Width, int64_t Height,
                    llvm::raw_ostream &Os) {
  Os << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << Width
     << ' ' << Height << "\" width=\"" << Width << "\" height=\"" << Height
     << "\" role=\"img\">\n<title>" << escape(Title) << "</title>\n"
     << Style << "<rect class=\"paper\" width=\"" << Width << "\" height=\""
     << Height << "\"/>\n";
}

void svg::writeText(int64_t X, int64_t Y, llvm::StringRef Class,
                    llvm::StringRef Text, llvm::StringRef Anchor,
                    llvm::raw_ostream &Os) {
  Os << "<text x=\"" << X << "\" y=\"" << Y << '"';
  if (!Class.empty())
    Os << " class=\"" << Class << '"';
  if (!Anchor.empty())
    Os << " text-anchor=\"" << Anchor << '"';
  Os << '>' << escape(Text) << "</text>\n";
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

void svg::writeBoxes(const std::vector<Box> &Boxes, int64_t CellSize,
                     llvm::raw_ostream &Os) {
  Os << " d=\"";
  for (const Box &B : Boxes)
    Os << 'M' << B.Col * CellSize << ' ' << B.Row * CellSize << 'h'
       << B.Cols * CellSize << 'v' << B.Rows * CellSize << 'h'
       << -B.Cols * CellSize << 'z';
  Os << "\"/>\n";
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
