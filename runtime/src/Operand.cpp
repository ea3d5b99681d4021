// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Operand.h"
#include "Strided.h"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <chrono>
#include <cmath>

using namespace heddle;
using namespace heddle::runtime;

/// Elements of a row and all its coarser levels, `Size` > 0 of them in the row.
static int64_t pyramidSize(int64_t Size) {
  int64_t Sum = Size;
  while (Size > 1) {
    Size = (Size + 1) / 2;
    Sum += Size;
  }
  return Sum;
}

/// Copies a row of integers; false when one does not fit 32 bits.
template <typename T>
static bool copyRow(const T *From, int64_t Stride, int64_t Count,
                    int32_t *Into) {
  bool Fits = true;
  auto Copy = [&](const T *Source, int64_t Step) {
    for (int64_t I = 0; I < Count; ++I) {
      T Value = Source[I * Step];
      Into[I] = static_cast<int32_t>(Value);
      Fits &= Into[I] == Value;
    }
  };
  // A step known to be one makes vectors.
  if (Stride == 1)
    Copy(From, 1);
  else
    Copy(From, Stride);
  return Fits;
}

/// Into[i] = the choice of elements 2 i and 2 i + 1.
template <typename Choice>
static void halve(const int32_t *__restrict__ From, int64_t Pairs,
                  int32_t *__restrict__ Into, Choice Choose) {
  for (int64_t I = 0; I < Pairs; ++I)
    Into[I] = Choose(From[2 * I], From[2 * I + 1]);
}

/// Fills the coarser levels behind a row of `Size` elements.
template <typename Choice>
static void buildLevels(int32_t *Row, int64_t Size, Choice Choose) {
  while (Size > 1) {
    int32_t *Next = Row + Size;
    halve(Row, Size / 2, Next, Choose);
    if (Size % 2 != 0)
      Next[Size / 2] = Row[Size - 1];
    Row = Next;
    Size = (Size + 1) / 2;
  }
}

/// The first element of row `At` beyond 32 bits, for the message.
static std::string farElement(const heddle_param &Param, const Strided &From,
                              Odometer At, int64_t Count) {
  int32_t Last = From.Rank - 1;
  const auto *Row =
      static_cast<const int64_t *>(From.Data) + At.dot(From.Stride);
  int64_t I = 0;
  while (I + 1 < Count && Row[I * From.Stride[Last]] >= INT32_MIN &&
         Row[I * From.Stride[Last]] <= INT32_MAX)
    ++I;
  At.Index[Last] = I;
  return fmt::format("table '{}' holds {} at {}, expected -2^31 to 2^31 - 1",
                     Param.name, Row[I * From.Stride[Last]],
                     tupleText(At.Index, From.Rank));
}

/// Copies a table of integers and builds the bounds of its rows. What repeats
/// along an axis is stored once.
static ErrorText copyIntegers(const heddle_param &Param, const Strided &From,
                              PreparedTable &Out) {
  heddle_table &Table = Out.Table;
  int32_t Last = From.Rank - 1;
  int64_t Stored[Strided::MaxRank] = {};
  bool Empty = false;
  for (int32_t Axis = 0; Axis < From.Rank; ++Axis) {
    Stored[Axis] = From.Stride[Axis] == 0 ? 1 : From.Shape[Axis];
    Empty |= From.Shape[Axis] == 0;
  }
  // An empty table still has one element, which nobody looks at, so that a
  // clamped index is never one outside of memory.
  int64_t Size = Empty ? 1 : Stored[Last];
  int64_t Pitch = Param.needs_bounds ? pyramidSize(Size) : Size;
  int64_t Rows = 1, Elements = Pitch;
  for (int32_t Axis = Last; Axis-- > 0 && !Empty;) {
    Table.stride[Axis] = Stored[Axis] == 1 ? 0 : Elements;
    Table.pyramid_stride[Axis] = Table.stride[Axis];
    Rows *= Stored[Axis];
    if (__builtin_mul_overflow(Elements, Stored[Axis], &Elements))
      return fmt::format("table '{}' of shape {} has more elements than memory "
                         "can hold",
                         Param.name, tupleText(From.Shape, From.Rank));
  }
  Table.stride[Last] = Empty || From.Stride[Last] == 0 ? 0 : 1;
  Out.Low.resize(Elements);
  if (Param.needs_bounds)
    Out.High.resize(Elements);
  Out.Low[0] = 0;
  Odometer At(Stored, Last);
  for (int64_t Row = 0; Row < Rows; ++Row, At.step()) {
    int32_t *Low = &Out.Low[Row * Pitch];
    bool Fits = Empty || From.atOffset(At.dot(From.Stride), [&](const auto *P) {
      return copyRow(P, From.Stride[Last], Size, Low);
    });
    if (!Fits)
      return farElement(Param, From, At, Size);
    if (!Param.needs_bounds)
      continue;
    int32_t *High = &Out.High[Row * Pitch];
    std::copy_n(Low, Size, High);
    buildLevels(Low, Size, [](int32_t A, int32_t B) { return std::min(A, B); });
    buildLevels(High, Size,
                [](int32_t A, int32_t B) { return std::max(A, B); });
  }
  Table.data = Out.Low.data();
  if (Param.needs_bounds) {
    Table.low = Out.Low.data();
    Table.high = Out.High.data();
  }
  return std::nullopt;
}

