// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "AsyncKernels.h"

using namespace heddle::ptx::test;

static std::string str(uint64_t X) { return std::to_string(X); }

std::string heddle::ptx::test::module(const std::string &Parameters,
                                      const std::string &Body) {
  return ".version 8.0\n.target sm_90a\n.address_size 64\n"
         ".extern .shared .align 1024 .b8 memory[];\n"
         ".visible .entry f(" +
         Parameters + ")\n{\n" + Body + "}\n";
}

std::string GemmText::text() const {
  unsigned A = 0, B = tileBytesA(), Bar = A + B + tileBytesB();
  unsigned Code = Width == 128 ? 1 : Width == 64 ? 2 : Width == 32 ? 3 : 0;
  if (SwizzleCode < 4)
    Code = SwizzleCode;
  std::string Out = ".reg .pred %p<8>;\n.reg .b32 %r<40>;\n"
                    ".reg .b64 %rd<20>;\n.reg .b32 %acc<" +
                    str(N / 2) + ">;\n.reg .b32 %a<4>;\n";
  auto Line = [&](const std::string &Text) { Out += Text + "\n"; };
  std::string Barrier = "[memory+" + str(Bar) + "]";
  Line("mov.u32 %r0, %tid.x;");
  Line("setp.ne.b32 %p0, %r0, 0;");
  Line("@%p0 bra ready;");
  Line("mbarrier.init.shared.b64 " + Barrier + ", " + str(Arrivals) + ";");
  Line("fence.mbarrier_init.release.cluster;");
  Line("ready:");
  Line("bar.sync 0;");
  Line("@%p0 bra issued;");
  unsigned Bytes = ExpectedBytes
                       ? ExpectedBytes
                       : (RegisterA ? 0 : tileBytesA()) + tileBytesB();
  Line("mbarrier.arrive.expect_tx.shared.b64 _, " + Barrier + ", " +
       str(Bytes) + ";");
  for (unsigned I = 0; I < ExtraArrivals; ++I)
    Line("mbarrier.arrive.shared.b64 _, " + Barrier + ";");
  Line("mov.b64 %rd0, f_param_0;");
  Line("cvta.param.u64 %rd0, %rd0;");
  Line("mov.b64 %rd1, f_param_1;");
  Line("cvta.param.u64 %rd1, %rd1;");
  auto Copy = [&](unsigned To, const char *Map, unsigned X, unsigned Y) {
    Line("cp.async.bulk.tensor.2d.shared::cluster.global.tile"
         ".mbarrier::complete_tx::bytes [memory+" +
         str(To) + "], [" + Map + ", {" + str(X) + ", " + str(Y) + "}], " +
         Barrier + ";");
  };
  unsigned Elements = Width / 2, BoxA = 64 * Width;
  unsigned RowsB = OuterMajorB ? K : N, AlongB = OuterMajorB ? N : K;
  unsigned BoxB = RowsB * Width;
  if (!RegisterA)
    for (unsigned I = 0; I < K / Elements; ++I)
      Copy(A + I * BoxA, "%rd0", I * Elements, 0);
  for (unsigned I = 0; I < AlongB / Elements; ++I)
    Copy(B + I * BoxB, "%rd1", I * Elements, 0);
  Line("issued:");
  if (!SkipWait) {
    Line("again:");
    Line("mbarrier.try_wait.parity.shared.b64 %p1, " + Barrier + ", 0;");
    Line("@!%p1 bra again;");
  }
  // The thread's place in the fragments: row 16 warp + lane / 4, column 2 (lane
  // mod 4).
  Line("and.b32 %r1, %r0, 31;");
  Line("shr.u32 %r2, %r0, 5;");
  Line("shl.b32 %r2, %r2, 4;");
  Line("shr.u32 %r3, %r1, 2;");
  Line("add.u32 %r2, %r2, %r3;");
  Line("and.b32 %r3, %r1, 3;");
  Line("shl.b32 %r3, %r3, 1;");
  if (RegisterA) {
    Line("ld.param.u64 %rd5, [f_param_3];");
    Line("mad.lo.u32 %r4, %r2, " + str(K) + ", %r3;");
    Line("mul.wide.u32 %rd6, %r4, 2;");
    Line("add.u64 %rd5, %rd5, %rd6;");
  }
  if (!SkipFence)
    Line("wgmma.fence.sync.aligned;");
  // Descriptors without the address.
  auto Constant = [&](unsigned Leading, unsigned Stride) {
    return uint64_t(Leading >> 4) << 16 | uint64_t(Stride >> 4) << 32 |
           uint64_t(Code) << 62;
  };
  bool Plain = Width == 16;
  uint64_t FixedA = Constant(Plain ? BoxA : 16, 8 * Width), FixedB;
  if (!OuterMajorB)
    FixedB = Constant(Plain ? BoxB : 16, 8 * Width);
  else
    FixedB = Plain ? Constant(8 * Width, BoxB) : Constant(BoxB, 8 * Width);
  auto Descriptor = [&](const char *To, unsigned Offset, uint64_t Fixed) {
    Line("mov.b64 %rd10, memory;");
    Line("add.u64 %rd10, %rd10, " + str(Offset) + ";");
    Line("shr.u64 %rd10, %rd10, 4;");
    Line("and.b64 %rd10, %rd10, 16383;");
    Line(std::string("or.b64 ") + To + ", %rd10, " + str(Fixed) + ";");
  };
  std::string Type = Brain ? "bf16" : "f16", Sums;
  for (unsigned I = 0; I < N / 2; ++I)
    Sums += (I ? ", %acc" : "%acc") + str(I);
  for (unsigned Step = 0; Step < K / 16; ++Step) {
    unsigned AlongK = Step * 32; // bytes
    Descriptor("%rd2", A + AlongK / Width * BoxA + AlongK % Width, FixedA);
    unsigned OffsetB = OuterMajorB ? Step * 16 * Width
                                   : AlongK / Width * BoxB + AlongK % Width;
    Descriptor("%rd3", B + OffsetB, FixedB);
    std::string First = "%rd2";
    if (RegisterA) {
      for (unsigned R = 0; R < 4; ++R)
        Line("ld.global.b32 %a" + str(R) + ", [%rd5+" +
             str(2 * (Step * 16 + (R % 2) * 8 * K + R / 2 * 8)) + "];");
      First = "{%a0, %a1, %a2, %a3}";
      Line("wgmma.fence.sync.aligned;");
    }
    Line("wgmma.mma_async.sync.aligned.m64n" + str(N) + "k16.f32." + Type +
         "." + Type + " {" + Sums + "}, " + First + ", %rd3, " +
         (Step ? "1" : "0") + ", 1, 1" + (RegisterA ? "" : ", 0") +
         (OuterMajorB ? ", 1;" : ", 0;"));
    if (RegisterA && !ReuseA) {
      Line("wgmma.commit_group.sync.aligned;");
      Line("wgmma.wait_group.sync.aligned 0;");
    }
  }
  Line("wgmma.commit_group.sync.aligned;");
  if (WriteEarly)
    Line("mov.b32 %acc3, 0;");
  if (!SkipWgmmaWait && !ReadEarly)
    Line("wgmma.wait_group.sync.aligned 0;");
  Line("ld.param.u64 %rd4, [f_param_2];");
  Line("mad.lo.u32 %r4, %r2, " + str(N) + ", %r3;");
  Line("mul.wide.u32 %rd6, %r4, 4;");
  Line("add.u64 %rd4, %rd4, %rd6;");
  for (unsigned I = 0; I < N / 2; ++I)
    Line("st.global.b32 [%rd4+" +
         str(4 * (uint64_t(I / 2 % 2) * 8 * N + I / 4 * 8 + I % 2)) +
         "], %acc" + str(I) + ";");
  if (ReadEarly)
    Line("wgmma.wait_group.sync.aligned 0;");
  Line("ret;");
  return module(".param .align 64 .b8 f_param_0[128], "
                ".param .align 64 .b8 f_param_1[128], "
                ".param .u64 f_param_2, .param .u64 f_param_3",
                Out);
}
