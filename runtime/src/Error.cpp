// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Error.h"

using namespace heddle::runtime;

heddle_error *heddle::runtime::outOfMemory() {
  static heddle_error Error{HEDDLE_OUT_OF_MEMORY, "out of memory"};
  return &Error;
}

/// Built while memory is still at hand.
static heddle_error *const ReservedError = outOfMemory();

const char *heddle_error_message(const heddle_error *error) {
  return error ? error->Message.c_str() : "no error";
}

heddle_code_kind heddle_error_kind(const heddle_error *error) {
  return error ? error->Kind : static_cast<heddle_code_kind>(0);
}

void heddle_error_free(heddle_error *error) {
  if (error != ReservedError)
    delete error;
}

const char *heddle_version(void) { return HEDDLE_VERSION; }
