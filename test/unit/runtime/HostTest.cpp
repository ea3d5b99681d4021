// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"
#include "codegen/cpu/FloatEnv.h"
#include "codegen/cpu/FmaPeak.h"
#include "codegen/cpu/HostFeatures.h"

#include <cfenv>
#include <cfloat>
#include <fstream>
#include <set>
#include <sstream>

using namespace heddle;
using namespace heddle::test;

/// The kernel's word for what the processor has.
static std::set<std::string> kernelFlags() {
  std::ifstream In("/proc/cpuinfo");
  std::set<std::string> Flags;
  for (std::string Line; std::getline(In, Line);)
    if (Line.rfind("flags", 0) == 0 || Line.rfind("Features", 0) == 0) {
      std::istringstream Words(Line.substr(Line.find(':') + 1));
      for (std::string Word; Words >> Word;)
        Flags.insert(Word);
    }
  return Flags;
}

/// Extensions that are spelled alike by the kernel and by LLVM.
static std::vector<std::string> knownHere() {
  std::vector<std::string> Known;
  for (const std::string &Flag : kernelFlags())
    if (cpu::hostHas(Flag))
      Known.push_back(Flag);
  return Known;
}

TEST(HostFeatures, UnknownNamesAreAbsent) {
  EXPECT_FALSE(cpu::hostHas("no-such-extension"));
  EXPECT_FALSE(cpu::hostHas(""));
  EXPECT_TRUE(cpu::missingFeatures("").empty());
  EXPECT_EQ(cpu::missingFeatures("x, y,,z "),
            (std::vector<std::string>{"x", "y", "z"}));
}

TEST(HostFeatures, EnvironmentOnlyHides) {
  std::vector<std::string> Known = knownHere();
  if (cpu::hostArch() == "x86_64") {
    ASSERT_GE(Known.size(), 2U);
  } else if (Known.size() < 2) {
    GTEST_SKIP() << "no extension is known for this architecture";
  }
  ScopedVariable Hide("HEDDLE_CPU_FEATURES",
                      (Known[0] + ",no-such-extension").c_str());
  EXPECT_TRUE(cpu::hostHas(Known[0]));
  EXPECT_FALSE(cpu::hostHas(Known[1]));
  EXPECT_FALSE(cpu::hostHas("no-such-extension"));
  ScopedVariable All("HEDDLE_CPU_FEATURES", "");
  EXPECT_FALSE(cpu::hostHas(Known[0]));
}

TEST(HostFeatures, NamesMachines) {
  EXPECT_EQ(cpu::elfMachineName(cpu::hostElfMachine()), cpu::hostArch());
  EXPECT_EQ(cpu::elfMachineName(2), "machine 2");
}

TEST(FloatEnv, FlushesResultsOnlyAndRestores) {
  volatile float Small = FLT_MIN, Half = 0.5F, Denormal = FLT_MIN / 2;
  volatile float Large = 16777216.0F;
  std::fesetround(FE_UPWARD);
  std::feclearexcept(FE_ALL_EXCEPT);
  {
    cpu::FloatEnvScope Scope;
    if (cpu::hostArch() == "x86_64") {
      EXPECT_EQ(Small * Half, 0.0F);
    }
    EXPECT_NE(Denormal * Large, 0.0F);
    volatile float Zero = 0;
    volatile float Infinite = 1 / Zero;
    (void)Infinite;
    // Round to nearest inside: 1 + half an ulp is 1.
    volatile float One = 1, Tiny = FLT_EPSILON / 4;
    EXPECT_EQ(One + Tiny, 1.0F);
  }
  EXPECT_EQ(std::fetestexcept(FE_DIVBYZERO), 0);
  volatile float One = 1, Tiny = FLT_EPSILON / 4;
  EXPECT_GT(One + Tiny, 1.0F);
  EXPECT_NE(Small * Half, 0.0F);
  std::fesetround(FE_TONEAREST);
}

TEST(FmaPeak, IsPlausible) {
  double One = cpu::measureFmaPeak(1);
  EXPECT_GT(One, 0.5);
  EXPECT_LT(One, 2000);
  EXPECT_GT(cpu::measureFmaPeak(2), 0.5);
}
