// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/ConstantBuilder.h"

using namespace heddle;
using namespace mlir;

ConstantBuilder::ConstantBuilder(ModuleOp Module)
    : Module(Module), Builder(Module.getBodyRegion()), Loc(Module.getLoc()) {
  Builder.setInsertionPointToEnd(Module.getBody());
}

std::string ConstantBuilder::uniqueName(StringRef Base) {
  std::string Name;
  do
    Name = (Base + "." + Twine(NumGlobals++)).str();
  while (Module.lookupSymbol(Name));
  return Name;
}

LLVM::LLVMStructType ConstantBuilder::structType(ArrayRef<Member> Layout) {
  SmallVector<Type> Types;
  for (const Member &M : Layout)
    Types.push_back(M.IsPointer
                        ? Type(LLVM::LLVMPointerType::get(Builder.getContext()))
                        : Type(Builder.getIntegerType(8 * M.Size)));
  return LLVM::LLVMStructType::getLiteral(Builder.getContext(), Types);
}

LLVM::GlobalOp ConstantBuilder::global(Type Type, StringRef Name,
                                       LLVM::Linkage Linkage) {
  auto Global = LLVM::GlobalOp::create(Builder, Loc, Type, /*isConstant=*/true,
                                       Linkage, Name, Attribute());
  Builder.createBlock(&Global.getInitializerRegion());
  return Global;
}

Value ConstantBuilder::buildStruct(ArrayRef<Member> Layout,
                                   const Fields &Values) {
  assert(Layout.size() == Values.size() && "one value per member");
  LLVM::LLVMStructType Struct = structType(Layout);
  Value Result = LLVM::UndefOp::create(Builder, Loc, Struct);
  for (auto [I, C] : llvm::enumerate(Values)) {
    Type FieldType = Struct.getBody()[I];
    Value Field;
    if (C.Symbol)
      Field = LLVM::AddressOfOp::create(Builder, Loc, FieldType, C.Symbol);
    else if (Layout[I].IsPointer)
      Field = LLVM::ZeroOp::create(Builder, Loc, FieldType);
    else
      Field = LLVM::ConstantOp::create(
          Builder, Loc, FieldType, Builder.getIntegerAttr(FieldType, C.Value));
    Result = LLVM::InsertValueOp::create(Builder, Loc, Result, Field,
                                         static_cast<int64_t>(I));
  }
  return Result;
}

Constant ConstantBuilder::string(StringRef Text) {
  FlatSymbolRefAttr &Known = Strings[Text];
  if (!Known) {
    std::string Data = Text.str();
    Data.push_back('\0');
    auto Type = LLVM::LLVMArrayType::get(Builder.getI8Type(), Data.size());
    auto Global = LLVM::GlobalOp::create(
        Builder, Loc, Type, /*isConstant=*/true, LLVM::Linkage::Private,
        uniqueName("heddle.text"), Builder.getStringAttr(Data));
    Global.setUnnamedAddr(LLVM::UnnamedAddr::Global);
    Known = FlatSymbolRefAttr::get(Global.getSymNameAttr());
  }
  return Constant::address(Known);
}

Constant ConstantBuilder::bytes(StringRef Data) {
  FlatSymbolRefAttr &Known = Blobs[Data];
  if (!Known) {
    auto Type = LLVM::LLVMArrayType::get(Builder.getI8Type(), Data.size());
    auto Global = LLVM::GlobalOp::create(
        Builder, Loc, Type, /*isConstant=*/true, LLVM::Linkage::Private,
        uniqueName("heddle.bytes"), Builder.getStringAttr(Data),
        /*alignment=*/64);
    Known = FlatSymbolRefAttr::get(Global.getSymNameAttr());
  }
  return Constant::address(Known);
}

Constant ConstantBuilder::array(ArrayRef<Member> Layout,
                                ArrayRef<Fields> Elements, StringRef Name) {
  if (Elements.empty())
    return 0;
  auto Type = LLVM::LLVMArrayType::get(structType(Layout), Elements.size());
  OpBuilder::InsertionGuard Guard(Builder);
  LLVM::GlobalOp Global =
      global(Type, uniqueName(Name), LLVM::Linkage::Private);
  Value Result = LLVM::UndefOp::create(Builder, Loc, Type);
  for (auto [I, Values] : llvm::enumerate(Elements)) {
    Value Element = buildStruct(Layout, Values);
    Result = LLVM::InsertValueOp::create(Builder, Loc, Result, Element,
                                         static_cast<int64_t>(I));
  }
  LLVM::ReturnOp::create(Builder, Loc, Result);
  return Constant::address(FlatSymbolRefAttr::get(Global.getSymNameAttr()));
}

void ConstantBuilder::exported(ArrayRef<Member> Layout, const Fields &Values,
                               StringRef Name) {
  OpBuilder::InsertionGuard Guard(Builder);
  global(structType(Layout), Name, LLVM::Linkage::External);
  LLVM::ReturnOp::create(Builder, Loc, buildStruct(Layout, Values));
}
