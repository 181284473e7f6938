#include "database/postgres/wire.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::postgres {
namespace {

// libpq makes room for so much, at least, before it reads (pqReadData in fe-misc.c).
constexpr size_t kReadAtLeast = 8192;
// For a request to cancel that nobody waits for.
constexpr absl::Duration kCancelTimeout = absl::Seconds(10);

DescriptorTable& Table() {
  return Hub::Current()->descriptors();
}

std::string Trimmed(const char* text) {
  std::string trimmed = text == nullptr ? "" : text;
  while (!trimmed.empty() && trimmed.back() == '\n') trimmed.pop_back();
  std::replace(trimmed.begin(), trimmed.end(), '\n', ' ');
  return trimmed;
}

// Until `fd` can be read or written: an epoll set of its own, made anew since each says once what
// is so. Rare: the kernel's buffer was full.
absl::Status AwaitEither(int fd) {
  const int both = epoll_create1(EPOLL_CLOEXEC);
  if (both < 0) return ErrnoStatus(errno, "epoll_create1");
  const absl::Cleanup close_it = [both] { close(both); };
  epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {}};
  if (epoll_ctl(both, EPOLL_CTL_ADD, fd, &event) != 0) return ErrnoStatus(errno, "epoll_ctl");
  if (absl::Status added = Table().Register(both, Poller::Mode::kEdge); !added.ok()) return added;
  const absl::Cleanup unregister = [both] { Table().Unregister(both); };
  // Registered as ready: only the poller knows.
  Table().NotReady(both, Direction::kRead);
  return AwaitReadable(both, WaitFor::Kind::kWrite);
}

}  // namespace

absl::Status Wire::Adopt() {
  const int fd = PQsocket(conn_);
  if (fd < 0) return absl::UnavailableError("libpq has no socket");
  if (absl::Status added = Table().Register(fd, Poller::Mode::kEdge); !added.ok()) return added;
  fd_ = fd;
  return absl::OkStatus();
}

void Wire::Disown() {
  if (fd_ >= 0 && Hub::Current() != nullptr) Table().Unregister(fd_);
  fd_ = -1;
}

void Wire::Close() {
  if (conn_ == nullptr) return;
  Disown();
  PQfinish(std::exchange(conn_, nullptr));
}

size_t Wire::Unread() const {
  int bytes = 0;
  return ioctl(fd_, FIONREAD, &bytes) == 0 ? static_cast<size_t>(std::max(0, bytes)) : 0;
}

bool Wire::HasInput() const {
  auto* const tls = static_cast<SSL*>(PQgetssl(conn_));
  if (tls != nullptr && SSL_pending(tls) > 0) return true;
  // The end of the stream is something to read, too.
  pollfd now{.fd = fd_, .events = POLLIN, .revents = 0};
  return poll(&now, 1, 0) > 0;
}

bool Wire::MayHaveInput() {
  return Table().MayBeReady(fd_, Direction::kRead);
}

absl::Status Wire::Consume() {
  // First: an edge that comes from here on must not be forgotten.
  Table().NotReady(fd_, Direction::kRead);
  may_hold_more_ = true;
  Table().CountCall();
  return PQconsumeInput(conn_) != 0 ? absl::OkStatus() : Error();
}

absl::Status Wire::AwaitInput() {
  if (may_hold_more_ && HasInput()) return Consume();
  if (absl::Status ready = Table().Await(fd_, Direction::kRead, WaitFor::Kind::kRead);
      !ready.ok()) {
    return ready;
  }
  return Consume();
}

absl::Status Wire::ConsumeCounted(size_t& received) {
  const size_t before = Unread();
  absl::Status consumed = Consume();
  const size_t after = consumed.ok() ? Unread() : 0;
  // With bytes left libpq has filled its buffer, whatever has come in between.
  received += after == 0 ? before : std::max(kReadAtLeast, before - std::min(before, after));
  return consumed;
}

