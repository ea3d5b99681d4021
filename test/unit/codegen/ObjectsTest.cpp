// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Objects that belong together: which are made anew and which are not.

#include "codegen/HostEmitter.h"

#include "dialect/tile/Tile.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

using namespace heddle;

namespace {

class Objects : public testing::Test {
protected:
  Objects() {
    mlir::DialectRegistry Registry;
    Registry.insert<tile::TileDialect>();
    Host.registerDialects(Registry);
    Context.appendDialectRegistry(Registry);
    Context.loadAllAvailableDialects();
    Owned = Host.createEmitter();
  }

  /// Of a kernel `Name` that calls a procedure which adds `Addend`.
  std::vector<HostEmitter::Object>
  make(const char *Name, int Addend, bool Reuse,
       const char *Attributes = R"({tile.procedure = "add"})") {
    const std::string Text = llvm::formatv(
        R"(
llvm.func @{0}(%a: !llvm.ptr) {{
  llvm.call @{0}.add(%a) : (!llvm.ptr) -> ()
  llvm.call @{0}.own(%a) : (!llvm.ptr) -> ()
  llvm.return
}
llvm.func internal @{0}.add(%a: !llvm.ptr) attributes {2} {{
  %c = llvm.mlir.constant({1} : i32) : i32
  %x = llvm.load %a : !llvm.ptr -> i32
  %y = llvm.add %x, %c : i32
  llvm.store %y, %a : i32, !llvm.ptr
  llvm.return
}
llvm.func internal @{0}.own(%a: !llvm.ptr) {{
  %c = llvm.mlir.constant(3 : i32) : i32
  llvm.store %c, %a : i32, !llvm.ptr
  llvm.return
}
)",
        Name, Addend, Attributes);
    auto Module = mlir::parseSourceString<mlir::ModuleOp>(Text, &Context);
    if (!Module) {
      ADD_FAILURE() << "not a module:\n" << Text;
      return {};
    }
    Host.setModuleAttributes(*Module);
    auto Made = static_cast<HostEmitter &>(*Owned).emitObjects(*Module, Reuse);
    if (!Made) {
      ADD_FAILURE() << llvm::toString(Made.takeError());
      return {};
    }
    return std::move(*Made);
  }

  const Target &Host = *targets().front();
  mlir::MLIRContext Context;
  std::unique_ptr<Emitter> Owned;
};

/// The functions that an object defines.
std::vector<std::string> definedBy(const HostEmitter::Object &Object) {
  auto File = llvm::cantFail(llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef({Object->data(), Object->size()}, "object")));
  std::vector<std::string> Names;
  for (const llvm::object::SymbolRef &Symbol : File->symbols())
    if (llvm::cantFail(Symbol.getType()) ==
        llvm::object::SymbolRef::ST_Function)
      Names.push_back(llvm::cantFail(Symbol.getName()).str());
  return Names;
}

} // namespace

static size_t countShared(const std::vector<HostEmitter::Object> &One,
                          const std::vector<HostEmitter::Object> &Other) {
  size_t Count = 0;
  for (const HostEmitter::Object &Object : Other)
    Count += static_cast<size_t>(llvm::is_contained(One, Object));
  return Count;
}

TEST_F(Objects, TakeEqualProceduresFromOtherKernels) {
  auto First = make("first", 1, /*Reuse=*/true);
  auto Second = make("second", 1, /*Reuse=*/true);
  EXPECT_EQ(countShared(First, Second), 1u);
  // What is no procedure, and the kernel, is never taken.
  auto Again = make("second", 1, /*Reuse=*/true);
  EXPECT_EQ(countShared(First, Again), 1u);
  EXPECT_EQ(countShared(Second, Again), 1u);
  EXPECT_GT(Again.size(), 1u);
}

TEST_F(Objects, TakeNothingElse) {
  auto First = make("first", 1, /*Reuse=*/true);
  EXPECT_EQ(countShared(First, make("second", 2, /*Reuse=*/true)), 0u);
  EXPECT_EQ(countShared(First, make("second", 1, /*Reuse=*/true,
                                    R"({tile.procedure = "add",
                                        prefer_vector_width = "128"})")),
            0u);
  EXPECT_EQ(countShared(First, make("second", 1, /*Reuse=*/true, "{}")), 0u);
  EXPECT_EQ(countShared(First, make("second", 1, /*Reuse=*/false)), 0u);
}

TEST_F(Objects, WithoutReuseDependOnTheModuleOnly) {
  auto First = make("first", 1, /*Reuse=*/false);
  make("second", 1, /*Reuse=*/true);
  auto Again = make("first", 1, /*Reuse=*/false);
  ASSERT_EQ(First.size(), Again.size());
  for (size_t I = 0; I < First.size(); ++I)
    EXPECT_EQ(*First[I], *Again[I]);
}

TEST_F(Objects, AreDividedAndDefineEverythingOnce) {
  auto Made = make("first", 1, /*Reuse=*/false);
  ASSERT_EQ(Made.size(), 2u);
  std::vector<std::string> All;
  for (const HostEmitter::Object &Object : Made) {
    std::vector<std::string> Here = definedBy(Object);
    EXPECT_FALSE(Here.empty());
    All.insert(All.end(), Here.begin(), Here.end());
  }
  llvm::sort(All);
  const std::vector<std::string> Expected = {"first", "first.add", "first.own"};
  EXPECT_EQ(All, Expected);
}

TEST_F(Objects, ForgetWhatWasNotAskedForLongest) {
  auto First = make("first", 0, /*Reuse=*/true);
  auto Second = make("second", 1, /*Reuse=*/true);
  for (int I = 2; I < 140; ++I) {
    make("other", I, /*Reuse=*/true);
    if (I % 16 == 0)
      ASSERT_EQ(countShared(Second, make("second", 1, /*Reuse=*/true)), 1u);
  }
  EXPECT_EQ(countShared(First, make("first", 0, /*Reuse=*/true)), 0u);
}
