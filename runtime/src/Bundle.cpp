// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Bundle.h"
#include "Elf.h"

#include <cstdlib>
#include <dlfcn.h>
#include <memory>

using namespace heddle::runtime;

heddle_bundle::~heddle_bundle() {
  if (Handle)
    dlclose(Handle);
}

/// Checks the descriptor, then makes the kernels.
static heddle_error *adopt(std::unique_ptr<heddle_bundle> Bundle,
                           const std::string &Name, heddle_bundle **Out) {
  if (heddle_error *E = checkDescriptor(Bundle->Descriptor, Name))
    return E;
  for (int64_t I = 0; I < Bundle->Descriptor->num_entries; ++I)
    Bundle->Kernels.push_back({&Bundle->Descriptor->entries[I]});
  *Out = Bundle.release();
  return nullptr;
}

heddle_error *heddle_bundle_open(const char *path, heddle_bundle **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (!path || !*path)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the bundle's path is empty");
    if (heddle_error *E = checkElfFile(path))
      return E;
    // A bare file name would make dlopen search the library path.
    std::string File = path;
    if (File.find('/') == std::string::npos)
      File.insert(0, "./");
    auto Bundle = std::make_unique<heddle_bundle>();
    Bundle->Handle = dlopen(File.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!Bundle->Handle) {
      const char *Why = dlerror();
      return makeError(HEDDLE_INVALID_BUNDLE, "cannot load bundle '{}': {}",
                       path, Why ? Why : "unknown reason");
    }
    Bundle->Descriptor = static_cast<const heddle_descriptor *>(
        dlsym(Bundle->Handle, HEDDLE_DESCRIPTOR_SYMBOL));
    if (!Bundle->Descriptor)
      return makeError(HEDDLE_INVALID_BUNDLE,
                       "'{}' is not a bundle: it has no symbol '{}'; expected "
                       "a library written by 'heddle compile'",
                       path, HEDDLE_DESCRIPTOR_SYMBOL);
    return adopt(std::move(Bundle), path, out);
  });
}

heddle_error *heddle_bundle_from_descriptor(const heddle_descriptor *descriptor,
                                            heddle_bundle **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (!descriptor)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the descriptor is null");
    auto Bundle = std::make_unique<heddle_bundle>();
    Bundle->Descriptor = descriptor;
    return adopt(std::move(Bundle), "<in memory>", out);
  });
}

void heddle_bundle_close(heddle_bundle *bundle) { delete bundle; }

const char *heddle_bundle_manifest(const heddle_bundle *bundle) {
  return bundle ? bundle->Descriptor->manifest : "";
}

int64_t heddle_bundle_num_kernels(const heddle_bundle *bundle) {
  return bundle ? static_cast<int64_t>(bundle->Kernels.size()) : 0;
}

const heddle_kernel *heddle_bundle_kernel(const heddle_bundle *bundle,
                                          int64_t i) {
  if (!bundle || i < 0 || i >= heddle_bundle_num_kernels(bundle))
    return nullptr;
  return &bundle->Kernels[i];
}

heddle_error *heddle_bundle_find(const heddle_bundle *bundle, const char *name,
                                 const heddle_kernel **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (!bundle || !name)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       bundle ? "kernel's name" : "bundle");
    std::string Known;
    for (const heddle_kernel &Kernel : bundle->Kernels) {
      if (std::string(name) == Kernel.Entry->name) {
        *out = &Kernel;
        return nullptr;
      }
      Known +=
          fmt::format("{}'{}'", Known.empty() ? "" : ", ", Kernel.Entry->name);
    }
    return makeError(HEDDLE_NOT_FOUND,
                     "the bundle has no kernel '{}'; it has {}", name,
                     Known.empty() ? "none" : Known);
  });
}
