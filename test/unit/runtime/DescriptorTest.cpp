// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"
#include "codegen/cpu/HostFeatures.h"

#include <functional>

using namespace heddle;
using namespace heddle::test;

static void noTask(const heddle_args *, int64_t, int64_t, int64_t, void *) {}
static void noCount(const heddle_args *, int64_t, int64_t, int64_t, int32_t,
                    int64_t *) {}
static void noColumns(const heddle_args *, int64_t, int64_t, int64_t, int64_t,
                      void *) {}
static int64_t noCheck(const heddle_args *, int64_t *) { return 0; }

namespace {

/// A whole descriptor in memory, to be damaged by a test.
struct Parts {
  std::string Arch{cpu::hostArch()};
  heddle_param Params[3] = {{"a", {1}, 1, HEDDLE_INTEGER, 0, 0},
                            {"b", {}, 0, HEDDLE_INTEGER_TABLE, 2, 1},
                            {"c", {}, 0, HEDDLE_SET, 3, 0}};
  heddle_check Checks[2] = {{"'a' is odd", 0, 0}, {nullptr, 1, 1}};
  heddle_code Codes[2] = {
      {"fast", "", noTask,  noCount, noCheck, noColumns, 8, 4, {2, 4}, {4, 1},
       0,      1,  nullptr, nullptr, nullptr, nullptr,   0, 0, 0,      nullptr},
      {"slow",  "",      noTask, noCount, noCheck, noColumns, 8,
       4,       {8, 1},  {2, 2}, 0,       1,       nullptr,   nullptr,
       nullptr, nullptr, 0,      0,       0,       nullptr}};
  heddle_device_code Device = {"nv", "t", "c", "ptx", 3, nullptr, 0, 80,
                               32,   0,   32,  512,   0, nullptr, 0, 0};
  heddle_entry Entries[2] = {entry("one", 2), entry("two", 1)};

  heddle_entry entry(const char *Name, int64_t NumCodes) {
    heddle_entry Result = {};
    Result.name = Name;
    Result.pattern = "p";
    Result.dtype = HEDDLE_F16;
    Result.output_dtype = HEDDLE_F32;
    Result.d_qk = Result.d_v = 8;
    Result.num_params = 3;
    Result.params = Params;
    Result.num_checks = 2;
    Result.checks = Checks;
    Result.num_sources = 1;
    Result.grid_axes = 2;
    Result.has_block_max = 1;
    Result.block_q = Result.block_k = 16;
    Result.num_codes = NumCodes;
    Result.codes = Codes;
    return Result;
  }

  heddle_descriptor Descriptor = {HEDDLE_ABI_MAGIC,
                                  HEDDLE_ABI_VERSION,
                                  sizeof(heddle_descriptor),
                                  "test",
                                  Arch.c_str(),
                                  "{}",
                                  2,
                                  Entries};
};

} // namespace

static heddle_error *open(const Parts &P) {
  heddle_bundle *Bundle = nullptr;
  heddle_error *Error = heddle_bundle_from_descriptor(&P.Descriptor, &Bundle);
  EXPECT_EQ(Bundle == nullptr, Error != nullptr);
  heddle_bundle_close(Bundle);
  return Error;
}

static const char *const NoDevice =
    "level 'fast' of kernel 'one' has device code that cannot be run";

/// Makes the first code one for a device.
static heddle_device_code &onDevice(Parts &P) {
  P.Codes[0].task = nullptr;
  P.Codes[0].columns = nullptr;
  P.Codes[0].device = &P.Device;
  return P.Device;
}

TEST(Descriptor, OpensFromMemory) {
  Parts P;
  expectOk(open(P));
  onDevice(P);
  expectOk(open(P));
  P.Device.ptx = nullptr;
  P.Device.cubin = "binary";
  expectOk(open(P));
  // A bundle without kernels is odd but whole.
  P.Descriptor.num_entries = 0;
  P.Descriptor.entries = nullptr;
  expectOk(open(P));
}

