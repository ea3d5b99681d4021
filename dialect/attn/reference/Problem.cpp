// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Problem.h"

#include "dialect/attn/reference/Failure.h"
#include "dialect/attn/reference/View.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle::attn;

int64_t AttentionProblem::queries(int64_t B) const { return countRows(Q, B); }

int64_t AttentionProblem::keys(int64_t B, size_t Source) const {
  return countRows(keyView(Source), B);
}

PredicatePoint AttentionProblem::point(int64_t B, int64_t H, int64_t I,
                                       size_t Source) const {
  PredicatePoint At;
  At.B = B;
  At.H = H;
  At.Q = I + origin(B);
  At.NumKeys = keys(B, Source);
  At.Params = Params;
  return At;
}

llvm::Error heddle::attn::checkView(const NamedView &N) {
  for (int64_t Size : N.View.shape)
    if (Size < 0)
      return invalid(llvm::Twine("'") + N.Name + "' has the negative size " +
                     llvm::Twine(Size));
  if (!N.View.data && llvm::all_of(N.View.shape, [](int64_t S) { return S; }))
    return invalid(llvm::Twine("'") + N.Name + "' has no data");
  if (!N.View.offsets)
    return llvm::Error::success();
  for (int64_t B = 0; B < N.View.shape[0]; ++B)
    if (N.View.offsets[B] < 0 || N.View.offsets[B + 1] < N.View.offsets[B] ||
        N.View.offsets[B + 1] > N.View.shape[2])
      return invalid(llvm::Twine("the sequence ") + llvm::Twine(B) + " of '" +
                     N.Name + "' has the rows [" +
                     llvm::Twine(N.View.offsets[B]) + ", " +
                     llvm::Twine(N.View.offsets[B + 1]) + ") of " +
                     llvm::Twine(N.View.shape[2]));
  return llvm::Error::success();
}

static llvm::Error checkSame(const char *What, const NamedView &A,
                             const NamedView &B, int Axis) {
  if (A.View.shape[Axis] == B.View.shape[Axis])
    return llvm::Error::success();
  return invalid(llvm::Twine("expected '") + A.Name + "' and '" + B.Name +
                 "' to have the same " + What + ", found " +
                 llvm::Twine(A.View.shape[Axis]) + " and " +
                 llvm::Twine(B.View.shape[Axis]));
}

llvm::Error heddle::attn::checkSource(const NamedView &Q, const NamedView &K,
                                      const NamedView &V) {
  for (const NamedView *N : {&Q, &K, &V})
    if (auto E = checkView(*N))
      return E;
  if (auto E = checkSame("batch", Q, K, 0))
    return E;
  if (auto E = checkSame("batch", Q, V, 0))
    return E;
  if (auto E = checkSame("number of heads", K, V, 1))
    return E;
  if (auto E = checkSame("number of keys", K, V, 2))
    return E;
  if (auto E = checkSame("head dim", Q, K, 3))
    return E;
  for (int64_t B = 0; B < Q.View.shape[0]; ++B)
    if (countRows(K.View, B) != countRows(V.View, B))
      return invalid(llvm::Twine("expected '") + K.Name + "' and '" + V.Name +
                     "' to have the same number of keys in sequence " +
                     llvm::Twine(B) + ", found " +
                     llvm::Twine(countRows(K.View, B)) + " and " +
                     llvm::Twine(countRows(V.View, B)));
  const int64_t HeadsQ = Q.View.shape[1];
  const int64_t HeadsKv = K.View.shape[1];
  if (HeadsQ != 0 && (HeadsKv == 0 || HeadsQ % HeadsKv != 0))
    return invalid("the " + llvm::Twine(HeadsQ) +
                   " heads of 'q' are not a multiple of the " +
                   llvm::Twine(HeadsKv) + " heads of '" + K.Name + "'");
  return llvm::Error::success();
}

