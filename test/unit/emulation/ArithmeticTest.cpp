// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every instruction on scalars, with inputs at the edges.

#include "Run.h"

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

/// One instruction on constants; the result of thread 0 as 32 bits (%r0).
uint32_t eval(const std::string &Code) {
  return outcome(Code + "\n st.global.b32 [%mine], %r0;").Out[0];
}
uint64_t eval64(const std::string &Code) {
  Outcome O = outcome(Code + "\n st.global.b64 [%out], %rd0;");
  return O.Out[0] | uint64_t(O.Out[1]) << 32;
}
uint32_t eval16(const std::string &Code) {
  return eval(Code + "\n cvt.u32.u16 %r0, %h0;");
}

/// An instruction on registers with these bits: types that take no numbers.
uint32_t evalBits(const std::string &Opcode,
                  const std::vector<uint32_t> &Sources) {
  std::string Moves, Names;
  for (size_t I = 0; I < Sources.size(); ++I) {
    std::string Name = "%r" + std::to_string(I + 1);
    Moves += "mov.b32 " + Name + ", " + std::to_string(Sources[I]) + "; ";
    Names += ", " + Name;
  }
  return eval(Moves + Opcode + " %r0" + Names + ";");
}
uint32_t evalHalves(const std::string &Opcode,
                    const std::vector<uint32_t> &Sources) {
  std::string Moves, Names;
  for (size_t I = 0; I < Sources.size(); ++I) {
    std::string Name = "%h" + std::to_string(I + 1);
    Moves += "mov.b16 " + Name + ", " + std::to_string(Sources[I]) + "; ";
    Names += ", " + Name;
  }
  return eval16(Moves + Opcode + " %h0" + Names + ";");
}

TEST(PtxInteger, Arithmetic) {
  EXPECT_EQ(eval("add.s32 %r0, 2147483647, 1;"), 0x80000000u);
  EXPECT_EQ(eval("add.sat.s32 %r0, 2147483647, 1;"), 0x7fffffffu);
  EXPECT_EQ(eval("sub.sat.s32 %r0, -2147483648, 1;"), 0x80000000u);
  EXPECT_EQ(eval("mul.lo.s32 %r0, -3, 7;"), uint32_t(-21));
  EXPECT_EQ(eval("mul.hi.s32 %r0, -1, 7;"), 0xffffffffu);
  EXPECT_EQ(eval("mul.hi.u32 %r0, -1, 7;"), 6u);
  EXPECT_EQ(eval64("mul.wide.s32 %rd0, -3, 5;"), uint64_t(-15));
  EXPECT_EQ(eval64("mul.wide.u32 %rd0, -1, -1;"), 0xfffffffe00000001ull);
  EXPECT_EQ(eval64("mul.hi.u64 %rd0, -1, -1;"), 0xfffffffffffffffeull);
  EXPECT_EQ(eval("mul.wide.s16 %r0, -2, 300;"), uint32_t(-600));
  EXPECT_EQ(eval("mad.lo.s32 %r0, 5, 6, 7;"), 37u);
  EXPECT_EQ(eval("mad.hi.u32 %r0, 0x80000000, 4, 7;"), 9u);
  EXPECT_EQ(eval64("mad.wide.u32 %rd0, 5, 6, 7;"), 37u);
  EXPECT_EQ(eval("mul24.lo.u32 %r0, 0x1000003, 2;"), 6u);
  EXPECT_EQ(eval("sad.u32 %r0, 3, 10, 5;"), 12u);
  EXPECT_EQ(eval("div.s32 %r0, -7, 2;"), uint32_t(-3));
  EXPECT_EQ(eval("div.u32 %r0, -7, 2;"), 0x7ffffffcu);
  EXPECT_EQ(eval("div.s32 %r0, -2147483648, -1;"), 0x80000000u);
  EXPECT_EQ(eval("rem.s32 %r0, -7, 2;"), uint32_t(-1));
  EXPECT_EQ(eval("rem.u32 %r0, 7, 4;"), 3u);
  EXPECT_EQ(eval("min.s32 %r0, -1, 1;"), uint32_t(-1));
  EXPECT_EQ(eval("min.u32 %r0, -1, 1;"), 1u);
  EXPECT_EQ(eval("max.s32 %r0, -1, 1;"), 1u);
  EXPECT_EQ(eval("abs.s32 %r0, -5;"), 5u);
  EXPECT_EQ(eval("neg.s32 %r0, 5;"), uint32_t(-5));
  EXPECT_EQ(eval16("add.s16 %h0, 32767, 1;"), 0x8000u);
  EXPECT_EQ(eval16("mul.lo.s16 %h0, -1, -1;"), 1u);
  EXPECT_EQ(eval("dp4a.s32.s32 %r0, 0xff010203, 0x01010101, 10;"), 15u);
  EXPECT_EQ(evalBits("min.s16x2", {0xffff0001, 0x00010002}), 0xffff0001u);
}