TEST(Descriptor, RefusesEveryDamage) {
  const struct {
    const char *Message;
    std::function<void(Parts &)> Damage;
  } Cases[] = {
      {"does not name its compiler",
       [](Parts &P) { P.Descriptor.compiler = nullptr; }},
      {"does not name its compiler",
       [](Parts &P) { P.Descriptor.manifest = nullptr; }},
      {"list of kernels", [](Parts &P) { P.Descriptor.num_entries = -1; }},
      {"list of kernels", [](Parts &P) { P.Descriptor.entries = nullptr; }},
      {"two kernels 'one'", [](Parts &P) { P.Entries[1].name = "one"; }},
      {"kernel 1 has no name", [](Parts &P) { P.Entries[1].name = nullptr; }},
      {"kernel 0 has no name", [](Parts &P) { P.Entries[0].name = ""; }},
      {"kernel 0 has no name",
       [](Parts &P) { P.Entries[0].pattern = nullptr; }},
      {"the dtype 77", [](Parts &P) { P.Entries[0].dtype = 77; }},
      {"the dtype 3", [](Parts &P) { P.Entries[0].dtype = HEDDLE_I32; }},
      {"the dtype 5",
       [](Parts &P) { P.Entries[0].output_dtype = HEDDLE_BOOL; }},
      {"0 sources", [](Parts &P) { P.Entries[0].num_sources = 0; }},
      {"blocks of 0 x 16", [](Parts &P) { P.Entries[0].block_q = 0; }},
      {"head dims 0 and 8", [](Parts &P) { P.Entries[0].d_qk = 0; }},
      {"head dims 8 and -3", [](Parts &P) { P.Entries[0].d_v = -3; }},
      {"list of parameters", [](Parts &P) { P.Entries[0].num_params = -1; }},
      {"list of parameters", [](Parts &P) { P.Entries[0].params = nullptr; }},
      {"parameter 1", [](Parts &P) { P.Params[1].name = nullptr; }},
      {"two parameters 'a'", [](Parts &P) { P.Params[1].name = "a"; }},
      {"parameter 'a' of kernel 'one' has kind 9",
       [](Parts &P) { P.Params[0].kind = 9; }},
      {"has kind 0 with 1 axes", [](Parts &P) { P.Params[0].rank = 1; }},
      {"has kind 2 with 0 axes", [](Parts &P) { P.Params[1].rank = 0; }},
      {"has kind 2 with 5 axes", [](Parts &P) { P.Params[1].rank = 5; }},
      {"has kind 4 with 4 axes", [](Parts &P) { P.Params[2].rank = 4; }},
      {"with 3 axes and a default",
       [](Parts &P) { P.Params[2].has_default = 1; }},
      {"list of checks", [](Parts &P) { P.Entries[0].checks = nullptr; }},
      {"list of checks", [](Parts &P) { P.Entries[0].num_checks = -2; }},
      {"check 1 of kernel 'one' is about axis 1 of parameter 3",
       [](Parts &P) { P.Checks[1].param = 3; }},
      {"about axis 2 of parameter 1", [](Parts &P) { P.Checks[1].axis = 2; }},
      {"about axis -1", [](Parts &P) { P.Checks[1].axis = -1; }},
      {"token grid of 4 axes", [](Parts &P) { P.Entries[0].grid_axes = 4; }},
      {"token grid of 2 axes", [](Parts &P) { P.Entries[0].key_grid[1] = 1; }},
      {"token grid of 2 axes",
       [](Parts &P) { P.Entries[0].query_grid[0] = -1; }},
      {"boxes that are not its tile",
       [](Parts &P) { P.Codes[1].query_box[1] = 2; }},
      {"boxes that are not its tile",
       [](Parts &P) { P.Codes[1].key_box[0] = 0; }},
      {"no entry points", [](Parts &P) { P.Codes[0].check = nullptr; }},
      {"no entry points", [](Parts &P) { P.Codes[0].columns = nullptr; }},
      {"no code", [](Parts &P) { P.Entries[0].num_codes = 0; }},
      {"no code", [](Parts &P) { P.Entries[0].codes = nullptr; }},
      {"code 0", [](Parts &P) { P.Codes[0].level = nullptr; }},
      {"code 0", [](Parts &P) { P.Codes[0].features = nullptr; }},
      {"two codes of level 'fast'",
       [](Parts &P) { P.Codes[1].level = "fast"; }},
      {"no entry points", [](Parts &P) { P.Codes[0].task = nullptr; }},
      {"no entry points", [](Parts &P) { P.Codes[1].count = nullptr; }},
      {"tile 0 x 4", [](Parts &P) { P.Codes[0].query_tile = 0; }},
      {"tile 8 x -1", [](Parts &P) { P.Codes[0].key_tile = -1; }},
      {"tasks of -1 heads", [](Parts &P) { P.Codes[0].heads = -1; }},
      {"tasks of 2 heads",
       [](Parts &P) {
         P.Entries[0].uses_head = 1;
         P.Codes[1].heads = 2;
       }},
      {"-8 bytes", [](Parts &P) { P.Codes[0].workspace_bytes = -8; }},
      // Of a kernel with a token grid and outputs by columns.
      {"level 'fast' of kernel 'one' has packed code",
       [](Parts &P) { P.Codes[0].packed = &P.Codes[1]; }},
      {"no entry points", [](Parts &P) { onDevice(P).task = nullptr; }},
      {"no entry points", [](Parts &P) { onDevice(P).columns = nullptr; }},
      {"no entry points",
       [](Parts &P) {
         onDevice(P);
         P.Codes[0].count = nullptr;
       }},
      {NoDevice, [](Parts &P) { onDevice(P).target = nullptr; }},
      {NoDevice, [](Parts &P) { onDevice(P).task = ""; }},
      {NoDevice, [](Parts &P) { onDevice(P).ptx = nullptr; }},
      {NoDevice, [](Parts &P) { onDevice(P).arch = 8; }},
      {NoDevice, [](Parts &P) { onDevice(P).threads = 0; }},
      {NoDevice, [](Parts &P) { onDevice(P).threads = 1025; }},
      {NoDevice, [](Parts &P) { onDevice(P).shared_bytes = -1; }},
      {NoDevice, [](Parts &P) { onDevice(P).columns_threads = 0; }},
      {NoDevice,
       [](Parts &P) { onDevice(P).columns_shared_bytes = int64_t(1) << 40; }},
      // A launch would not have room for the arguments.
      {NoDevice,
       [](Parts &P) {
         onDevice(P);
         P.Entries[0].num_sources = 100;
       }},
  };
  for (const auto &Case : Cases) {
    Parts P;
    Case.Damage(P);
    expectError(open(P), HEDDLE_INVALID_BUNDLE, {"damaged", Case.Message});
  }
}