namespace {

/// The tokens of a grid must be those of the sequence.
llvm::Error checkGrid(const AttentionProblem &Problem, const Predicate &Keep,
                      llvm::ArrayRef<unsigned> Extents, int64_t Length,
                      const char *What) {
  if (Extents.empty())
    return llvm::Error::success();
  std::string Text;
  int64_t Tokens = 1;
  for (unsigned Param : Extents) {
    const int64_t Extent = Problem.Params[Param].integer();
    if (Extent < 0)
      return invalid("the grid extent '" + Keep.params()[Param].Name +
                     "' is negative, found " + llvm::Twine(Extent));
    Text += (Text.empty() ? "" : " x ") + std::to_string(Extent);
    // Lengths are at most 2^31 and extents too, so that nothing overflows
    // before the product is too large.
    Tokens *= Extent;
    if (Tokens > int64_t(1) << 32)
      break;
  }
  if (Tokens != Length)
    return invalid("the grid of " + Text + " tokens does not have the " +
                   llvm::Twine(Length) + " " + What + " of the sequence");
  return llvm::Error::success();
}

llvm::Error checkClauses(const Variant &Pattern,
                         const AttentionProblem &Problem) {
  for (const VariantSource &Source : Pattern.sources()) {
    const Predicate &Keep = Source.Keep;
    if (!Keep.queryGrid().empty() &&
        llvm::any_of(Problem.Origin, [](int64_t O) { return O != 0; }))
      return invalid("pattern '" + Keep.name() +
                     "' has a token grid, expected no origin but 0");
    for (int64_t B = 0; B < Problem.batch(); ++B) {
      if (auto E = checkGrid(Problem, Keep, Keep.queryGrid(),
                             Problem.queries(B), "queries"))
        return E;
      if (auto E =
              checkGrid(Problem, Keep, Keep.keyGrid(), Problem.keys(B), "keys"))
        return E;
    }
    if (Source.Rotate && Problem.Q.shape[3] % 2 != 0)
      return invalid("pattern '" + Keep.name() +
                     "' rotates pairs of features, expected an even head dim, "
                     "found " +
                     llvm::Twine(Problem.Q.shape[3]));
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error heddle::attn::checkProblem(const Variant &Pattern,
                                       const AttentionProblem &Problem) {
  if (Problem.Type != HEDDLE_F32 && Problem.Type != HEDDLE_F16 &&
      Problem.Type != HEDDLE_BF16)
    return invalid("expected f32, f16 or bf16 as element type");
  const size_t Expected = Pattern.sources().size();
  if (Problem.numSources() != Expected)
    return invalid("pattern '" + Pattern.name() + "' has " +
                   llvm::Twine(Expected) + " sources of keys, found " +
                   llvm::Twine(Problem.numSources()));
  const NamedView Q = {"q", Problem.Q}, V = {"v", Problem.V};
  for (size_t S = 0; S < Expected; ++S) {
    const std::string Number = S == 0 ? "" : std::to_string(S);
    const std::string KeyName = "k" + Number, ValueName = "v" + Number;
    const NamedView SourceV = {ValueName.c_str(), Problem.valueView(S)};
    if (auto E = checkSource(Q, {KeyName.c_str(), Problem.keyView(S)}, SourceV))
      return E;
    if (auto E = checkSame("head dim", V, SourceV, 3))
      return E;
  }
  if (!Problem.Origin.empty() &&
      static_cast<int64_t>(Problem.Origin.size()) != Problem.batch())
    return invalid("expected one origin per sequence, " +
                   llvm::Twine(Problem.batch()) + ", found " +
                   llvm::Twine(Problem.Origin.size()));
  if (auto E = Problem.Params.check("pattern '" + Pattern.name() + "'",
                                    Pattern.params()))
    return E;
  return checkClauses(Pattern, Problem);
}

llvm::Error heddle::attn::checkRequirements(const Variant &Pattern,
                                            const AttentionProblem &Problem) {
  Program::Scratch Registers;
  for (auto [S, Source] : llvm::enumerate(Pattern.sources()))
    for (int64_t B = 0; B < Problem.batch() && !Source.Messages.empty(); ++B) {
      // Coordinates play no part: the conditions were compiled so.
      if (auto E =
              Source.Requirements.prepare(Problem.point(B, 0, 0, S), Registers))
        return E;
      for (auto [I, Message] : llvm::enumerate(Source.Messages))
        if (*Source.Requirements.output(I, Registers) == 0)
          return invalid(Message);
    }
  return llvm::Error::success();
}
