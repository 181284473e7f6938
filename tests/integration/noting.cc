// noting: an application whose function notes its runs in a file, so that a test can count them,
// whoever was killed meanwhile.
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/hub/hub.h"
#include "server/application.h"
#include "server/main.h"

namespace {

// One line, in one write(2) behind what is there: lines of many processes do not mix, and one whose
// writer is killed is there whole or not at all.
void WriteNote(const std::string& line) {
  static const char* const path = getenv("GROVE_TEST_NOTES");
  if (path == nullptr) abort();
  static const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) abort();
}

// As Python's time.monotonic_ns().
int64_t MonotonicNow() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// "KEY MILLISECONDS HOW [TIMES]": notes its beginning, sleeps, notes its end, and then
//   done         succeeds;
//   fails TIMES  fails up to the attempt of that number, then succeeds;
//   never        fails;
//   final        fails as no other attempt could mend.
// A note is "begins" or "ends", then what the output is: the key, the attempt, the process, and
// when the run began, which tells it from all others.
absl::StatusOr<grove::Output> Note(grove::TaskContext& context) {
  const std::vector<std::string> words = absl::StrSplit(std::string(context.input()), ' ');
  int64_t sleep_ms = 0;
  int times = 0;
  if (words.size() < 3 || !absl::SimpleAtoi(words[1], &sleep_ms) ||
      (words.size() > 3 && !absl::SimpleAtoi(words[3], &times))) {
    return absl::InvalidArgumentError("not KEY MILLISECONDS HOW [TIMES]");
  }
  const std::string run =
      absl::StrCat(words[0], " ", context.attempt(), " ", getpid(), " ", MonotonicNow());
  WriteNote(absl::StrCat("begins ", run, "\n"));
  if (absl::Status slept = grove::Sleep(absl::Milliseconds(sleep_ms)); !slept.ok()) return slept;
  WriteNote(absl::StrCat("ends ", run, "\n"));
  if (words[2] == "final") return absl::PermissionDeniedError("final");
  if (words[2] == "never") return absl::InternalError("never");
  if (context.attempt() <= times) return absl::InternalError("not yet");
  return grove::Output{run, "text/plain"};
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("noting");
  application.AddFunction("note", Note);
  return grove::Main(argc, argv, application);
}