TEST(PtxInteger, Carry) {
  EXPECT_EQ(eval("add.cc.u32 %r1, -1, 1; addc.u32 %r0, 5, 6;"), 12u);
  EXPECT_EQ(eval("add.cc.u32 %r1, 1, 1; addc.u32 %r0, 5, 6;"), 11u);
  EXPECT_EQ(eval("sub.cc.u32 %r1, 1, 2; subc.u32 %r0, 5, 6;"), uint32_t(-2));
  EXPECT_EQ(eval("sub.cc.u32 %r1, 2, 1; subc.u32 %r0, 5, 6;"), uint32_t(-1));
}

TEST(PtxInteger, ShiftsClamp) {
  EXPECT_EQ(eval("shl.b32 %r0, 3, 4;"), 48u);
  EXPECT_EQ(eval("shl.b32 %r0, 3, 32;"), 0u);
  EXPECT_EQ(eval("shl.b32 %r0, 3, 256;"), 0u);
  EXPECT_EQ(eval("shr.u32 %r0, -1, 32;"), 0u);
  EXPECT_EQ(eval("shr.s32 %r0, -8, 1;"), uint32_t(-4));
  EXPECT_EQ(eval("shr.s32 %r0, -8, 40;"), 0xffffffffu);
  EXPECT_EQ(eval64("shl.b64 %rd0, 1, 63;"), uint64_t(1) << 63);
  EXPECT_EQ(eval64("shl.b64 %rd0, 1, 64;"), 0u);
  EXPECT_EQ(eval("shf.l.wrap.b32 %r0, 0x80000001, 0x0000000f, 33;"), 0x1fu);
  EXPECT_EQ(eval("shf.l.clamp.b32 %r0, 0x80000001, 0xf, 33;"), 0x80000001u);
  EXPECT_EQ(eval("shf.r.wrap.b32 %r0, 0x10, 0x3, 4;"), 0x30000001u);
  EXPECT_EQ(eval("shf.r.clamp.b32 %r0, 0x10, 0x3, 99;"), 3u);
}

