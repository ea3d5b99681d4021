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

double heddle::chunkFlop(const KernelShape &Shape, int64_t Tokens) {
  const auto Chunk = static_cast<double>(Tokens);
  const auto V = static_cast<double>(Shape.V);
  const auto State = static_cast<double>(Shape.State);
  const auto Mapped = static_cast<double>(Shape.Mapped);
  // Into the state, and out of it.
  double Products = 2 * Chunk * State * V;
  if (!Shape.IsBidirectional)
    Products += Chunk * Chunk * (Mapped + V);
  if (Shape.HasDelta)
    // Pairs of keys, what the state holds for keys, and half a square of the
    // system's substitutions.
    Products += Chunk * Chunk * (Mapped + V / 2) + Chunk * State * V;
  if (Shape.ErasesFirst)
    // What is taken away has pairs with keys and queries, and a part in the
    // outputs and the state, beside what is written, which the system asks for.
    Products += 2 * Chunk * Chunk * (Mapped + V) + Chunk * State * V;
  return 2 * Products;
}
