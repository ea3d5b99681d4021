// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"
#include "codegen/cpu/HostFeatures.h"

#include <functional>

using namespace heddle;
using namespace heddle::test;

static void noTask(const heddle_args *, int64_t, int64_t, int64_t, void *) {}
static void noCount(const heddle_args *, int64_t, int64_t, int64_t, int32_t,
                    int64_t *) {}

namespace {

/// A whole descriptor in memory, to be damaged by a test.
struct Parts {
  std::string Arch{cpu::hostArch()};
  heddle_param Params[2] = {{"a", 1, 1}, {"b", 2, 1}};
  heddle_code Codes[2] = {{"fast", "", noTask, noCount, 4, 4, 0},
                          {"slow", "", noTask, noCount, 4, 4, 0}};
  heddle_entry Entries[2] = {
      {"one", "p", HEDDLE_F32, 0, 0, 8, 8, 2, Params, 2, Codes},
      {"two", "p", HEDDLE_F32, 0, 0, 8, 8, 0, nullptr, 1, Codes}};
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

TEST(Descriptor, OpensFromMemory) {
  Parts P;
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
      {"unknown dtype 77", [](Parts &P) { P.Entries[0].dtype = 77; }},
      {"head dims 0 and 8", [](Parts &P) { P.Entries[0].d_qk = 0; }},
      {"head dims 8 and -3", [](Parts &P) { P.Entries[0].d_v = -3; }},
      {"list of parameters", [](Parts &P) { P.Entries[0].num_params = -1; }},
      {"list of parameters", [](Parts &P) { P.Entries[0].params = nullptr; }},
      {"parameter 1", [](Parts &P) { P.Params[1].name = nullptr; }},
      {"two parameters 'a'", [](Parts &P) { P.Params[1].name = "a"; }},
      {"no code", [](Parts &P) { P.Entries[0].num_codes = 0; }},
      {"no code", [](Parts &P) { P.Entries[0].codes = nullptr; }},
      {"code 0", [](Parts &P) { P.Codes[0].level = nullptr; }},
      {"code 0", [](Parts &P) { P.Codes[0].features = nullptr; }},
      {"two codes of level 'fast'",
       [](Parts &P) { P.Codes[1].level = "fast"; }},
      {"no entry points", [](Parts &P) { P.Codes[0].task = nullptr; }},
      {"no entry points", [](Parts &P) { P.Codes[1].count = nullptr; }},
      {"tile 0 x 4", [](Parts &P) { P.Codes[0].query_tile = 0; }},
      {"tile 4 x -1", [](Parts &P) { P.Codes[0].key_tile = -1; }},
      {"-8 bytes", [](Parts &P) { P.Codes[0].workspace_bytes = -8; }},
  };
  for (const auto &Case : Cases) {
    Parts P;
    Case.Damage(P);
    expectError(open(P), HEDDLE_INVALID_BUNDLE, {"damaged", Case.Message});
  }
}
