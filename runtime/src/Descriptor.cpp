// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Bundle.h"

#include "codegen/cpu/HostFeatures.h"

#include <unordered_set>

using namespace heddle;
using namespace heddle::runtime;

const char *runtime::dtypeName(int32_t Dtype) {
  return Dtype == HEDDLE_F32 ? "f32" : nullptr;
}

/// An entry that no compiler of ours writes.
static heddle_error *damaged(const std::string &Bundle,
                             const std::string &What) {
  return makeError(HEDDLE_INVALID_BUNDLE,
                   "bundle '{}' is damaged: {}; compile it again", Bundle,
                   What);
}

static heddle_error *checkParams(const heddle_entry &Entry,
                                 const std::string &Bundle) {
  if (Entry.num_params < 0 || (Entry.num_params > 0 && !Entry.params))
    return damaged(Bundle,
                   fmt::format("kernel '{}' has no usable list of parameters",
                               Entry.name));
  std::unordered_set<std::string> Names;
  for (int64_t I = 0; I < Entry.num_params; ++I) {
    const char *Name = Entry.params[I].name;
    if (!Name || !*Name)
      return damaged(Bundle, fmt::format("parameter {} of kernel '{}' has no "
                                         "name",
                                         I, Entry.name));
    if (!Names.insert(Name).second)
      return damaged(Bundle, fmt::format("kernel '{}' has two parameters '{}'",
                                         Entry.name, Name));
  }
  return nullptr;
}

static heddle_error *checkCodes(const heddle_entry &Entry,
                                const std::string &Bundle) {
  if (Entry.num_codes < 1 || !Entry.codes)
    return damaged(Bundle, fmt::format("kernel '{}' has no code", Entry.name));
  std::unordered_set<std::string> Levels;
  for (int64_t I = 0; I < Entry.num_codes; ++I) {
    const heddle_code &Code = Entry.codes[I];
    if (!Code.level || !Code.features)
      return damaged(Bundle, fmt::format("code {} of kernel '{}' does not name "
                                         "its level and extensions",
                                         I, Entry.name));
    if (!Levels.insert(Code.level).second)
      return damaged(Bundle, fmt::format("kernel '{}' has two codes of level "
                                         "'{}'",
                                         Entry.name, Code.level));
    if (!Code.task || !Code.count)
      return damaged(Bundle, fmt::format("level '{}' of kernel '{}' has no "
                                         "entry points",
                                         Code.level, Entry.name));
    if (Code.query_tile < 1 || Code.key_tile < 1 || Code.workspace_bytes < 0)
      return damaged(Bundle,
                     fmt::format("level '{}' of kernel '{}' has tile {} x {} "
                                 "and {} bytes of workspace",
                                 Code.level, Entry.name, Code.query_tile,
                                 Code.key_tile, Code.workspace_bytes));
  }
  return nullptr;
}

static heddle_error *checkEntry(const heddle_entry &Entry, int64_t Index,
                                const std::string &Bundle) {
  if (!Entry.name || !*Entry.name || !Entry.pattern)
    return damaged(Bundle, fmt::format("kernel {} has no name", Index));
  if (!dtypeName(Entry.dtype))
    return damaged(Bundle, fmt::format("kernel '{}' has the unknown dtype {}",
                                       Entry.name, Entry.dtype));
  if (Entry.d_qk < 1 || Entry.d_v < 1)
    return damaged(Bundle, fmt::format("kernel '{}' has head dims {} and {}",
                                       Entry.name, Entry.d_qk, Entry.d_v));
  if (heddle_error *E = checkParams(Entry, Bundle))
    return E;
  return checkCodes(Entry, Bundle);
}

heddle_error *runtime::checkDescriptor(const heddle_descriptor *Descriptor,
                                       const std::string &Name) {
  const heddle_descriptor &D = *Descriptor;
  if (D.magic != HEDDLE_ABI_MAGIC)
    return makeError(HEDDLE_INVALID_BUNDLE,
                     "'{}' is not a bundle: its descriptor begins with "
                     "{:#018x}, expected {:#018x}",
                     Name, D.magic, HEDDLE_ABI_MAGIC);
  // The version comes before all else: what follows may lie elsewhere.
  if (D.abi_version != HEDDLE_ABI_VERSION)
    return makeError(HEDDLE_VERSION_MISMATCH,
                     "bundle '{}' has ABI version {}, this runtime ({}) reads "
                     "version {}; compile it with the matching heddle",
                     Name, D.abi_version, heddle_version(), HEDDLE_ABI_VERSION);
  if (D.size != sizeof(heddle_descriptor))
    return damaged(Name, fmt::format("its descriptor has {} bytes, expected {}",
                                     D.size, sizeof(heddle_descriptor)));
  if (!D.compiler || !D.arch || !D.manifest)
    return damaged(Name, "it does not name its compiler, architecture and "
                         "manifest");
  if (D.arch != cpu::hostArch())
    return makeError(HEDDLE_UNSUPPORTED,
                     "bundle '{}' is compiled for {}, this machine is {}; "
                     "compile it for this machine",
                     Name, D.arch, cpu::hostArch());
  if (D.num_entries < 0 || (D.num_entries > 0 && !D.entries))
    return damaged(Name, "it has no usable list of kernels");
  std::unordered_set<std::string> Names;
  for (int64_t I = 0; I < D.num_entries; ++I) {
    if (heddle_error *E = checkEntry(D.entries[I], I, Name))
      return E;
    if (!Names.insert(D.entries[I].name).second)
      return damaged(Name,
                     fmt::format("it has two kernels '{}'", D.entries[I].name));
  }
  return nullptr;
}
