// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/Values.h"

#include <algorithm>
#include <functional>
#include <numeric>

using namespace heddle::exec;

struct Value::Content {
  heddle_value Given = {};
  heddle_sets Sets = {};
  std::vector<int64_t> Shape, IndexShape, LengthShape;
  std::vector<int64_t> Integers, Lengths;
  std::vector<float> Reals;
  std::vector<uint8_t> Map;
  heddle_tensor Table = {}, Indices = {}, Length = {};
};

Value::Value(std::shared_ptr<Content> Held) : Held(std::move(Held)) {}
Value::Value(int64_t Integer) : Held(std::make_shared<Content>()) {
  Held->Given.integer = Integer;
}
Value::Value(double Real) : Held(std::make_shared<Content>()) {
  Held->Given.real = Real;
}

const heddle_value &Value::get() const { return Held->Given; }

static int64_t product(const std::vector<int64_t> &Shape) {
  return std::accumulate(Shape.begin(), Shape.end(), int64_t(1),
                         std::multiplies<>());
}

static heddle_tensor tensorOf(void *Data, heddle_dtype Dtype,
                              const std::vector<int64_t> &Shape) {
  return {Data, Dtype, static_cast<int32_t>(Shape.size()), Shape.data(),
          nullptr};
}

Value Value::table(std::vector<int64_t> Shape, std::vector<int64_t> Elements) {
  auto Made = std::make_shared<Content>();
  Made->Shape = std::move(Shape);
  Made->Integers = std::move(Elements);
  Made->Table = tensorOf(Made->Integers.data(), HEDDLE_I64, Made->Shape);
  Made->Given.table = &Made->Table;
  return Value(std::move(Made));
}

Value Value::table(std::vector<int64_t> Shape, std::vector<float> Elements) {
  auto Made = std::make_shared<Content>();
  Made->Shape = std::move(Shape);
  Made->Reals = std::move(Elements);
  Made->Table = tensorOf(Made->Reals.data(), HEDDLE_F32, Made->Shape);
  Made->Given.table = &Made->Table;
  return Value(std::move(Made));
}

Value Value::sets(std::vector<int64_t> Shape, int64_t Size,
                  const std::vector<std::vector<int64_t>> &Rows) {
  auto Made = std::make_shared<Content>();
  size_t Capacity = 0;
  for (const std::vector<int64_t> &Row : Rows)
    Capacity = std::max(Capacity, Row.size());
  for (const std::vector<int64_t> &Row : Rows) {
    Made->Lengths.push_back(static_cast<int64_t>(Row.size()));
    Made->Integers.insert(Made->Integers.end(), Row.begin(), Row.end());
    // What lies after the end of a list means nothing.
    Made->Integers.resize(Made->Lengths.size() * Capacity, -7);
  }
  Made->LengthShape = Shape;
  Made->IndexShape = std::move(Shape);
  Made->IndexShape.push_back(static_cast<int64_t>(Capacity));
  Made->Indices = tensorOf(Made->Integers.data(), HEDDLE_I64, Made->IndexShape);
  Made->Length = tensorOf(Made->Lengths.data(), HEDDLE_I64, Made->LengthShape);
  Made->Sets = {HEDDLE_LISTS,  Size,    &Made->Indices,
                &Made->Length, nullptr, nullptr};
  Made->Given.sets = &Made->Sets;
  return Value(std::move(Made));
}

Value Value::csr(std::vector<int64_t> Shape, int64_t Size,
                 const std::vector<std::vector<int64_t>> &Rows) {
  auto Made = std::make_shared<Content>();
  const auto RowsPerGroup = static_cast<size_t>(Shape.back());
  size_t Capacity = 0;
  for (size_t G = 0; G < Rows.size(); G += RowsPerGroup) {
    size_t Members = 0;
    for (size_t R = G; R < G + RowsPerGroup; ++R)
      Members += Rows[R].size();
    Capacity = std::max(Capacity, Members);
  }
  for (size_t G = 0; G < Rows.size(); G += RowsPerGroup) {
    int64_t End = 0;
    Made->Lengths.push_back(End);
    for (size_t R = G; R < G + RowsPerGroup; ++R) {
      End += static_cast<int64_t>(Rows[R].size());
      Made->Lengths.push_back(End);
      Made->Integers.insert(Made->Integers.end(), Rows[R].begin(),
                            Rows[R].end());
    }
    Made->Integers.resize((G / RowsPerGroup + 1) * Capacity, -7);
  }
  Made->LengthShape = Shape;
  ++Made->LengthShape.back();
  Made->IndexShape = std::move(Shape);
  Made->IndexShape.back() = static_cast<int64_t>(Capacity);
  Made->Indices = tensorOf(Made->Integers.data(), HEDDLE_I64, Made->IndexShape);
  Made->Length = tensorOf(Made->Lengths.data(), HEDDLE_I64, Made->LengthShape);
  Made->Sets = {HEDDLE_CSR, Size,          &Made->Indices,
                nullptr,    &Made->Length, nullptr};
  Made->Given.sets = &Made->Sets;
  return Value(std::move(Made));
}

