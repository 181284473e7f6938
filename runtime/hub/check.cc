#include "runtime/hub/check.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"

namespace grove {

void CheckFailed(const char* file, int line, const char* condition, std::string_view message) {
  std::string text = absl::StrFormat("%s:%d: check failed: %s: %s", file, line, condition, message);
  const Hub* hub = Hub::Current();
  if (hub != nullptr && hub->running() != nullptr) {
    const Fiber& fiber = *hub->running();
    absl::StrAppendFormat(&text, "; in fiber %d \"%s\", spawned at %s:%d", fiber.id(), fiber.name(),
                          fiber.spawn_site().file_name(), fiber.spawn_site().line());
  }
  Die(text);
}

void Die(std::string_view message) {
  const std::string line = StrCat(message, "\n");
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  abort();
}

}  // namespace grove
