#include "server/http/handler/request_id_scope.h"

#include <utility>

#include "runtime/hub/fiber_local.h"
#include "runtime/hub/hub.h"

namespace grove::http {
namespace {

FiberLocal<std::string, Inheritance::kCopied>& Local() {
  static auto* const local = new FiberLocal<std::string, Inheritance::kCopied>;
  return *local;
}

}  // namespace

RequestIdScope::RequestIdScope(std::string_view id) {
  before_ = std::exchange(Local().Get(), std::string(id));
}

RequestIdScope::~RequestIdScope() {
  Local().Set(std::move(before_));
}

std::string_view RequestIdScope::Current() {
  const Hub* const hub = Hub::Current();
  if (hub == nullptr || hub->running() == nullptr) return {};
  const std::string* const id = Local().Find();
  return id == nullptr ? std::string_view() : std::string_view(*id);
}

}  // namespace grove::http
