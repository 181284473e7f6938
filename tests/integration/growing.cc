// growing: an application whose workers come to hold more memory than they should, to see them
// replaced.
#include <unistd.h>

#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/application.h"
#include "server/main.h"

namespace {

using grove::http::Request;
using grove::http::Response;

constexpr size_t kMib = size_t{1} << 20;
// Of the worker itself there are some ten.
constexpr size_t kGrownBytes = 128 * kMib;
// Should nobody end it.
constexpr size_t kDevouredBytesMax = 1024 * kMib;

// What each worker holds; written as a whole, so that it is resident.
std::vector<std::vector<char>>& Held() {
  static std::vector<std::vector<char>> held;
  return held;
}

// GET /: which worker answers.
absl::Status Pid(Request&, Response& response) {
  return response.Send(200, "text/plain", absl::StrCat(getpid()));
}

// GET /grow: grown from now on, however often it is asked.
absl::Status Grow(Request& request, Response& response) {
  if (Held().empty()) Held().emplace_back(kGrownBytes, 'g');
  return Pid(request, response);
}

// GET /devour: without a stop, till the kernel ends it.
absl::Status Devour(Request& request, Response& response) {
  for (size_t bytes = 0; bytes < kDevouredBytesMax; bytes += kMib) Held().emplace_back(kMib, 'd');
  return Pid(request, response);
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("growing");
  application.Handle("GET", "/", Pid);
  application.Handle("GET", "/grow", Grow);
  application.Handle("GET", "/devour", Devour);
  return grove::Main(argc, argv, application);
}
