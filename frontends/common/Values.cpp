// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Values.h"

#include "frontends/common/Generate.h"
#include "frontends/common/Numbers.h"
#include "runtime/npy/Header.h"
#include "runtime/src/Dtype.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::frontend;

ErrorText frontend::parseExtent(std::string_view Text, const std::string &What,
                                const Extents &Sizes, int64_t &Out) {
  std::string_view Base = Text.substr(0, Text.find('/'));
  const std::pair<std::string_view, int64_t> Names[] = {
      {"b", Sizes.Batch},    {"h", Sizes.Heads},   {"q", Sizes.SeqQ},
      {"k", Sizes.SeqK},     {"d", Sizes.HeadDim}, {"v", Sizes.ValueDim},
      {"f", Sizes.StateRows}};
  const auto *Name =
      std::find_if(std::begin(Names), std::end(Names),
                   [&](const auto &N) { return N.first == Base; });
  if (Base == "f" && Sizes.StateRows == 0)
    return fmt::format("{} has the extent '{}', the rows of a state, which "
                       "only recurrences have",
                       What, Text);
  if (Name != std::end(Names))
    Out = Name->second;
  else if (Base.empty() || Base.front() < '0' || Base.front() > '9')
    return fmt::format("{} has the extent '{}', expected a number or one of b, "
                       "h, q, k, d, v, f, perhaps divided, as in k/64",
                       What, Text);
  else if (ErrorText Bad =
               parseInteger(Base, "an extent of " + What, 0, IntegerLimit, Out))
    return Bad;
  if (Base.size() == Text.size())
    return std::nullopt;
  int64_t Divisor = 1;
  if (ErrorText Bad = parseInteger(Text.substr(Base.size() + 1),
                                   "the divisor of an extent of " + What, 1,
                                   IntegerLimit, Divisor))
    return Bad;
  Out = (Out + Divisor - 1) / Divisor;
  return std::nullopt;
}

static heddle_tensor viewOf(npy::Array &Of) {
  return {Of.Data.data<void>(), Of.Dtype, static_cast<int32_t>(Of.Shape.size()),
          Of.Shape.data(), nullptr};
}

/// Element `I` of an index tensor.
static int64_t elementAt(const npy::Array &Of, int64_t I) {
  return Of.Dtype == HEDDLE_I64 ? Of.Data.data<int64_t>()[I]
                                : Of.Data.data<int32_t>()[I];
}

/// Calls `Each` with the first and the end of the slots in `Indices` that count
/// as members of every set. The tensors may hold anything.
template <typename Body> static void forEachRow(const Operand &Of, Body Each) {
  const std::vector<int64_t> &Shape = Of.Indices.Shape;
  const int64_t Capacity = Shape.empty() ? 0 : Shape.back();
  if (Of.Indices.Data.size() == 0)
    return;
  const int64_t Rows = Of.Indices.Data.size() / Capacity;
  auto Within = [&](int64_t X) { return std::clamp<int64_t>(X, 0, Capacity); };
  if (Of.Sets.format == HEDDLE_LISTS) {
    const int64_t Lengths = Of.Lengths.Data.size();
    for (int64_t R = 0; R < Rows; ++R) {
      // Axes of extent 1 are rare enough to be left to the runtime.
      const bool Known = Lengths == Rows || Lengths == 1;
      const int64_t Count =
          Known ? Within(elementAt(Of.Lengths, Lengths == 1 ? 0 : R))
                : Capacity;
      Each(R * Capacity, R * Capacity + Count);
    }
    return;
  }
  const int64_t Ends = Of.Indptr.Shape.empty() ? 0 : Of.Indptr.Shape.back();
  const int64_t Groups = Ends ? Of.Indptr.Data.size() / Ends : 0;
  for (int64_t G = 0; G < std::min(Groups, Rows); ++G)
    Each(G * Capacity + Within(elementAt(Of.Indptr, G * Ends)),
         G * Capacity + Within(elementAt(Of.Indptr, G * Ends + Ends - 1)));
}

/// The smallest universe that holds every member.
static int64_t deriveSize(const Operand &Of) {
  int64_t Size = 0;
  forEachRow(Of, [&](int64_t Begin, int64_t End) {
    for (int64_t I = Begin; I < End; ++I)
      Size =
          std::max(Size, std::min(elementAt(Of.Indices, I), INT64_MAX - 1) + 1);
  });
  return Size;
}

static int64_t countMembers(const Operand &Of) {
  int64_t Count = 0;
  if (Of.Sets.format == HEDDLE_MAP) {
    const auto *Bytes = Of.Map.Data.data<uint8_t>();
    return Of.Map.Data.size() -
           std::count(Bytes, Bytes + Of.Map.Data.size(), uint8_t(0));
  }
  forEachRow(Of, [&](int64_t Begin, int64_t End) {
    Count += std::max<int64_t>(0, End - Begin);
  });
  return Count;
}

void Operand::finish(heddle_param_kind Kind) {
  TableView = viewOf(Table);
  IndicesView = viewOf(Indices);
  LengthsView = viewOf(Lengths);
  IndptrView = viewOf(Indptr);
  MapView = viewOf(Map);
  if (Kind != HEDDLE_SET) {
    Value.table = &TableView;
    Summary = fmt::format("table {} of {}", npy::shapeText(Table.Shape),
                          runtime::dtypeName(Table.Dtype));
    return;
  }
  const bool IsMap = Sets.format == HEDDLE_MAP;
  Sets.indices = IsMap ? nullptr : &IndicesView;
  Sets.lengths = Sets.format == HEDDLE_LISTS && !Lengths.Shape.empty()
                     ? &LengthsView
                     : nullptr;
  Sets.indptr = Sets.format == HEDDLE_CSR ? &IndptrView : nullptr;
  Sets.map = IsMap ? &MapView : nullptr;
  Value.sets = &Sets;
  std::vector<int64_t> Shape = (IsMap ? Map : Indices).Shape;
  Shape.pop_back();
  if (Sets.format == HEDDLE_CSR)
    Shape.push_back(std::max<int64_t>(0, Indptr.Shape.back() - 1));
  const char *const Formats[] = {"lists", "csr", "map"};
  Summary = fmt::format("{} {} in [0, {}), {} members", Formats[Sets.format],
                        npy::shapeText(Shape), Sets.size, countMembers(*this));
}

