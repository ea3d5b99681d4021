// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables and sets in the memory of a device, here the host's: they answer as
// those that they were copied from.

#include "DeviceOperands.h"
#include "DeviceScene.h"
#include "heddle/index.h"

#include <numeric>

using namespace heddle;
using namespace heddle::runtime;
using namespace heddle::test;
using namespace heddle::test::fake;

namespace {

/// Operands of a kernel of its own, prepared and copied.
struct Copied {
  FakeDriver Driver;
  OnDevice<heddle_device> Device = openFake();
  OperandStore Store;
  std::unique_ptr<DeviceMemory> Memory;
  std::vector<heddle_operand> There;

  Copied(std::vector<heddle_param> Params, const heddle_value *Values) {
    heddle_entry Entry = {};
    Entry.num_params = static_cast<int64_t>(Params.size());
    Entry.params = Params.data();
    ErrorText Bad =
        Store.prepare(Params.data(), Entry.num_params, Values, false);
    EXPECT_FALSE(Bad) << *Bad;
    DeviceImage Image;
    DeviceOperands Operands(Entry, Store, Image);
    Memory = std::make_unique<DeviceMemory>(*Device);
    UseContext Use(*Device);
    expectOk(Image.upload(*Device, *Memory));
    There = Operands.resolve(*Memory);
  }
  const heddle_operand &here(size_t I) const { return Store.operands()[I]; }
  bool owns(const void *At, size_t Bytes) const {
    return Driver.owns(reinterpret_cast<uint64_t>(At), Bytes);
  }
};

} // namespace

TEST(DeviceOperands, Numbers) {
  heddle_value Values[2] = {};
  Values[0].integer = -5;
  Values[1].real = 0.5;
  Copied All(
      {{"i", {}, 0, HEDDLE_INTEGER, 0, 0}, {"r", {}, 0, HEDDLE_REAL, 0, 0}},
      Values);
  EXPECT_EQ(All.There[0].integer, -5);
  EXPECT_EQ(All.There[1].real, 0.5);
}

TEST(DeviceOperands, RealsOfAnyStrides) {
  std::vector<float> Data(200);
  std::iota(Data.begin(), Data.end(), 0.0F);
  // A transposed table, one with an axis that stands for all and one that is
  // repeated, and one without elements.
  int64_t Shape[] = {3, 4, 5}, Strides[] = {1, 3, 20};
  heddle_tensor Transposed = {Data.data(), HEDDLE_F32, 3, Shape, Strides};
  int64_t Repeated[] = {1, 4, 6}, Zero[] = {7, 0, 2};
  heddle_tensor Broadcast = {Data.data() + 1, HEDDLE_F32, 3, Repeated, Zero};
  int64_t None[] = {0, 2};
  heddle_tensor Empty = {nullptr, HEDDLE_F32, 2, None, nullptr};
  int64_t Ten[] = {10}, Back[] = {-2};
  heddle_tensor Reversed = {Data.data() + 100, HEDDLE_F32, 1, Ten, Back};
  heddle_value Values[4] = {};
  Values[0].table = &Transposed;
  Values[1].table = &Broadcast;
  Values[2].table = &Empty;
  Values[3].table = &Reversed;
  Copied All({{"a", {}, 0, HEDDLE_REAL_TABLE, 3, 0},
              {"b", {}, 0, HEDDLE_REAL_TABLE, 3, 0},
              {"c", {}, 0, HEDDLE_REAL_TABLE, 2, 0},
              {"d", {}, 0, HEDDLE_REAL_TABLE, 1, 0}},
             Values);
  auto At = [&](size_t I, int64_t A, int64_t B, int64_t C) {
    const heddle_table &T = *All.There[I].table;
    const auto *Element = static_cast<const float *>(T.data) + A * T.stride[0] +
                          B * T.stride[1] + C * T.stride[2];
    EXPECT_TRUE(All.owns(Element, sizeof(float)));
    return *Element;
  };
  for (int64_t A = 0; A < 3; ++A)
    for (int64_t B = 0; B < 4; ++B)
      for (int64_t C = 0; C < 5; ++C)
        EXPECT_EQ(At(0, A, B, C), Data[A + 3 * B + 20 * C]);
  for (int64_t A = 0; A < 2; ++A)
    for (int64_t B = 0; B < 4; ++B)
      for (int64_t C = 0; C < 6; ++C)
        EXPECT_EQ(At(1, A, B, C), Data[1 + 2 * C]);
  for (int64_t I = 0; I < 10; ++I)
    EXPECT_EQ(At(3, I, 0, 0), Data[100 - 2 * I]);
  EXPECT_EQ(At(2, 0, 0, 0), At(2, 0, 0, 0));
  for (size_t I = 0; I < 4; ++I)
    for (int Axis = 0; Axis < 4; ++Axis)
      EXPECT_EQ(All.There[I].table->shape[Axis],
                All.here(I).table->shape[Axis]);
}