absl::Status Wire::AwaitReady(bool for_read) {
  const Direction direction = for_read ? Direction::kRead : Direction::kWrite;
  Table().NotReady(fd_, direction);
  pollfd now{.fd = fd_, .events = static_cast<int16_t>(for_read ? POLLIN : POLLOUT), .revents = 0};
  if (poll(&now, 1, 0) > 0) return absl::OkStatus();
  return Table().Await(fd_, direction, for_read ? WaitFor::Kind::kRead : WaitFor::Kind::kWrite);
}

absl::Status Wire::Flush() {
  for (;;) {
    const int left = PQflush(conn_);
    if (left == 0) return absl::OkStatus();
    if (left < 0) return Error();
    if (absl::Status ready = AwaitEither(fd_); !ready.ok()) return ready;
    if (absl::Status consumed = Consume(); !consumed.ok()) return consumed;
  }
}

absl::StatusOr<ResultPtr> Wire::NextResult(size_t bytes_max) {
  size_t received = 0;
  while (PQisBusy(conn_) != 0) {
    // Only what is read without a wait is counted: a result that is so large comes so.
    const bool at_once = may_hold_more_ && HasInput();
    if (absl::Status input = at_once ? ConsumeCounted(received) : AwaitInput(); !input.ok()) {
      return input;
    }
    if (received > bytes_max) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("the result is larger than %d bytes", bytes_max));
    }
  }
  return ResultPtr(PQgetResult(conn_));
}

absl::Status Wire::Error() {
  std::string text = Trimmed(PQerrorMessage(conn_));
  if (text.empty()) text = "the connection failed";
  if (PQstatus(conn_) == CONNECTION_BAD) return absl::UnavailableError(text);
  return absl::InternalError(StrCat("libpq: ", text));
}

absl::Status Wire::Cancel() {
  const std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> request(PQgetCancel(conn_),
                                                                   PQfreeCancel);
  if (request == nullptr) return absl::UnavailableError("the connection is closed");
  ++services_->stats.cancels;
  char error[256] = "";
  int sent = 0;
  absl::Status ran =
      services_->offload.Run([&] { sent = PQcancel(request.get(), error, sizeof(error)); });
  if (!ran.ok() || sent != 0) return ran;
  return absl::UnavailableError(StrCat("cancel request: ", Trimmed(error)));
}

void Wire::Abandon(std::unique_ptr<Wire> wire) {
  if (wire == nullptr || !wire->open()) return;
  ++wire->services_->stats.abandoned;
  if (PQtransactionStatus(wire->conn_) != PQTRANS_ACTIVE) return;
  // Nobody may wait for it any more, and its own descriptor is of no use to the request.
  wire->Disown();
  const std::shared_ptr<Wire> shared = std::move(wire);
  (void)Spawn("postgres cancel", [shared] {
    Timeout timeout(kCancelTimeout);
    (void)shared->Cancel();
  });
}

SqlError ReadSqlError(const PGresult* result) {
  const auto field = [result](int code) -> std::string {
    const char* const text = PQresultErrorField(result, code);
    return text == nullptr ? "" : text;
  };
  return {.sqlstate = field(PG_DIAG_SQLSTATE),
          .severity = field(PG_DIAG_SEVERITY_NONLOCALIZED),
          .message = field(PG_DIAG_MESSAGE_PRIMARY),
          .detail = field(PG_DIAG_MESSAGE_DETAIL),
          .hint = field(PG_DIAG_MESSAGE_HINT),
          .position = field(PG_DIAG_STATEMENT_POSITION),
          .schema = field(PG_DIAG_SCHEMA_NAME),
          .table = field(PG_DIAG_TABLE_NAME),
          .column = field(PG_DIAG_COLUMN_NAME),
          .constraint = field(PG_DIAG_CONSTRAINT_NAME)};
}

absl::Status ResultStatus(const PGresult* result) {
  switch (PQresultStatus(result)) {
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
      break;
    case PGRES_PIPELINE_ABORTED:
      return absl::AbortedError("a statement before it in the same batch failed");
    default:
      return absl::OkStatus();
  }
  const SqlError error = ReadSqlError(result);
  if (!error.sqlstate.empty()) return SqlErrorStatus(error);
  // libpq's own words have no state: the connection is gone, or what came is no protocol.
  return absl::UnavailableError(Trimmed(PQresultErrorMessage(result)));
}

}  // namespace grove::postgres