TEST(PtxBits, Fields) {
  EXPECT_EQ(eval("bfe.u32 %r0, 0xabcd, 4, 8;"), 0xbcu);
  EXPECT_EQ(eval("bfe.s32 %r0, 0xabcd, 4, 8;"), 0xffffffbcu);
  EXPECT_EQ(eval("bfe.s32 %r0, 0x80000000, 28, 16;"), 0xfffffff8u);
  EXPECT_EQ(eval("bfe.u32 %r0, 0x80000000, 28, 16;"), 8u);
  EXPECT_EQ(eval("bfe.u32 %r0, -1, 40, 4;"), 0u);
  EXPECT_EQ(eval("bfe.s32 %r0, -1, 40, 4;"), 0xffffffffu);
  EXPECT_EQ(eval("bfe.u32 %r0, -1, 0, 0;"), 0u);
  EXPECT_EQ(eval("bfi.b32 %r0, 0xff, 0x12345678, 8, 4;"), 0x12345f78u);
  EXPECT_EQ(eval("bfi.b32 %r0, 0xff, 0x12345678, 33, 4;"), 0x12345678u);
  EXPECT_EQ(eval("popc.b32 %r0, 0xf0f;"), 8u);
  EXPECT_EQ(eval("clz.b32 %r0, 0x00ff0000;"), 8u);
  EXPECT_EQ(eval("clz.b32 %r0, 0;"), 32u);
  EXPECT_EQ(eval("clz.b64 %r0, 1;"), 63u);
  EXPECT_EQ(eval("brev.b32 %r0, 1;"), 0x80000000u);
  EXPECT_EQ(eval("bfind.u32 %r0, 0x100;"), 8u);
  EXPECT_EQ(eval("bfind.shiftamt.u32 %r0, 0x100;"), 23u);
  EXPECT_EQ(eval("bfind.s32 %r0, -1;"), 0xffffffffu);
  EXPECT_EQ(eval("bfind.s32 %r0, -2;"), 0u);
}

TEST(PtxBits, LogicAndPermutation) {
  EXPECT_EQ(eval("lop3.b32 %r0, 0xf0, 0xcc, 0xaa, 0x96;"), 0x96u);
  EXPECT_EQ(eval("lop3.b32 %r0, 0xf0, 0xcc, 0xaa, 0xe8;"), 0xe8u);
  EXPECT_EQ(eval("prmt.b32 %r0, 0x03020100, 0x07060504, 0x7531;"), 0x07050301u);
  EXPECT_EQ(eval("prmt.b32 %r0, 0x80, 0, 0x8888;"), 0xffffffffu);
  EXPECT_EQ(eval("prmt.b32.rc16 %r0, 0x33221100, 0, 1;"), 0x33223322u);
  EXPECT_EQ(eval("prmt.b32.f4e %r0, 0x33221100, 0x77665544, 1;"), 0x44332211u);
  EXPECT_EQ(eval("not.b32 %r0, 5;"), ~5u);
  EXPECT_EQ(eval("cnot.b32 %r0, 0;"), 1u);
  EXPECT_EQ(eval("setp.eq.s32 %p1, 1, 1; setp.eq.s32 %p2, 1, 2; "
                 "xor.pred %p3, %p1, %p2; and.pred %p4, %p3, !%p2; "
                 "selp.b32 %r0, 7, 8, %p4;"),
            7u);
}

// --- floats; 1.0 = 3f800000, 0.5 = 3f000000, 3.0 = 40400000 ---

TEST(PtxFloat, Arithmetic) {
  EXPECT_EQ(eval("add.rn.f32 %r0, 0f3F800000, 0f3F000000;"), 0x3fc00000u);
  EXPECT_EQ(eval("sub.f32 %r0, 0f3F800000, 0f3F000000;"), 0x3f000000u);
  // 1 + 2^-24 is halfway: to even, down, up.
  EXPECT_EQ(eval("add.rn.f32 %r0, 0f3F800000, 0f33800000;"), 0x3f800000u);
  EXPECT_EQ(eval("add.rz.f32 %r0, 0f3F800000, 0f33800000;"), 0x3f800000u);
  EXPECT_EQ(eval("add.rp.f32 %r0, 0f3F800000, 0f33800000;"), 0x3f800001u);
  EXPECT_EQ(eval("mul.rn.sat.f32 %r0, 0f40400000, 0f3F800000;"), 0x3f800000u);
  EXPECT_EQ(eval("add.rn.sat.f32 %r0, 0f7FC00000, 0f3F800000;"), 0u);
  EXPECT_EQ(eval("fma.rn.f32 %r0, 0f3F800001, 0f3F800001, 0fBF800002;"),
            0x28800000u);
  EXPECT_EQ(eval("fma.rz.f32 %r0, 0f3F800000, 0f3F800000, 0f33800000;"),
            0x3f800000u);
  EXPECT_EQ(eval("div.rn.f32 %r0, 0f3F800000, 0f40400000;"), 0x3eaaaaabu);
  EXPECT_EQ(eval("div.approx.ftz.f32 %r0, 0f3F800000, 0f40400000;"),
            0x3eaaaaabu);
  EXPECT_EQ(eval64("add.rn.f64 %rd0, 0d3FF0000000000000, "
                   "0d3FF0000000000000;"),
            0x4000000000000000u);
  EXPECT_EQ(eval64("fma.rn.f64 %rd0, 0d4000000000000000, "
                   "0d4000000000000000, 0d3FF0000000000000;"),
            0x4014000000000000u);
}

