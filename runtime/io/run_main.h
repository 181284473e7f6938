// RunMain: a program's main() around a body that runs on a fiber.
//
//   absl::Status Main(const grove::Arguments& arguments);
//   int main(int argc, char** argv) { return grove::RunMain(argc, argv, Main); }
//
// Parses the flags (absl/flags), makes a hub and runs the body as its main fiber. SIGINT and
// SIGTERM cancel the body, which ends as it does after any cancellation; a second one ends the
// process. What the body returns or throws is the exit code, and one line on stderr if it is an
// error. For programs of one hub and one process; a daemon with workers is grove::Main's
// (server/main.h).
#ifndef GROVE_RUNTIME_IO_RUN_MAIN_H_
#define GROVE_RUNTIME_IO_RUN_MAIN_H_

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "runtime/hub/hub.h"

namespace grove {

// What the command line holds beside the program's name and its flags.
using Arguments = std::vector<std::string>;

// Of fibers of such programs: libraries (TLS, databases) want more than a hub's default. Reserved,
// and touched only as far as it is used.
inline constexpr size_t kMainStackBytes = 256 * 1024;

namespace run_main_internal {
int Run(int argc, char** argv, HubOptions options,
        absl::FunctionRef<absl::Status(const Arguments&)> body);
}  // namespace run_main_internal

// `body`: absl::Status or void, of (const Arguments&) or (). The exit code: 0 for OK; 128 and the
// signal's number, as shells say it, if the body has returned kCancelled after one; else 1, with
// "program: message (CODE)" on stderr, also where no hub could be made. Wrong flags and
// --help are answered by absl's parser, which exits with 1; absl::SetProgramUsageMessage() is what
// it says above the flags. Requires: no hub on this thread. Call it before threads are started:
// they inherit the blocked signals.
template <typename F>
int RunMain(int argc, char** argv, F&& body,
            HubOptions options = {.stack_bytes = kMainStackBytes}) {
  const auto call = [&body](const Arguments& arguments) {
    if constexpr (std::is_invocable_v<F&, const Arguments&>) {
      return body(arguments);
    } else {
      return body();
    }
  };
  return run_main_internal::Run(argc, argv, std::move(options),
                                [&call](const Arguments& arguments) -> absl::Status {
                                  if constexpr (std::is_void_v<decltype(call(arguments))>) {
                                    call(arguments);
                                    return absl::OkStatus();
                                  } else {
                                    return call(arguments);
                                  }
                                });
}

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_RUN_MAIN_H_
