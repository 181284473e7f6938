#include "server/http/embedded/embedded_server.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/check.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/embedded/failure_log.h"
#include "server/http/serving/server.h"

namespace grove::http {
namespace {

// For the last lines of the access log.
constexpr absl::Duration kLastLines = absl::Seconds(1);

absl::Status Within(std::string_view what, const absl::Status& status) {
  return absl::Status(status.code(), StrCat(what, status.message()));
}

}  // namespace

EmbeddedServer::EmbeddedServer(Router router, EmbeddedOptions options)
    : options_(std::move(options)), router_(std::move(router)) {
  LogFailures(options_.server);
}

EmbeddedServer::~EmbeddedServer() {
  GROVE_CHECK(!server_, "an EmbeddedServer died while it serves");
}

void EmbeddedServer::Stop() {
  stopped_ = true;
  if (server_) server_->Drain();
}

absl::Status EmbeddedServer::Serve(Listener listener) {
  GROVE_CHECK(!server_, "an EmbeddedServer serves one listener, once");
  if (stopped_) return absl::OkStatus();
  auto log = access_log::AccessLogFile::Open(options_.access_log);
  if (!log.ok()) return Within("access_log.", log.status());
  if (*log != nullptr) options_.server.access_log = log->get();
  server_ = std::make_unique<Server>(options_.server, std::move(router_), stats_);
  absl::StatusOr<FiberHandle> acceptor =
      Spawn("http.accept", [this, listener = std::move(listener)]() mutable {
        return server_->Serve(std::move(listener), options_.ingress ? &*options_.ingress : nullptr);
      });
  absl::Status status = acceptor.status();
  if (acceptor.ok()) {
    status = acceptor->Join();
    if (acceptor->ended() && !status.ok()) status = Within("accept: ", status);
    server_->Drain();
    acceptor->AwaitEnd();
  }
  stopped_ = true;
  const uint64_t cut = Drain();
  server_.reset();
  if (*log != nullptr) (*log)->writer().Stop(kLastLines);
  // That the caller was cancelled is how it is told to end: what it was asked for is done.
  if (!status.ok() && !absl::IsCancelled(status)) return status;
  if (cut == 0) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(cut, " connections were cut off at the drain time-out, ",
                                         absl::FormatDuration(options_.drain_timeout)));
}

uint64_t EmbeddedServer::Drain() {
  // On a fiber of its own, since this one may have been told to wait no more.
  const absl::StatusOr<FiberHandle> drain = Spawn("http.drain", [this] {
    Timeout timeout(options_.drain_timeout);
    return server_->AwaitIdle();
  });
  if (drain.ok()) FiberHandle(*drain).AwaitEnd();
  const uint64_t cut = stats_.open;
  server_->Cancel();
  server_->AwaitEnd();
  return cut;
}

absl::Status Serve(Listener listener, Router router, EmbeddedOptions options) {
  return EmbeddedServer(std::move(router), std::move(options)).Serve(std::move(listener));
}

absl::Status Serve(std::string_view address, Router router, EmbeddedOptions options) {
  absl::StatusOr<Listener> listener = Listener::Listen(address);
  if (!listener.ok()) return listener.status();
  return Serve(*std::move(listener), std::move(router), std::move(options));
}

}  // namespace grove::http