/// Reads a file that must have `Rank` axes.
static ErrorText load(const std::string &Path, const Parameter &Of,
                      const char *Role, int32_t Rank, npy::Dtypes Accepted,
                      npy::Array &Out) {
  if (ErrorText Bad = npy::read(Path, Out, Accepted))
    return Bad;
  if (Out.Shape.size() != static_cast<size_t>(Rank))
    return fmt::format("'{}' has rank {} (shape {}), expected rank {} for the "
                       "{} of '{}'",
                       Path, Out.Shape.size(), npy::shapeText(Out.Shape), Rank,
                       Role, Of.Name);
  return std::nullopt;
}

static ErrorText loadTable(const Parameter &Of, const Setting &From,
                           Operand &Out) {
  if (Of.Kind == HEDDLE_REAL_TABLE)
    return load(From.Paths[0], Of, "table", Of.Rank, {HEDDLE_F32}, Out.Table);
  return load(From.Paths[0], Of, "table", Of.Rank, {HEDDLE_I32, HEDDLE_I64},
              Out.Table);
}

static ErrorText loadSets(const Parameter &Of, const Setting &From,
                          Operand &Out) {
  if (From.Is == Setting::Form::Map) {
    Out.Sets.format = HEDDLE_MAP;
    if (ErrorText Bad =
            load(From.Paths[0], Of, "map", Of.Rank + 1, {HEDDLE_BOOL}, Out.Map))
      return Bad;
    Out.Sets.size = Out.Map.Shape.back();
    return std::nullopt;
  }
  if (From.Is == Setting::Form::Csr) {
    if (Of.Rank == 0)
      return fmt::format("'{}' in --set is in CSR, but its sets have no index "
                         "that could count rows; give one list",
                         Of.Name);
    Out.Sets.format = HEDDLE_CSR;
    if (ErrorText Bad = load(From.Paths[0], Of, "indptr", Of.Rank,
                             {HEDDLE_I32, HEDDLE_I64}, Out.Indptr))
      return Bad;
    return load(From.Paths[1], Of, "indices", Of.Rank, {HEDDLE_I32, HEDDLE_I64},
                Out.Indices);
  }
  Out.Sets.format = HEDDLE_LISTS;
  if (ErrorText Bad = load(From.Paths[0], Of, "lists", Of.Rank + 1,
                           {HEDDLE_I32, HEDDLE_I64}, Out.Indices))
    return Bad;
  if (From.Paths.size() < 2)
    return std::nullopt;
  return load(From.Paths[1], Of, "lengths", Of.Rank, {HEDDLE_I32, HEDDLE_I64},
              Out.Lengths);
}

static ErrorText makeSets(const Parameter &Of, const Setting &From,
                          const Extents &Sizes, uint64_t Seed, Operand &Out) {
  if (From.Is == Setting::Form::Generated)
    return generateSets(Of, From, Sizes, Seed, Out);
  if (ErrorText Bad = From.Is == Setting::Form::Written
                          ? writtenSets(Of, From, Out)
                          : loadSets(Of, From, Out))
    return Bad;
  if (From.Size)
    return parseExtent(*From.Size, fmt::format("the size of '{}'", Of.Name),
                       Sizes, Out.Sets.size);
  if (Out.Sets.format != HEDDLE_MAP)
    Out.Sets.size = deriveSize(Out);
  return std::nullopt;
}

static ErrorText makeTable(const Parameter &Of, const Setting &From,
                           const Extents &Sizes, uint64_t Seed, Operand &Out) {
  if (From.Is == Setting::Form::Generated)
    return generateTable(Of, From, Sizes, Seed, Out);
  return From.Is == Setting::Form::Written ? writtenTable(Of, From, Out)
                                           : loadTable(Of, From, Out);
}

ErrorText PatternValues::make(const std::vector<Parameter> &Parameters,
                              const std::vector<Setting> &Settings,
                              const Extents &Sizes) {
  Known = Parameters;
  Operands.clear();
  All.clear();
  for (size_t I = 0; I < Known.size(); ++I) {
    const Parameter &Of = Known[I];
    const Setting &From = Settings[I];
    auto Made = std::make_unique<Operand>();
    // Different parameters get different random numbers.
    const uint64_t Seed = From.Seed.value_or(I + 1);
    ErrorText Bad;
    switch (Of.Kind) {
    case HEDDLE_INTEGER:
      Made->Value.integer = From.Integer;
      break;
    case HEDDLE_REAL:
      Made->Value.real = From.Real;
      break;
    case HEDDLE_INTEGER_TABLE:
    case HEDDLE_REAL_TABLE:
      Bad = makeTable(Of, From, Sizes, Seed, *Made);
      break;
    case HEDDLE_SET:
      Bad = makeSets(Of, From, Sizes, Seed, *Made);
      break;
    }
    if (Bad)
      return Bad;
    if (Of.Kind != HEDDLE_INTEGER && Of.Kind != HEDDLE_REAL)
      Made->finish(Of.Kind);
    All.push_back(Made->Value);
    Operands.push_back(std::move(Made));
  }
  return std::nullopt;
}
