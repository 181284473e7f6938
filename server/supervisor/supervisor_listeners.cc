// HTTP's listeners where a reload changes them.
//
// The new ones are bound before anything else changes, so an address that is taken refuses the
// reload. Those that go stay open here until the reload is over: it may have to be taken back, and
// the workers that have them serve on until they are replaced.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "server/log.h"
#include "server/supervisor/supervisor.h"

namespace grove::supervisor {
namespace {

using config::v1::HttpListener;

bool SameSocket(const HttpListener& one, const HttpListener& other) {
  return one.address() == other.address() && one.unix_mode() == other.unix_mode() &&
         one.reuse_port() == other.reuse_port() && one.backlog() == other.backlog() &&
         one.name() == other.name() && one.accept_silent() == other.accept_silent();
}

bool SameSockets(const config::v1::Http& one, const config::v1::Http& other) {
  return std::equal(one.listeners().begin(), one.listeners().end(), other.listeners().begin(),
                    other.listeners().end(), SameSocket);
}

}  // namespace

absl::Status Supervisor::TakeListeners(const config::v1::Http& http) {
  if (SameSockets(config_.config.http(), http)) return absl::OkStatus();
  internal::v1::SupervisorHandover record;
  record.set_workers(state_.wanted);
  endpoints_.Describe(record);
  // What a reload before has let go of may be wanted again.
  if (endpoints_before_) {
    internal::v1::SupervisorHandover before;
    endpoints_before_->Describe(before);
    record.mutable_http()->MergeFrom(before.http());
  }
  absl::StatusOr<Endpoints> next = Endpoints::Adopt(http, config_.config.run_dir(), record);
  if (!next.ok()) return next.status();
  if (endpoints_before_) {
    internal::v1::SupervisorHandover kept;
    endpoints_.Describe(kept);
    next->Describe(kept);
    endpoints_before_->RemoveNamesBut(kept);
  }
  endpoints_before_.emplace(std::move(endpoints_));
  endpoints_ = *std::move(next);
  for (const std::string& path : endpoints_.paths()) files_.RemoveAtEnd(path);
  SayListeners();
  return absl::OkStatus();
}

void Supervisor::SayListeners() {
  const std::vector<std::string> addresses = endpoints_.http_addresses();
  Log(LogLevel::kInfo, "HTTP listens", {{"http", absl::StrJoin(addresses, ",")}});
  const absl::Status written = files_.Write("http.address", absl::StrJoin(addresses, "\n"));
  if (!written.ok()) Log(LogLevel::kError, written.message());
}

void Supervisor::DropListenersBefore() {
  if (!endpoints_before_) return;
  internal::v1::SupervisorHandover kept;
  endpoints_.Describe(kept);
  endpoints_before_->RemoveNamesBut(kept);
  endpoints_before_.reset();
}

// What slots have for themselves may have been bound anew meanwhile.
void Supervisor::GoBackToListeners(const config::v1::Http& http) {
  if (!endpoints_before_) return;
  internal::v1::SupervisorHandover before, now;
  endpoints_before_->Describe(before);
  endpoints_.Describe(now);
  *before.mutable_slots() = now.slots();
  absl::StatusOr<Endpoints> old = Endpoints::Adopt(http, config_.config.run_dir(), before);
  if (!old.ok()) {
    return Log(LogLevel::kError, "cannot go back to the listeners before",
               {{"error", old.status().message()}});
  }
  endpoints_.RemoveNamesBut(before);
  endpoints_ = *std::move(old);
  endpoints_before_.reset();
  SayListeners();
}

}  // namespace grove::supervisor
