// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/HostFeatures.h"

#include <cstdlib>
#include <elf.h>

using namespace heddle;

std::string_view cpu::hostArch() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#elif defined(__riscv) && __riscv_xlen == 64
  return "riscv64";
#else
  return "unknown";
#endif
}

uint16_t cpu::hostElfMachine() {
#if defined(__x86_64__)
  return EM_X86_64;
#elif defined(__aarch64__)
  return EM_AARCH64;
#elif defined(__riscv)
  return EM_RISCV;
#else
  return EM_NONE;
#endif
}

std::string cpu::elfMachineName(uint16_t Machine) {
  switch (Machine) {
  case EM_386:
    return "i386";
  case EM_X86_64:
    return "x86_64";
  case EM_ARM:
    return "arm";
  case EM_AARCH64:
    return "aarch64";
  case EM_RISCV:
    return "riscv";
  case EM_PPC64:
    return "powerpc64";
  case EM_S390:
    return "s390x";
  default:
    return "machine " + std::to_string(Machine);
  }
}

/// What the processor itself says.
static bool detect(std::string_view Feature) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
// The builtin wants a literal.
#define HEDDLE_DETECT(NAME)                                                    \
  if (Feature == (NAME))                                                       \
    return __builtin_cpu_supports(NAME) != 0;
  HEDDLE_DETECT("sse2")
  HEDDLE_DETECT("sse3")
  HEDDLE_DETECT("ssse3")
  HEDDLE_DETECT("sse4.1")
  HEDDLE_DETECT("sse4.2")
  HEDDLE_DETECT("popcnt")
  HEDDLE_DETECT("avx")
  HEDDLE_DETECT("avx2")
  HEDDLE_DETECT("fma")
  HEDDLE_DETECT("f16c")
  HEDDLE_DETECT("bmi")
  HEDDLE_DETECT("bmi2")
  HEDDLE_DETECT("lzcnt")
  HEDDLE_DETECT("movbe")
  HEDDLE_DETECT("avx512f")
  HEDDLE_DETECT("avx512cd")
  HEDDLE_DETECT("avx512bw")
  HEDDLE_DETECT("avx512dq")
  HEDDLE_DETECT("avx512vl")
  HEDDLE_DETECT("avx512vbmi")
  HEDDLE_DETECT("avx512vnni")
  HEDDLE_DETECT("avx512bf16")
#undef HEDDLE_DETECT
#endif
  (void)Feature;
  return false;
}

/// Calls `Fn` on every non-empty item of a comma-separated list.
template <typename Callback>
static void forEachItem(std::string_view List, Callback Fn) {
  while (!List.empty()) {
    size_t Comma = List.find(',');
    std::string_view Item = List.substr(0, Comma);
    List = Comma == std::string_view::npos ? "" : List.substr(Comma + 1);
    while (!Item.empty() && Item.front() == ' ')
      Item.remove_prefix(1);
    while (!Item.empty() && Item.back() == ' ')
      Item.remove_suffix(1);
    if (!Item.empty())
      Fn(Item);
  }
}

bool cpu::hostHas(std::string_view Feature) {
  if (const char *Allowed = std::getenv("HEDDLE_CPU_FEATURES")) {
    bool Listed = false;
    forEachItem(Allowed,
                [&](std::string_view Item) { Listed |= Item == Feature; });
    if (!Listed)
      return false;
  }
  return detect(Feature);
}

std::vector<std::string> cpu::missingFeatures(std::string_view Features) {
  std::vector<std::string> Missing;
  forEachItem(Features, [&](std::string_view Item) {
    if (!hostHas(Item))
      Missing.emplace_back(Item);
  });
  return Missing;
}
