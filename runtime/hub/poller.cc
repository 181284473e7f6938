#include "runtime/hub/poller.h"

#include <string>

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

struct Backend {
  std::string_view name;
  absl::StatusOr<std::unique_ptr<Poller>> (*create)();
};

constexpr Backend kBackends[] = {{"epoll", &Poller::Epoll}, {"poll", &Poller::Poll}};

}  // namespace

void Poller::FailedForGood(std::string_view call, int error) {
  Die(absl::StrFormat("hub: %s; without it this process can only spin, and ends",
                      ErrnoStatus(error, call).message()));
}

absl::StatusOr<std::unique_ptr<Poller>> Poller::ByName(std::string_view name) {
  std::string known;
  for (const Backend& backend : kBackends) {
    if (backend.name == name) return backend.create();
    StrAppend(&known, known.empty() ? "" : ", ", backend.name);
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("no poller is called \"%s\"; there are: %s", name, known));
}

}  // namespace grove
