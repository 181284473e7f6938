// A program of native code that may crash: a ProcessPool runs it, not a person.
#include <string>
#include <string_view>

#include "runtime/process_pool/process_functions.h"

namespace {

absl::StatusOr<std::string> Reverse(std::string_view request) {
  return std::string(request.rbegin(), request.rend());
}

absl::StatusOr<std::string> Overrun(std::string_view /*request*/) {
  volatile int* nowhere = nullptr;
  *nowhere = 1;
  return "never";
}

}  // namespace

int main() {
  grove::ProcessFunctions functions;
  functions.Add("reverse", Reverse);
  functions.Add("overrun", Overrun);
  return functions.Serve();
}