ErrorText runtime::prepareTable(const heddle_param &Param,
                                const heddle_tensor *Tensor,
                                PreparedTable &Out) {
  static const float Nothing = 0;
  bool Integers = Param.kind == HEDDLE_INTEGER_TABLE;
  Strided From;
  std::string What = fmt::format("table '{}'", Param.name);
  if (ErrorText Bad =
          Integers
              ? From.bind(What, Tensor, Param.rank, {HEDDLE_I32, HEDDLE_I64})
              : From.bind(What, Tensor, Param.rank, {HEDDLE_F32}))
    return Bad;
  heddle_table &Table = Out.Table;
  Table = {};
  Table.rank = From.Rank;
  bool Empty = false;
  for (int32_t Axis = 0; Axis < From.Rank; ++Axis) {
    Table.shape[Axis] =
        From.Shape[Axis] == 1 ? RepeatedExtent : From.Shape[Axis];
    Table.stride[Axis] = From.Stride[Axis];
    Empty |= From.Shape[Axis] == 0;
  }
  if (Integers) {
    std::fill_n(Table.stride, From.Rank, 0);
    return copyIntegers(Param, From, Out);
  }
  Table.data = From.Data;
  if (Empty) {
    Table.data = &Nothing;
    std::fill_n(Table.stride, From.Rank, 0);
  }
  return std::nullopt;
}

/// An integer or a real.
static ErrorText prepareScalar(const heddle_param &Param,
                               const heddle_value &Value, heddle_operand &Out) {
  if (Param.kind == HEDDLE_INTEGER) {
    Out.integer = Value.integer;
    if (Value.integer < INT32_MIN || Value.integer > INT32_MAX)
      return fmt::format("parameter '{}' is {}, expected -2^31 to 2^31 - 1",
                         Param.name, Value.integer);
    return std::nullopt;
  }
  Out.real = Value.real;
  if (!(std::fabs(Value.real) <= FLT_MAX))
    return fmt::format("parameter '{}' is {}, expected a finite number in the "
                       "range of f32",
                       Param.name, Value.real);
  return std::nullopt;
}

ErrorText OperandStore::prepare(const heddle_param *Params, int64_t Count,
                                const heddle_value *Values, bool Trusted) {
  *this = {};
  if (Count > 0 && !Values)
    return fmt::format("the list of parameters is null, expected {} values",
                       Count);
  Operands.resize(Count);
  auto Start = std::chrono::steady_clock::now();
  for (int64_t I = 0; I < Count; ++I) {
    const heddle_param &Param = Params[I];
    ErrorText Bad;
    switch (Param.kind) {
    case HEDDLE_INTEGER_TABLE:
    case HEDDLE_REAL_TABLE:
      Tables.push_back(std::make_unique<PreparedTable>());
      Bad = prepareTable(Param, Values[I].table, *Tables.back());
      Operands[I].table = &Tables.back()->Table;
      break;
    case HEDDLE_SET:
      Sets.push_back(std::make_unique<PreparedSet>());
      Bad = prepareSet(Param, Values[I].sets, Trusted, *Sets.back());
      Operands[I].set = &Sets.back()->Set;
      break;
    default:
      Bad = prepareScalar(Param, Values[I], Operands[I]);
    }
    if (Bad)
      return Bad;
  }
  std::chrono::duration<double, std::milli> Took =
      std::chrono::steady_clock::now() - Start;
  if (!Tables.empty() || !Sets.empty())
    Milliseconds = Took.count();
  return std::nullopt;
}

template <typename T> static int64_t bytesOf(const T &Elements) {
  return static_cast<int64_t>(Elements.capacity() * sizeof(Elements[0]));
}

int64_t OperandStore::bytes() const {
  int64_t Sum = 0;
  for (const auto &Table : Tables)
    Sum += bytesOf(Table->Low) + bytesOf(Table->High);
  for (const auto &Set : Sets)
    Sum += bytesOf(Set->Words) + bytesOf(Set->Before) + bytesOf(Set->Members) +
           bytesOf(Set->Starts);
  return Sum;
}