TEST(PtxFloat, Pairs) {
  EXPECT_EQ(eval64("mov.b64 %rd1, 0x3f80000040000000;"
                   "add.rn.f32x2 %rd0, %rd1, %rd1;"),
            0x4000000040800000u);
  EXPECT_EQ(eval64("mov.b64 %rd1, 0x3f80000040000000;"
                   "fma.rn.f32x2 %rd0, %rd1, %rd1, %rd1;"),
            0x4000000040c00000u);
}

TEST(PtxFloat, FlushesSubnormals) {
  EXPECT_EQ(eval("add.rn.f32 %r0, 0f00000001, 0f00000001;"), 2u);
  EXPECT_EQ(eval("add.rn.ftz.f32 %r0, 0f80000001, 0f80000001;"), 0x80000000u);
  EXPECT_EQ(eval("mul.rn.ftz.f32 %r0, 0f00800000, 0f3F000000;"), 0u);
  EXPECT_EQ(eval("setp.gt.f32 %p1, 0f00000001, 0f00000000; "
                 "selp.b32 %r0, 1, 0, %p1;"),
            1u);
  EXPECT_EQ(eval("setp.gt.ftz.f32 %p1, 0f00000001, 0f00000000; "
                 "selp.b32 %r0, 1, 0, %p1;"),
            0u);
}

TEST(PtxFloat, Extremes) {
  EXPECT_EQ(eval("max.f32 %r0, 0f7FC00000, 0f3F800000;"), 0x3f800000u);
  EXPECT_EQ(eval("max.NaN.f32 %r0, 0f7FC00000, 0f3F800000;"), 0x7fffffffu);
  EXPECT_EQ(eval("max.f32 %r0, 0f7FC00000, 0f7FC00000;"), 0x7fffffffu);
  EXPECT_EQ(eval("max.f32 %r0, 0f80000000, 0f00000000;"), 0u);
  EXPECT_EQ(eval("min.f32 %r0, 0f00000000, 0f80000000;"), 0x80000000u);
  EXPECT_EQ(eval("max.f32 %r0, 0f00000000, 0f3F800000, 0f40400000;"),
            0x40400000u);
  EXPECT_EQ(eval("abs.f32 %r0, 0fBF800000;"), 0x3f800000u);
  EXPECT_EQ(eval("neg.f32 %r0, 0fBF800000;"), 0x3f800000u);
  EXPECT_EQ(eval64("neg.f64 %rd0, 0dBFF0000000000000;"), 0x3ff0000000000000u);
  EXPECT_EQ(eval("copysign.f32 %r0, 0f80000000, 0f3F800000;"), 0xbf800000u);
}

