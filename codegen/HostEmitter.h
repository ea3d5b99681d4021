// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_HOSTEMITTER_H
#define HEDDLE_CODEGEN_HOSTEMITTER_H

#include "codegen/Target.h"
#include "llvm/ADT/SmallVector.h"

#include <memory>
#include <vector>

namespace heddle {

/// The emitter of every target that is not a device's: what it makes is linked,
/// or loaded into this process.
class HostEmitter : public Emitter {
public:
  /// Bytes of an object file.
  using Object = std::shared_ptr<const llvm::SmallVector<char, 0>>;

  /// What `emitObject` makes as objects that belong together, which takes less
  /// time on more than one core; the module is not to be used any more. With
  /// `Reuse` some may be from earlier modules: procedures whose code does not
  /// depend on a pattern. Without it the objects depend on the module only.
  virtual llvm::Expected<std::vector<Object>> emitObjects(mlir::ModuleOp Module,
                                                          bool Reuse) = 0;
};

} // namespace heddle

#endif // HEDDLE_CODEGEN_HOSTEMITTER_H
