// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Generate.h"

#include "frontends/common/Numbers.h"
#include "frontends/common/Random.h"
#include "runtime/npy/Header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

using namespace heddle;
using namespace heddle::frontend;

static std::string nameOf(const Parameter &Of) {
  return fmt::format("'{}' in --set", Of.Name);
}

static ErrorText allocate(const Parameter &Of, std::vector<int64_t> Shape,
                          heddle_dtype Dtype, npy::Array &Out) {
  std::optional<int64_t> Count = npy::numElements(Shape, Dtype);
  if (!Count ||
      !Out.Data.allocate(*Count, static_cast<size_t>(npy::elementBytes(Dtype))))
    return fmt::format("no memory for {} with shape {}", nameOf(Of),
                       npy::shapeText(Shape));
  Out.Shape = std::move(Shape);
  Out.Dtype = Dtype;
  return std::nullopt;
}

/// "1x8xq" as extents; missing leading ones are 1.
static ErrorText parseShape(const Parameter &Of, const Setting &From,
                            const Extents &Sizes, std::vector<int64_t> &Out) {
  Out.assign(static_cast<size_t>(Of.Rank), 1);
  if (!From.Shape)
    return std::nullopt;
  std::vector<std::string_view> Parts = split(*From.Shape, 'x');
  if (Parts.size() > Out.size())
    return fmt::format("{} has the shape '{}', expected at most {} extents",
                       nameOf(Of), *From.Shape, Of.Rank);
  for (size_t I = 0; I < Parts.size(); ++I)
    if (ErrorText Bad = parseExtent(Parts[I], nameOf(Of), Sizes,
                                    Out[Out.size() - Parts.size() + I]))
      return Bad;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

namespace {

/// Makes the rows of a table, a row being its last axis.
class TableMaker {
public:
  TableMaker(const Parameter &Of, const Setting &From, uint64_t Seed)
      : Of(Of), From(From), Random(Seed) {}

  /// Reads the argument.
  ErrorText parse(const std::vector<int64_t> &Shape) {
    const std::string &Kind = From.Generator;
    Length = Shape.back();
    if (Kind == "normal")
      return expectNone();
    if (Kind == "iota") {
      First = 1;
      return From.Argument.empty() ? std::nullopt
                                   : number(From.Argument, First);
    }
    if (Kind == "fill")
      return number(From.Argument, First);
    if (Kind == "sorted")
      return count();
    if (Kind == "random")
      return range();
    if (Shape.size() < 2)
      return fmt::format("{} is '{}', which needs a table with two axes, found "
                         "{}",
                         nameOf(Of), Kind, Shape.size());
    Positions = Shape[Shape.size() - 2];
    if (ErrorText Bad = number(From.Argument, First))
      return Bad;
    if (First <= 0)
      return fmt::format("{} has the base {}, expected a positive number",
                         nameOf(Of), From.Argument);
    return std::nullopt;
  }

  /// Row `Row` of the table.
  template <typename T> void fill(int64_t Row, T *Out) {
    const std::string &Kind = From.Generator;
    if (Kind == "sorted")
      return sorted(Out);
    for (int64_t I = 0; I < Length; ++I)
      Out[I] = static_cast<T>(element(Kind, Row, I));
  }

private:
  double element(const std::string &Kind, int64_t Row, int64_t I) {
    if (Kind == "fill")
      return First;
    if (Kind == "iota")
      return static_cast<double>(I) * First;
    if (Kind == "random" && Of.Kind == HEDDLE_INTEGER_TABLE)
      return First + static_cast<double>(
                         Random.below(static_cast<int64_t>(Last - First) + 1));
    if (Kind == "random")
      return First + (Last - First) * Random.uniform();
    if (Kind == "normal") {
      double Value = 0, Other = 0;
      Random.normal(Value, Other);
      return Value;
    }
    const double Angle =
        static_cast<double>(Row % Positions) *
        std::pow(First, -static_cast<double>(I) / static_cast<double>(Length));
    return Kind == "cos" ? std::cos(Angle) : std::sin(Angle);
  }

  /// Ascending numbers from 0, cut at random places.
  template <typename T> void sorted(T *Out) {
    std::vector<int64_t> Cuts(static_cast<size_t>(First) - 1);
    for (int64_t &Cut : Cuts)
      Cut = Random.below(std::max<int64_t>(1, Length));
    std::sort(Cuts.begin(), Cuts.end());
    size_t Group = 0;
    for (int64_t I = 0; I < Length; ++I) {
      while (Group < Cuts.size() && Cuts[Group] <= I)
        ++Group;
      Out[I] = static_cast<T>(Group);
    }
  }

  ErrorText expectNone() const {
    if (From.Argument.empty())
      return std::nullopt;
    return fmt::format("{} has '{}:{}', but '{}' takes no number", nameOf(Of),
                       From.Generator, From.Argument, From.Generator);
  }

  ErrorText number(std::string_view Text, double &Out) const {
    const std::string What =
        fmt::format("the number of '{}' for {}", From.Generator, nameOf(Of));
    if (Of.Kind == HEDDLE_REAL_TABLE)
      return From.Generator == "fill"
                 ? parseElement(std::string(Text), What, Out)
                 : parseNumber(std::string(Text), What, Out);
    int64_t Value = 0;
    ErrorText Bad =
        parseInteger(Text, What, -IntegerLimit, IntegerLimit - 1, Value);
    Out = static_cast<double>(Value);
    return Bad;
  }

  ErrorText count() {
    int64_t Groups = 0;
    ErrorText Bad = parseInteger(
        From.Argument, fmt::format("the number of groups for {}", nameOf(Of)),
        1, int64_t(1) << 24, Groups);
    First = static_cast<double>(Groups);
    return Bad;
  }

  ErrorText range() {
    const size_t Dots = From.Argument.find("..");
    if (Dots == From.Argument.npos)
      return fmt::format("{} has 'random:{}', expected a range, as in "
                         "random:0..9",
                         nameOf(Of), From.Argument);
    const std::string_view Text = From.Argument;
    if (ErrorText Bad = number(Text.substr(0, Dots), First))
      return Bad;
    if (ErrorText Bad = number(Text.substr(Dots + 2), Last))
      return Bad;
    if (Last < First)
      return fmt::format("{} has the range {}, whose end is before its start",
                         nameOf(Of), From.Argument);
    return std::nullopt;
  }

  const Parameter &Of;
  const Setting &From;
  Mixer Random;
  int64_t Length = 0, Positions = 1;
  /// The numbers of the argument, in the order they are written.
  double First = 0, Last = 0;
};

} // namespace

ErrorText frontend::generateTable(const Parameter &Of, const Setting &From,
                                  const Extents &Sizes, uint64_t Seed,
                                  Operand &Out) {
  std::vector<int64_t> Shape;
  if (ErrorText Bad = parseShape(Of, From, Sizes, Shape))
    return Bad;
  TableMaker Maker(Of, From, Seed);
  if (ErrorText Bad = Maker.parse(Shape))
    return Bad;
  const bool IsReal = Of.Kind == HEDDLE_REAL_TABLE;
  const int64_t Length = Shape.back();
  if (From.Generator == "iota" && !IsReal && Length > 0 &&
      static_cast<double>(Length) *
              std::fabs(std::strtod(
                  From.Argument.empty() ? "1" : From.Argument.c_str(),
                  nullptr)) >
          static_cast<double>(IntegerLimit))
    return fmt::format("{} has numbers beyond 2^31; choose a smaller step",
                       nameOf(Of));
  if (ErrorText Bad = allocate(Of, std::move(Shape),
                               IsReal ? HEDDLE_F32 : HEDDLE_I32, Out.Table))
    return Bad;
  const int64_t Rows = Length ? Out.Table.Data.size() / Length : 0;
  for (int64_t Row = 0; Row < Rows; ++Row)
    if (IsReal)
      Maker.fill(Row, Out.Table.Data.data<float>() + Row * Length);
    else
      Maker.fill(Row, Out.Table.Data.data<int32_t>() + Row * Length);
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Lists written out
//===----------------------------------------------------------------------===//

/// Appends the lists of numbers inside `From`, and their extents on the way:
/// `Shape[0]` belongs to the outermost list. Fails when lists of one level
/// differ in length.
static ErrorText flatten(const Parameter &Of, const WrittenList &From,
                         size_t Level, std::vector<int64_t> &Shape,
                         std::vector<const WrittenList *> &Rows) {
  if (Level == Shape.size()) {
    if (!From.Lists.empty())
      return fmt::format("{} has lists of different depth", nameOf(Of));
    Rows.push_back(&From);
    return std::nullopt;
  }
  const auto Count = static_cast<int64_t>(From.Lists.size());
  if (Count == 0)
    return fmt::format("{} has lists of different depth", nameOf(Of));
  if (Shape[Level] >= 0 && Shape[Level] != Count)
    return fmt::format("{} has lists of {} and of {} lists, expected the same "
                       "number everywhere",
                       nameOf(Of), Shape[Level], Count);
  Shape[Level] = Count;
  for (const WrittenList &Inner : From.Lists)
    if (ErrorText Bad = flatten(Of, Inner, Level + 1, Shape, Rows))
      return Bad;
  return std::nullopt;
}

/// The rows of a written operand whose rows have `Leading` axes before them.
static ErrorText rowsOf(const Parameter &Of, const WrittenList &From,
                        int32_t Leading, std::vector<int64_t> &Shape,
                        std::vector<const WrittenList *> &Rows) {
  Shape.assign(static_cast<size_t>(From.depth() - 1), -1);
  if (ErrorText Bad = flatten(Of, From, 0, Shape, Rows))
    return Bad;
  Shape.insert(Shape.begin(), static_cast<size_t>(Leading) - Shape.size(), 1);
  return std::nullopt;
}

ErrorText frontend::writtenTable(const Parameter &Of, const Setting &From,
                                 Operand &Out) {
  std::vector<int64_t> Shape;
  std::vector<const WrittenList *> Rows;
  if (ErrorText Bad = rowsOf(Of, From.List, Of.Rank - 1, Shape, Rows))
    return Bad;
  const size_t Length = Rows.front()->Numbers.size();
  for (const WrittenList *Row : Rows)
    if (Row->Numbers.size() != Length)
      return fmt::format("{} has rows of {} and of {} numbers, expected the "
                         "same everywhere",
                         nameOf(Of), Length, Row->Numbers.size());
  Shape.push_back(static_cast<int64_t>(Length));
  const bool IsReal = Of.Kind == HEDDLE_REAL_TABLE;
  if (ErrorText Bad = allocate(Of, std::move(Shape),
                               IsReal ? HEDDLE_F32 : HEDDLE_I32, Out.Table))
    return Bad;
  int64_t At = 0;
  for (const WrittenList *Row : Rows)
    for (const std::string &Text : Row->Numbers) {
      const std::string What = "a number of " + nameOf(Of);
      if (IsReal) {
        double Value = 0;
        if (ErrorText Bad = parseElement(Text, What, Value))
          return Bad;
        Out.Table.Data.data<float>()[At++] = static_cast<float>(Value);
        continue;
      }
      int64_t Value = 0;
      if (ErrorText Bad =
              parseInteger(Text, What, -IntegerLimit, IntegerLimit - 1, Value))
        return Bad;
      Out.Table.Data.data<int32_t>()[At++] = static_cast<int32_t>(Value);
    }
  return std::nullopt;
}

/// Lists of members as a tensor of indices and one of lengths.
static ErrorText storeLists(const Parameter &Of, std::vector<int64_t> Shape,
                            const std::vector<std::vector<int32_t>> &Rows,
                            Operand &Out) {
  Out.Sets.format = HEDDLE_LISTS;
  size_t Capacity = 0;
  for (const std::vector<int32_t> &Row : Rows)
    Capacity = std::max(Capacity, Row.size());
  if (ErrorText Bad = allocate(Of, Shape, HEDDLE_I32, Out.Lengths))
    return Bad;
  Shape.push_back(static_cast<int64_t>(Capacity));
  if (ErrorText Bad = allocate(Of, std::move(Shape), HEDDLE_I32, Out.Indices))
    return Bad;
  for (size_t R = 0; R < Rows.size(); ++R) {
    Out.Lengths.Data.data<int32_t>()[R] = static_cast<int32_t>(Rows[R].size());
    int32_t *Row = Out.Indices.Data.data<int32_t>() + R * Capacity;
    std::fill(std::copy(Rows[R].begin(), Rows[R].end(), Row), Row + Capacity,
              0);
  }
  return std::nullopt;
}

ErrorText frontend::writtenSets(const Parameter &Of, const Setting &From,
                                Operand &Out) {
  std::vector<int64_t> Shape;
  std::vector<const WrittenList *> Rows;
  if (ErrorText Bad = rowsOf(Of, From.List, Of.Rank, Shape, Rows))
    return Bad;
  std::vector<std::vector<int32_t>> Members(Rows.size());
  for (size_t R = 0; R < Rows.size(); ++R)
    for (const std::string &Text : Rows[R]->Numbers) {
      int64_t Value = 0;
      if (ErrorText Bad = parseInteger(Text, "a member of " + nameOf(Of),
                                       -IntegerLimit, IntegerLimit - 1, Value))
        return Bad;
      Members[R].push_back(static_cast<int32_t>(Value));
    }
  return storeLists(Of, std::move(Shape), Members, Out);
}

//===----------------------------------------------------------------------===//
// Random sets
//===----------------------------------------------------------------------===//

/// A random set of exactly `Count` members of [0, Size), ascending.
static std::vector<int32_t> choose(int64_t Count, int64_t Size, Mixer &Random) {
  std::vector<int32_t> Members;
  for (int64_t X = 0; X < Size && Count > 0; ++X)
    if (Random.below(Size - X) < Count) {
      Members.push_back(static_cast<int32_t>(X));
      --Count;
    }
  return Members;
}

/// A random set that holds every number of [0, Size) with a probability.
static std::vector<int32_t> sprinkle(double Share, int64_t Size,
                                     Mixer &Random) {
  std::vector<int32_t> Members;
  for (int64_t X = 0; X < Size; ++X)
    if (Random.uniform() <= Share)
      Members.push_back(static_cast<int32_t>(X));
  return Members;
}

ErrorText frontend::generateSets(const Parameter &Of, const Setting &From,
                                 const Extents &Sizes, uint64_t Seed,
                                 Operand &Out) {
  std::vector<int64_t> Shape;
  if (ErrorText Bad = parseShape(Of, From, Sizes, Shape))
    return Bad;
  int64_t Size = 0;
  if (ErrorText Bad =
          parseExtent(From.Size.value_or("k"),
                      fmt::format("the size of '{}'", Of.Name), Sizes, Size))
    return Bad;
  const bool IsShare = !From.Argument.empty() && From.Argument.back() == '%';
  double Percent = 0;
  int64_t Count = 0;
  if (IsShare) {
    if (ErrorText Bad = parseNumber(
            From.Argument.substr(0, From.Argument.size() - 1),
            fmt::format("the percentage of {}", nameOf(Of)), Percent))
      return Bad;
    if (Percent < 0 || Percent > 100)
      return fmt::format("the percentage of {} is {}, expected 0 to 100",
                         nameOf(Of), From.Argument);
  } else if (ErrorText Bad = parseInteger(
                 From.Argument,
                 fmt::format("the number of members of {}", nameOf(Of)), 0,
                 Size, Count)) {
    return Bad;
  }
  std::optional<int64_t> Rows = npy::numElements(Shape, HEDDLE_I32);
  if (!Rows)
    return fmt::format("no memory for {} with shape {}", nameOf(Of),
                       npy::shapeText(Shape));
  Mixer Random(Seed);
  std::vector<std::vector<int32_t>> Members(static_cast<size_t>(*Rows));
  for (std::vector<int32_t> &Row : Members)
    Row = IsShare ? sprinkle(Percent / 100, Size, Random)
                  : choose(Count, Size, Random);
  Out.Sets.size = Size;
  return storeLists(Of, std::move(Shape), Members, Out);
}
