#include "runtime/io/run_main.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/hub/exception_text.h"
#include "runtime/io/signals.h"

namespace grove::run_main_internal {
namespace {

std::string_view NameOf(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // all of it without a slash
}

int Failed(const std::string& program, const absl::Status& error) {
  const std::string message =
      absl::StrReplaceAll(std::string(error.message()), {{"\n", " "}, {"\r", " "}});
  std::fprintf(stderr, "%s: %s (%s)\n", program.c_str(), message.c_str(),
               absl::StatusCodeToString(error.code()).c_str());
  return 1;
}

// For --help, unless the program has said it; abseil takes it once, and answers so without one.
void SayUsage(const std::string& program) {
  if (absl::ProgramUsageMessage() != "Warning: SetProgramUsageMessage() never called") return;
  absl::SetProgramUsageMessage(
      absl::StrCat("usage: ", program, " [--FLAG=VALUE]... [ARGUMENT]..."));
}

// Cancels `body` on the first of the signals, whose number it leaves in `got`.
absl::Status WatchSignals(Fiber& body, int& got) {
  absl::StatusOr<SignalSet> signals = SignalSet::Create({SIGINT, SIGTERM});
  if (!signals.ok()) return signals.status();
  // Detached: the hub cancels it when the body has ended.
  return Spawn("signals",
               [&body, &got, signals = *std::move(signals)]() mutable {
                 const absl::StatusOr<SignalReceived> signal = signals.Await();
                 if (!signal.ok()) return;
                 got = signal->number;
                 body.Cancel();
               })
      .status();
}

}  // namespace

int Run(int argc, char** argv, HubOptions options,
        absl::FunctionRef<absl::Status(const Arguments&)> body) {
  const std::string program(argc > 0 ? NameOf(argv[0]) : "");
  SayUsage(program);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  const Arguments arguments(rest.empty() ? rest.begin() : rest.begin() + 1, rest.end());
  const absl::StatusOr<std::unique_ptr<Hub>> hub = Hub::Create(std::move(options));
  if (!hub.ok()) return Failed(program, hub.status());
  int signal = 0;
  absl::Status status;
  try {
    status = (*hub)->Run([&]() -> absl::Status {
      const absl::Status watched = WatchSignals(*(*hub)->running(), signal);
      return watched.ok() ? body(arguments) : watched;
    });
  } catch (const std::exception&) {
    status = absl::UnknownError(DescribeCurrentException());
  }
  if (status.ok()) return 0;
  if (signal != 0 && absl::IsCancelled(status)) return 128 + signal;
  return Failed(program, status);
}

}  // namespace grove::run_main_internal
