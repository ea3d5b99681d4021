// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The forms of instructions that kernels are made of and other tests do not
// have, by the formulas of the PTX ISA; and whether every instruction that is
// read at all has a test.

#include "Run.h"

#include "codegen/nv/emulation/Decoder.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

/// Code that leaves its result in %rd0, and the result.
struct FormRow {
  const char *Code;
  uint64_t Want;
};

void expectForms(llvm::ArrayRef<FormRow> Rows) {
  for (const FormRow &R : Rows) {
    const Outcome O =
        outcome(std::string(R.Code) + "\n st.global.b64 [%out], %rd0;");
    EXPECT_EQ(O.Out[0] | uint64_t(O.Out[1]) << 32, R.Want) << R.Code;
  }
}

TEST(PtxForms, Integers) {
  constexpr uint64_t Ones = ~uint64_t(0);
  expectForms({
      {"max.s64 %rd0, -5, 3;", 3},
      {"min.s64 %rd0, -5, 3;", Ones - 4},
      // Modulo 2^64; the upper half of the product of signed numbers.
      {"mul.lo.s64 %rd0, 0x100000001, 0x100000001;", 0x0000000200000001},
      {"mul.hi.s64 %rd0, -1, 2;", Ones},
      {"mul.hi.s64 %rd0, 0x4000000000000000, 12;", 3},
      {"mad.lo.s64 %rd0, 3, -4, 5;", Ones - 6},
      {"neg.s64 %rd0, 7;", Ones - 6},
      {"not.b64 %rd0, 0xff;", Ones - 0xff},
      {"div.u64 %rd0, -1, 16;", Ones >> 4},
      {"div.s64 %rd0, -7, 2;", Ones - 2},
      {"shr.s64 %rd0, -8, 1;", Ones - 3},
      {"shr.s64 %rd0, -8, 70;", Ones},
      {"shr.s64 %rd0, 8, 70;", 0},
      {"brev.b64 %rd0, 5;", uint64_t(5) << 61},
      {"popc.b64 %r0, 0xf0f0000000000001; cvt.u64.u32 %rd0, %r0;", 9},
      {"mul.wide.u16 %r0, 65535, 65535; cvt.u64.u32 %rd0, %r0;", 0xfffe0001},
      {"and.b16 %h0, 0xff0f, 0x3cf3; cvt.u64.u16 %rd0, %h0;", 0x3c03},
  });
}

TEST(PtxForms, Selections) {
  const std::string No = "setp.ne.b32 %p1, 1, 1; ",
                    Yes = "setp.eq.b32 %p1, 1, 1; ";
  const std::string Of64 = "selp.b64 %rd0, 0x700000001, 9, %p1;",
                    Of16 = "selp.b16 %h0, 7, 9, %p1; cvt.u64.u16 %rd0, %h0;",
                    Of32 = "selp.f32 %f0, 0f3f800000, 0f40000000, %p1; "
                           "mov.b32 %r0, %f0; cvt.u64.u32 %rd0, %r0;",
                    Copied = "mov.pred %p1, %p1; ";
  expectForms({{(Yes + Of64).c_str(), 0x700000001},
               {(No + Of64).c_str(), 9},
               {(Yes + Of16).c_str(), 7},
               {(No + Of16).c_str(), 9},
               {(Yes + Of32).c_str(), 0x3f800000},
               {(No + Copied + Of32).c_str(), 0x40000000},
               {(Yes + Copied + Of16).c_str(), 7}});
}