TEST(PtxFloat, Halves) {
  // 0x3c00 = 1, 0x4000 = 2 of f16; 0x3f80 = 1, 0x4000 = 2 of bf16.
  EXPECT_EQ(evalHalves("add.rn.f16", {0x3c00, 0x3c00}), 0x4000u);
  EXPECT_EQ(evalHalves("fma.rn.bf16", {0x4000, 0x4000, 0x3f80}), 0x40a0u);
  EXPECT_EQ(evalBits("mul.rn.f16x2", {0x3c004000, 0x40004000}), 0x40004400u);
  EXPECT_EQ(evalBits("fma.rn.bf16x2", {0x40003f80, 0x3f803f80, 0x3f803f80}),
            0x40404000u);
  EXPECT_EQ(evalBits("fma.rn.relu.f16x2", {0xbc003c00, 0x3c003c00, 0x00000000}),
            0x00003c00u);
  EXPECT_EQ(evalBits("max.bf16x2", {0x7fff3f80, 0x40004000}), 0x40004000u);
  EXPECT_EQ(evalBits("neg.bf16x2", {0x3f80bf80}), 0xbf803f80u);
  EXPECT_EQ(evalHalves("abs.f16", {0xbc00}), 0x3c00u);
}

TEST(PtxFloat, Functions) {
  EXPECT_EQ(eval("ex2.approx.ftz.f32 %r0, 0f40400000;"), 0x41000000u);
  EXPECT_EQ(eval("ex2.approx.f32 %r0, 0fFF800000;"), 0u);
  EXPECT_EQ(eval("lg2.approx.f32 %r0, 0f41000000;"), 0x40400000u);
  EXPECT_EQ(eval("rcp.rn.f32 %r0, 0f40000000;"), 0x3f000000u);
  EXPECT_EQ(eval("rcp.approx.ftz.f32 %r0, 0f00000001;"), 0x7f800000u);
  EXPECT_EQ(eval("rcp.rz.f32 %r0, 0f40400000;"), 0x3eaaaaaau);
  EXPECT_EQ(eval("sqrt.rn.f32 %r0, 0f40800000;"), 0x40000000u);
  EXPECT_EQ(eval("rsqrt.approx.f32 %r0, 0f40800000;"), 0x3f000000u);
  EXPECT_EQ(eval("tanh.approx.f32 %r0, 0f00000000;"), 0u);
  EXPECT_EQ(eval("sin.approx.f32 %r0, 0f00000000;"), 0u);
  EXPECT_EQ(eval("cos.approx.f32 %r0, 0f00000000;"), 0x3f800000u);
  EXPECT_EQ(evalBits("ex2.approx.f16x2", {0x3c004000}), 0x40004400u);
}

TEST(PtxCompare, Relations) {
  auto Holds = [](const std::string &Code) {
    return eval(Code + " selp.b32 %r0, 1, 0, %p1;");
  };
  EXPECT_EQ(Holds("setp.lt.s32 %p1, -1, 1;"), 1u);
  EXPECT_EQ(Holds("setp.lt.u32 %p1, -1, 1;"), 0u);
  EXPECT_EQ(Holds("setp.hi.u32 %p1, -1, 1;"), 1u);
  EXPECT_EQ(Holds("setp.ge.s64 %p1, 5, 5;"), 1u);
  EXPECT_EQ(Holds("setp.ne.b16 %p1, 5, 5;"), 0u);
  EXPECT_EQ(Holds("setp.lt.f32 %p1, 0f7FC00000, 0f3F800000;"), 0u);
  EXPECT_EQ(Holds("setp.ltu.f32 %p1, 0f7FC00000, 0f3F800000;"), 1u);
  EXPECT_EQ(Holds("setp.ne.f32 %p1, 0f7FC00000, 0f7FC00000;"), 0u);
  EXPECT_EQ(Holds("setp.neu.f32 %p1, 0f7FC00000, 0f7FC00000;"), 1u);
  EXPECT_EQ(Holds("setp.nan.f32 %p1, 0f7FC00000, 0f3F800000;"), 1u);
  EXPECT_EQ(Holds("setp.num.f32 %p1, 0f7FC00000, 0f3F800000;"), 0u);
  EXPECT_EQ(Holds("mov.b16 %h1, 0x4000; mov.b16 %h2, 0x3c00; setp.gt.f16 %p1, "
                  "%h1, %h2;"),
            1u);
  EXPECT_EQ(Holds("setp.eq.s32 %p2, 1, 1; setp.eq.and.s32 %p1|%p3, 1, 2, %p2;"
                  " not.pred %p1, %p1;"),
            1u);
  EXPECT_EQ(Holds("setp.eq.s32 %p2, 1, 1; setp.eq.and.s32 %p3|%p1, 1, 2, %p2;"),
            1u);
  EXPECT_EQ(Holds("setp.eq.s32 %p2, 1, 2; setp.eq.or.s32 %p1, 1, 2, !%p2;"),
            1u);
  EXPECT_EQ(Holds("testp.infinite.f32 %p1, 0fFF800000;"), 1u);
  EXPECT_EQ(eval("set.lt.u32.s32 %r0, 1, 2;"), 0xffffffffu);
  EXPECT_EQ(eval("set.lt.f32.s32 %r0, 1, 2;"), 0x3f800000u);
  EXPECT_EQ(eval("slct.b32.s32 %r0, 5, 6, -1;"), 6u);
  EXPECT_EQ(eval("slct.b32.f32 %r0, 5, 6, 0f3F800000;"), 5u);
}

