#include "zeromq/context.h"

#include <unistd.h>
#include <zmq.h>

#include <cerrno>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/thread_mutex.h"
#include "runtime/sync/event.h"
#include "zeromq/zmq_error.h"

namespace grove::zeromq {
namespace {

void Terminate(void* raw) {
  while (zmq_ctx_term(raw) != 0 && errno == EINTR) {
  }
}

}  // namespace

struct Context::Closing {
  // Hub thread only, which alone takes `waits` away.
  void Tell() {
    Event* event = nullptr;
    {
      const std::lock_guard lock(mutex);
      event = waits;
    }
    if (event != nullptr) event->Set();
  }

  ThreadMutex mutex;
  // Guarded by mutex.
  bool closed = false;
  Hub* hub = nullptr;
  Event* waits = nullptr;  // of the fiber in Close()
};

absl::StatusOr<std::unique_ptr<Context>> Context::Create(const ContextOptions& options) {
  if (options.io_threads < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("zeromq: io_threads is ", options.io_threads, ", must be 1 at least"));
  }
  void* const raw = zmq_ctx_new();
  if (raw == nullptr) return ZmqStatus(errno, "zmq_ctx_new");
  std::unique_ptr<Context> context(new Context(raw));
  if (zmq_ctx_set(raw, ZMQ_IO_THREADS, options.io_threads) != 0 ||
      zmq_ctx_set(raw, ZMQ_MAX_SOCKETS, options.sockets_max) != 0) {
    return ZmqStatus(errno, absl::StrCat("zeromq: sockets_max ", options.sockets_max));
  }
  return context;
}

Context::Context(void* raw) : process_(getpid()), raw_(raw) {}

void Context::CheckIsThisProcess() const {
  GROVE_CHECK(process_ == getpid(),
              "a zeromq::Context was used in a forked child: its threads are the parent's");
}

Context::~Context() {
  // In a forked child there is nobody to answer: its memory and descriptors go with the process.
  if (process_ != getpid()) {
    if (closer_.joinable()) closer_.detach();
    return;
  }
  GROVE_CHECK(open_ == 0, "a zeromq::Context died while sockets of it are open");
  if (closer_.joinable()) {
    closer_.join();
  } else {
    Terminate(raw_);
  }
}

absl::Status Context::Close() {
  CheckIsThisProcess();
  if (open_ != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("zeromq: ", open_.load(), " sockets of the context are open; close them"));
  }
  Event closed;
  if (closing_ == nullptr) closing_ = std::make_shared<Closing>();
  {
    const std::lock_guard lock(closing_->mutex);
    if (closing_->closed) return absl::OkStatus();
    GROVE_CHECK(closing_->waits == nullptr, "two fibers close one zeromq::Context");
    closing_->hub = &Hub::CurrentOrDie();
    closing_->waits = &closed;
  }
  if (!closer_.joinable()) {
    closer_ = std::thread([closing = closing_, raw = raw_] {
      Terminate(raw);
      const std::lock_guard lock(closing->mutex);
      closing->closed = true;
      // The hub lives: a fiber of it waits. It may have left by the time the call comes.
      if (closing->waits != nullptr) closing->hub->Post([closing] { closing->Tell(); });
    });
  }
  absl::Status waited = closed.Wait();
  const std::lock_guard lock(closing_->mutex);
  closing_->waits = nullptr;
  return closing_->closed ? absl::OkStatus() : waited;
}

}  // namespace grove::zeromq