TEST(PtxForms, Comparisons) {
  const struct {
    const char *Comparison;
    bool Want;
  } Rows[] = {
      {"eq.b32 %p1, 5, 5", true},
      {"eq.b64 %p1, 0x100000000, 0", false},
      {"ne.b64 %p1, 0x100000000, 0", true},
      // The same bits as signed and as unsigned numbers.
      {"ge.u64 %p1, -1, 1", true},
      {"gt.u64 %p1, -1, 1", true},
      {"lt.u64 %p1, -1, 1", false},
      {"gt.s64 %p1, -1, 1", false},
      {"lt.s64 %p1, -1, 1", true},
      {"le.s64 %p1, -1, -1", true},
      {"gt.s32 %p1, 1, -1", true},
      // Zeros are equal; nothing is equal to a NaN, and unordered comparisons
      // with one hold.
      {"eq.f32 %p1, 0f00000000, 0f80000000", true},
      {"eq.f32 %p1, 0f7fc00000, 0f7fc00000", false},
      {"leu.f32 %p1, 0f7fc00000, 0f00000000", true},
      {"leu.f32 %p1, 0f3f800000, 0f3f800000", true},
      {"leu.f32 %p1, 0f40000000, 0f3f800000", false},
  };
  for (const auto &R : Rows) {
    const Outcome O = outcome("setp." + std::string(R.Comparison) +
                              "; selp.b32 %r0, 1, 0, %p1;"
                              " st.global.b32 [%out], %r0;");
    EXPECT_EQ(O.Out[0], uint32_t(R.Want)) << R.Comparison;
  }
}

TEST(PtxForms, Floats) {
  const std::string Bits = " mov.b32 %r0, %f0; cvt.u64.u32 %rd0, %r0;";
  auto Sum = [&](const char *Code) { return std::string(Code) + Bits; };
  expectForms({
      // Halfway between two floats: the even one.
      {Sum("sub.rn.f32 %f0, 0f3f800000, 0f33000000;").c_str(), 0x3f800000},
      {Sum("sub.rn.f32 %f0, 0f3f7fffff, 0f33000000;").c_str(), 0x3f7ffffe},
      {Sum("lg2.approx.ftz.f32 %f0, 0f41000000;").c_str(), 0x40400000},
      {Sum("lg2.approx.ftz.f32 %f0, 0f00000000;").c_str(), 0xff800000},
      // A subnormal number counts as zero.
      {Sum("lg2.approx.ftz.f32 %f0, 0f00000001;").c_str(), 0xff800000},
      // The first number becomes the upper half; ties to even, infinity from
      // the middle above the largest number on.
      {"cvt.rn.f16x2.f32 %r0, 0f3f800000, 0f40000000; cvt.u64.u32 %rd0, %r0;",
       0x3c004000},
      {"cvt.rn.f16x2.f32 %r0, 0f3f801000, 0f477ff000; cvt.u64.u32 %rd0, %r0;",
       0x3c007c00},
      {"cvt.rn.f16x2.f32 %r0, 0f3f803000, 0fff800000; cvt.u64.u32 %rd0, %r0;",
       0x3c02fc00},
  });
}

TEST(PtxForms, Memory) {
  const char *Globals = ".shared .align 16 .b8 tile[64];\n";
  const Scene With = {1, 1, 0, 64, {0x8180ff7f, 0x01020304}};
  const Outcome O = outcome(R"(
    .local .align 8 .b8 stack[16];
    mov.b64 %rd9, tile; mov.b64 %rd8, stack;
    ld.global.b16 %h0, [%out+2]; st.global.b16 [%out+16], %h0;
    ld.global.b64 %rd1, [%out];
    st.shared.b64 [%rd9+8], %rd1; ld.shared.b64 %rd2, [%rd9+8];
    st.global.b64 [%out+24], %rd2;
    ld.shared.v2.b16 {%h1, %h2}, [%rd9+8];
    st.global.b16 [%out+32], %h2; st.global.b16 [%out+34], %h1;
    ld.shared.v2.b32 {%r1, %r2}, [%rd9+8];
    st.global.b32 [%out+36], %r2; st.global.b32 [%out+40], %r1;
    st.local.b64 [%rd8+8], %rd1; ld.local.b64 %rd3, [%rd8+8];
    st.global.b64 [%out+48], %rd3;
    // A narrow signed number extends its sign into a wide register.
    ld.s32 %rd4, [%out]; st.global.b64 [%out+56], %rd4;
    cvta.to.global.u64 %rd5, %out; ldu.global.b32 %r3, [%rd5+4];
    st.global.b32 [%out+64], %r3;)",
                            With, Globals);
  EXPECT_EQ(O.Out[4], 0x8180u);
  EXPECT_EQ(O.Out[6], 0x8180ff7fu);
  EXPECT_EQ(O.Out[7], 0x01020304u);
  EXPECT_EQ(O.Out[8], 0xff7f8180u);
  EXPECT_EQ(O.Out[9], 0x01020304u);
  EXPECT_EQ(O.Out[10], 0x8180ff7fu);
  EXPECT_EQ(O.Out[12], 0x8180ff7fu);
  EXPECT_EQ(O.Out[13], 0x01020304u);
  EXPECT_EQ(O.Out[14], 0x8180ff7fu);
  EXPECT_EQ(O.Out[15], 0xffffffffu);
  EXPECT_EQ(O.Out[16], 0x01020304u);
}