TEST(PtxConvert, Integers) {
  EXPECT_EQ(eval("mov.b16 %h1, -2; cvt.s32.s16 %r0, %h1;"), 0xfffffffeu);
  EXPECT_EQ(eval("mov.b16 %h1, -2; cvt.u32.u16 %r0, %h1;"), 0xfffeu);
  EXPECT_EQ(eval("mov.b16 %h1, 0x1f0; cvt.s32.s8 %r0, %h1;"), 0xfffffff0u);
  EXPECT_EQ(eval64("mov.b32 %r1, -2; cvt.s64.s32 %rd0, %r1;"), uint64_t(-2));
  EXPECT_EQ(eval("mov.b64 %rd1, 0x123456789; cvt.u32.u64 %r0, %rd1;"),
            0x23456789u);
  EXPECT_EQ(eval("mov.b32 %r1, 300; cvt.sat.u8.u32 %r0, %r1;"), 255u);
  EXPECT_EQ(eval("mov.b32 %r1, -300; cvt.sat.s8.s32 %r0, %r1;"), 0xffffff80u);
  EXPECT_EQ(eval("mov.b32 %r1, 0x1ff; cvt.s8.s32 %r0, %r1;"), 0xffffffffu);
  EXPECT_EQ(eval("cvt.pack.sat.s16.s32 %r0, 70000, -5;"), 0x7ffffffbu);
}

