// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Target.h"

#include "llvm/ADT/STLExtras.h"

// Every target defines `const heddle::Target &heddle::<name>Target()`; the list
// of names is written by CMake.
namespace heddle {
#define HEDDLE_TARGET(Name) const Target &Name##Target();
#include "codegen/Targets.def"
} // namespace heddle

using namespace heddle;

llvm::ArrayRef<const Target *> heddle::targets() {
  static const Target *const All[] = {
#define HEDDLE_TARGET(Name) &Name##Target(),
#include "codegen/Targets.def"
  };
  return All;
}

const Target *heddle::findTarget(llvm::StringRef Name) {
  for (const Target *T : targets())
    if (T->name() == Name)
      return T;
  return nullptr;
}

const Target *heddle::findTargetOfLevel(llvm::StringRef Name) {
  for (const Target *T : targets())
    if (llvm::any_of(T->levels(),
                     [&](const Level &L) { return L.Name == Name; }))
      return T;
  return nullptr;
}

void heddle::registerTargetDialects(mlir::DialectRegistry &Registry) {
  for (const Target *T : targets())
    T->registerDialects(Registry);
}

void heddle::registerTargetPasses() {
  for (const Target *T : targets())
    T->registerPasses();
}