TEST(DeviceOperands, IntegersAndSetsAnswerTheSame) {
  std::mt19937 Random(7);
  std::vector<int64_t> Numbers(3 * 37);
  for (int64_t &X : Numbers)
    X = static_cast<int64_t>(Random() % 100);
  int64_t Shape[] = {3, 37};
  heddle_tensor Table = {Numbers.data(), HEDDLE_I64, 2, Shape, nullptr};
  std::vector<unsigned char> Map(4 * 130);
  for (unsigned char &X : Map)
    X = Random() % 3 == 0;
  int64_t MapShape[] = {4, 130};
  heddle_tensor MapTensor = {Map.data(), HEDDLE_BOOL, 2, MapShape, nullptr};
  heddle_sets Sets = {HEDDLE_MAP, 130, nullptr, nullptr, nullptr, &MapTensor};
  heddle_value Values[3] = {};
  Values[0].table = Values[1].table = &Table;
  Values[2].sets = &Sets;
  Copied All({{"bounds", {}, 0, HEDDLE_INTEGER_TABLE, 2, 1},
              {"plain", {}, 0, HEDDLE_INTEGER_TABLE, 2, 0},
              {"sets", {}, 0, HEDDLE_SET, 1, 0}},
             Values);
  EXPECT_EQ(All.There[1].table->low, nullptr);
  EXPECT_EQ(All.There[1].table->high, nullptr);
  for (size_t I = 0; I < 2; ++I) {
    const heddle_table &T = *All.There[I].table;
    for (int64_t R = 0; R < 3; ++R)
      for (int64_t C = 0; C < 37; ++C) {
        const auto *Element = static_cast<const int32_t *>(T.data) +
                              R * T.stride[0] + C * T.stride[1];
        EXPECT_TRUE(All.owns(Element, sizeof(*Element)));
        EXPECT_EQ(*Element, Numbers[R * 37 + C]);
      }
  }
  const heddle_index &Ask = *heddle_index_functions();
  const heddle_table &Here = *All.here(0).table, &There = *All.There[0].table;
  const heddle_set &SetHere = *All.here(2).set, &SetThere = *All.There[2].set;
  EXPECT_TRUE(All.owns(There.low, 4) && All.owns(There.high, 4));
  EXPECT_TRUE(All.owns(SetThere.words, 8) && All.owns(SetThere.starts, 8));
  for (int I = 0; I < 500; ++I) {
    const auto Row = static_cast<int64_t>(Random() % 3);
    const auto First = static_cast<int64_t>(Random() % 37);
    const auto Last = First + static_cast<int64_t>(Random() % (37 - First));
    int64_t Want[2], Got[2];
    Ask.span(&Here, Row * Here.pyramid_stride[0], First, Last, Want);
    Ask.span(&There, Row * There.pyramid_stride[0], First, Last, Got);
    EXPECT_EQ(Got[0], Want[0]);
    EXPECT_EQ(Got[1], Want[1]);
    const auto Set = static_cast<int64_t>(Random() % 4);
    const auto X = static_cast<int64_t>(Random() % 131);
    EXPECT_EQ(Ask.rank(&SetThere, Set, X), Ask.rank(&SetHere, Set, X));
    EXPECT_EQ(Ask.member(&SetThere, Set, X / 2),
              Ask.member(&SetHere, Set, X / 2));
  }
}