TEST(PtxConvert, Floats) {
  EXPECT_EQ(eval("cvt.rzi.s32.f32 %r0, 0fC0200000;"), uint32_t(-2));
  EXPECT_EQ(eval("cvt.rni.s32.f32 %r0, 0fC0200000;"), uint32_t(-2));
  EXPECT_EQ(eval("cvt.rmi.s32.f32 %r0, 0fC0200000;"), uint32_t(-3));
  EXPECT_EQ(eval("cvt.rpi.s32.f32 %r0, 0f3F000000;"), 1u);
  EXPECT_EQ(eval("cvt.rzi.u32.f32 %r0, 0fC0200000;"), 0u);
  EXPECT_EQ(eval("cvt.rzi.s32.f32 %r0, 0f7F800000;"), 0x7fffffffu);
  EXPECT_EQ(eval("cvt.rzi.s32.f32 %r0, 0f7FC00000;"), 0u);
  EXPECT_EQ(eval("cvt.rn.f32.s32 %r0, -2;"), 0xc0000000u);
  EXPECT_EQ(eval("cvt.rn.f32.u32 %r0, -1;"), 0x4f800000u);
  EXPECT_EQ(eval("cvt.rz.f32.u32 %r0, -1;"), 0x4f7fffffu);
  EXPECT_EQ(eval("cvt.rn.f32.u64 %r0, 0x8000008000000001;"), 0x5f000001u);
  EXPECT_EQ(eval("cvt.rn.f32.f64 %r0, 0d3FF0000010000000;"), 0x3f800000u);
  EXPECT_EQ(eval("cvt.rp.f32.f64 %r0, 0d3FF0000010000000;"), 0x3f800001u);
  EXPECT_EQ(eval64("cvt.f64.f32 %rd0, 0f3F800000;"), 0x3ff0000000000000u);
  EXPECT_EQ(eval("cvt.rmi.f32.f32 %r0, 0fBF000000;"), 0xbf800000u);
  EXPECT_EQ(eval16("cvt.rn.f16.f32 %h0, 0f3F800000;"), 0x3c00u);
  EXPECT_EQ(eval16("cvt.rn.f16.f32 %h0, 0f33800001;"), 1u);
  EXPECT_EQ(eval16("cvt.rn.f16.f32 %h0, 0f477FF000;"), 0x7c00u);
  EXPECT_EQ(eval16("cvt.rz.f16.f32 %h0, 0f477FF000;"), 0x7bffu);
  EXPECT_EQ(eval16("cvt.rn.bf16.f32 %h0, 0f3F808000;"), 0x3f80u);
  EXPECT_EQ(eval16("cvt.rn.bf16.f32 %h0, 0f3F818000;"), 0x3f82u);
  EXPECT_EQ(eval16("cvt.rn.bf16.f32 %h0, 0f7FFFFFFF;"), 0x7fffu);
  EXPECT_EQ(eval("cvt.rn.bf16x2.f32 %r0, 0f3F800000, 0f40000000;"),
            0x3f804000u);
  EXPECT_EQ(eval("cvt.rz.f16x2.f32 %r0, 0f3F800000, 0f40000000;"), 0x3c004000u);
  EXPECT_EQ(eval("cvt.rn.relu.bf16x2.f32 %r0, 0fBF800000, 0f40000000;"),
            0x00004000u);
  EXPECT_EQ(eval("mov.b16 %h1, 0x3c00; cvt.f32.f16 %r0, %h1;"), 0x3f800000u);
  EXPECT_EQ(eval("mov.b16 %h1, 0x3f80; cvt.f32.bf16 %r0, %h1;"), 0x3f800000u);
  EXPECT_EQ(eval("cvt.rna.tf32.f32 %r0, 0f3F801000;"), 0x3f802000u);
}

/// Every f16 to f32 and back, and rounding at all halves between neighbours.
TEST(PtxConvert, HalvesAgreeWithTheirNeighbours) {
  Outcome O = outcome(R"(
    cvt.u16.u32 %h1, %t;
    mov.u32 %r1, %ctaid.x;
    mad.lo.s32 %r2, %r1, 1024, %t;
    cvt.u16.u32 %h1, %r2;
    cvt.f32.f16 %f1, %h1;
    add.s32 %r3, %r2, 1;
    cvt.u16.u32 %h2, %r3;
    cvt.f32.f16 %f2, %h2;
    add.rn.f32 %f3, %f1, %f2;
    mul.rn.f32 %f3, %f3, 0f3F000000;
    cvt.rn.f16.f32 %h3, %f3;
    cvt.rn.f16.f32 %h4, %f1;
    mov.b32 %r4, {%h3, %h4};
    mul.wide.u32 %rd1, %r2, 4;
    add.s64 %rd1, %out, %rd1;
    st.global.b32 [%rd1], %r4;)",
                      {1024, 31, 0, 31 * 1024, {}, {}});
  for (uint32_t I = 0; I + 1 < 0x7c00; ++I) {
    ASSERT_EQ(O.Out[I] >> 16, I);
    ASSERT_EQ(O.Out[I] & 0xffff, I + (I & 1)) << "halfway above " << I;
  }
}

} // namespace