/// Every lane gets the value before its own turn; the largest stays.
TEST(PtxForms, AtomicMaximum) {
  const Outcome O = outcome(R"(
    xor.b32 %r1, %t, 5;
    atom.global.max.u32 %r2, [%out], %r1;
    setp.gt.u32 %p1, %r2, 31; selp.b32 %r3, 1, 0, %p1;
    st.global.b32 [%mine+128], %r3;)");
  EXPECT_EQ(O.Out[0], 31u);
  for (unsigned Lane = 0; Lane < 32; ++Lane)
    EXPECT_EQ(O.Out[32 + Lane], 0u);
}

/// What has no effect here but must not be refused, and what stops a kernel.
TEST(PtxForms, HintsAndStops) {
  const Outcome O = outcome(R"(
    nanosleep.u32 20; pmevent 3;
    createpolicy.fractional.L2::evict_first.b64 %rd1, 0f3f800000;
    prefetch.global.L2 [%out]; prefetchu.L1 [%out];
    applypriority.global.L2::evict_normal [%out], 128;
    discard.global.L2 [%out+1024], 128;
    getctarank.u64 %r1, %out;
    st.global.b32 [%mine], %r1;)");
  EXPECT_EQ(O.Out[0], 0u);
  expectFault(runBody("brkpt;"), FaultKind::Trap, {"brkpt"});
}

/// Whether `Name` begins an instruction somewhere in the sources: a type or
/// other modifier follows, operands, or the end.
bool isUsed(llvm::StringRef Name, llvm::StringRef All) {
  for (size_t At = All.find(Name); At != llvm::StringRef::npos;
       At = All.find(Name, At + 1)) {
    const char Before = At ? All[At - 1] : ' ';
    const llvm::StringRef After = All.substr(At + Name.size(), 2);
    if (llvm::isAlnum(Before) || llvm::StringRef("_.%:").contains(Before) ||
        After.size() < 2)
      continue;
    if (After[0] == ';' || (After[0] == '.' && llvm::isAlpha(After[1])) ||
        (After[0] == ' ' && llvm::StringRef("%[0123456789").contains(After[1])))
      return true;
  }
  return false;
}

/// The sources of the tests of this folder have every first word of an opcode
/// that the emulator reads, where an instruction begins.
TEST(PtxForms, NoInstructionIsForgotten) {
  std::string All;
  std::error_code Bad;
  const std::string Folder =
      llvm::sys::path::parent_path(HEDDLE_EMULATION_INPUTS).str();
  for (llvm::sys::fs::directory_iterator File(Folder, Bad), End;
       !Bad && File != End; File.increment(Bad))
    if (llvm::StringRef(File->path()).ends_with(".cpp"))
      if (auto Text = llvm::MemoryBuffer::getFile(File->path()))
        All += (*Text)->getBuffer();
  ASSERT_FALSE(Bad) << Bad.message();
  ASSERT_NE(All.find("NoInstructionIsForgotten"), std::string::npos);
  for (const auto &Known : instructions())
    EXPECT_TRUE(isUsed(Known.getKey(), All))
        << "no test of '" << Known.getKey().str() << "'";
}

} // namespace
