// ProcessFunctions: what a child of a ProcessPool offers: functions by name, called one at a time.
//
//   int main() {
//     grove::ProcessFunctions functions;
//     functions.Add("resize", Resize);
//     return functions.Serve();
//   }
//
// The child is a program of its own, without a hub: it may block, crash and leak as it likes. It
// ends with its parent, also in the middle of a call.
#ifndef GROVE_RUNTIME_PROCESS_POOL_PROCESS_FUNCTIONS_H_
#define GROVE_RUNTIME_PROCESS_POOL_PROCESS_FUNCTIONS_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/process_pool/process_wire.h"

namespace grove {

class ProcessFunctions {
 public:
  // An error is the call's. An exception is its error, too: kUnknown with the text of what().
  using Function = std::function<absl::StatusOr<std::string>(std::string_view request)>;

  // Requires: no other has the name.
  void Add(std::string name, Function function);
  // Serves calls until the parent has closed the socket: the program's exit code. 2, and a line on
  // stderr: `channel` is no socket, since nobody's pool has started this program.
  int Serve(int channel = kProcessChannel);

 private:
  absl::StatusOr<std::string> Call(const std::string& function, std::string_view request) const;

  std::map<std::string, Function, std::less<>> functions_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_PROCESS_POOL_PROCESS_FUNCTIONS_H_