Value Value::map(std::vector<int64_t> Shape, int64_t Size,
                 const std::vector<std::vector<int64_t>> &Rows) {
  auto Made = std::make_shared<Content>();
  Made->Map.resize(Rows.size() * static_cast<size_t>(Size));
  for (size_t R = 0; R < Rows.size(); ++R)
    for (int64_t Member : Rows[R])
      // Any byte other than zero is true.
      Made->Map[R * static_cast<size_t>(Size) + static_cast<size_t>(Member)] =
          static_cast<uint8_t>(1 + Member % 255);
  Made->IndexShape = std::move(Shape);
  Made->IndexShape.push_back(Size);
  Made->Indices = tensorOf(Made->Map.data(), HEDDLE_BOOL, Made->IndexShape);
  Made->Sets = {HEDDLE_MAP, Size, nullptr, nullptr, nullptr, &Made->Indices};
  Made->Given.sets = &Made->Sets;
  return Value(std::move(Made));
}

Value Value::randomIntegers(std::mt19937_64 &Random, std::vector<int64_t> Shape,
                            int64_t Low, int64_t High) {
  std::uniform_int_distribution<int64_t> Draw(Low, High);
  std::vector<int64_t> Elements(static_cast<size_t>(product(Shape)));
  for (int64_t &Element : Elements)
    Element = Draw(Random);
  return table(std::move(Shape), std::move(Elements));
}

Value Value::randomReals(std::mt19937_64 &Random, std::vector<int64_t> Shape,
                         float Low, float High) {
  std::uniform_real_distribution<float> Draw(Low, High);
  std::vector<float> Elements(static_cast<size_t>(product(Shape)));
  for (float &Element : Elements)
    Element = Draw(Random);
  return table(std::move(Shape), std::move(Elements));
}

Value Value::sorted(std::mt19937_64 &Random, std::vector<int64_t> Shape,
                    int64_t Groups) {
  std::vector<int64_t> Elements(static_cast<size_t>(product(Shape)));
  const int64_t Length = Shape.back();
  std::uniform_int_distribution<int64_t> Draw(0, Groups - 1);
  for (int64_t &Element : Elements)
    Element = Draw(Random);
  for (auto Row = Elements.begin(); Row != Elements.end(); Row += Length)
    std::sort(Row, Row + Length);
  return table(std::move(Shape), std::move(Elements));
}

std::vector<int64_t> heddle::exec::chooseMembers(std::mt19937_64 &Random,
                                                 int64_t Size, int64_t Count) {
  std::vector<int64_t> All(static_cast<size_t>(Size)), Chosen;
  std::iota(All.begin(), All.end(), 0);
  std::sample(All.begin(), All.end(), std::back_inserter(Chosen), Count,
              Random);
  return Chosen;
}

Value Value::randomSets(std::mt19937_64 &Random, std::vector<int64_t> Shape,
                        int64_t Size) {
  std::vector<std::vector<int64_t>> Rows(static_cast<size_t>(product(Shape)));
  auto Below = [&](int64_t Count) {
    return static_cast<int64_t>(Random() % static_cast<uint64_t>(Count));
  };
  for (std::vector<int64_t> &Row : Rows) {
    if (Size == 0)
      continue;
    switch (Below(6)) {
    case 0:
      break;
    case 1:
      Row = chooseMembers(Random, Size, Size);
      break;
    case 2:
      Row = {0};
      if (Size > 1)
        Row.push_back(Size - 1);
      break;
    case 3:
      Row = {Below(Size)};
      break;
    case 4:
      Row = chooseMembers(Random, Size, std::min<int64_t>(Size, 9));
      break;
    default:
      Row = chooseMembers(Random, Size, 1 + Below(Size));
    }
  }
  switch (Shape.empty() ? 0 : Below(3)) {
  case 0:
    return sets(std::move(Shape), Size, Rows);
  case 1:
    return csr(std::move(Shape), Size, Rows);
  default:
    return map(std::move(Shape), Size, Rows);
  }
}

std::vector<heddle_value> ValueList::get() const {
  std::vector<heddle_value> Result;
  for (const Value &V : All)
    Result.push_back(V.get());
  return Result;
}

std::vector<int64_t> ValueList::integers() const {
  std::vector<int64_t> Result;
  for (const Value &V : All)
    Result.push_back(V.get().integer);
  return Result;
}
