#include "server/functions/fetch.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"
#include "runtime/switch/errno_status.h"
#include "runtime/sync/semaphore.h"
#include "server/functions/fetch_transfer.h"

namespace grove::functions {
namespace {

// Kept open for the next fetch from the same server.
constexpr long kIdleConnectionsMax = 64;

// Counted by libcurl itself; the supervisor must not have called it before it forked.
CURLcode InitCurlOnce() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  return result;
}

}  // namespace

// The multi handle and the descriptors it waits for. Level-triggered inside (libcurl leaves bytes
// in its sockets), edge-triggered outside: the hub's readiness stands until the set was seen empty.
// libcurl's one timer is a timerfd in the same set, so that the driver has one thing to await.
class FetchClient::Engine {
 public:
  explicit Engine(FetchPolicy policy)
      : policy_(std::move(policy)), permits_(policy_.concurrency_max) {}
  ~Engine();

  absl::Status Open();
  absl::StatusOr<FetchResult> Fetch(const FetchRequest& request);

  FetchStats stats() const {
    FetchStats stats = stats_;
    stats.running = static_cast<int64_t>(active_.size());
    stats.waiting = static_cast<int64_t>(permits_.waiting());
    return stats;
  }
  const FetchPolicy& policy() const { return policy_; }

 private:
  absl::StatusOr<FetchResult> InTurn(const FetchRequest& request);
  absl::StatusOr<FetchResult> Transfer(const FetchRequest& request);
  absl::Status Begin(FetchTransfer& transfer);
  void End(FetchTransfer& transfer);

  absl::Status StartDriver();
  void Drive();
  // False: nothing was ready.
  bool Step();
  void Reap();
  void SetTimer(long after_ms);
  void Watch(curl_socket_t fd, int what);

  static int OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int OnTimer(CURLM*, long after_ms, void* self);

  const FetchPolicy policy_;
  CURLM* multi_ = nullptr;
  int epoll_fd_ = -1;
  int timer_fd_ = -1;
  Semaphore permits_;
  absl::flat_hash_set<FetchTransfer*> active_;
  bool driving_ = false;
  FetchStats stats_;
};

FetchClient::Engine::~Engine() {
  if (multi_ != nullptr) {
    // Closing idle connections must not call back into a half-dead engine.
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
    curl_multi_cleanup(multi_);
  }
  if (timer_fd_ >= 0) close(timer_fd_);
  if (epoll_fd_ >= 0) close(epoll_fd_);
}

absl::Status FetchClient::Engine::Open() {
  if (const CURLcode code = InitCurlOnce(); code != CURLE_OK) {
    return absl::InternalError(absl::StrCat("curl_global_init: ", curl_easy_strerror(code)));
  }
  multi_ = curl_multi_init();
  if (multi_ == nullptr) return absl::ResourceExhaustedError("curl_multi_init: out of memory");
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0) return ErrnoStatus(errno, "epoll_create1");
  timer_fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer_fd_ < 0) return ErrnoStatus(errno, "timerfd_create");
  epoll_event event{.events = EPOLLIN, .data = {.fd = timer_fd_}};
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, timer_fd_, &event) != 0) {
    return ErrnoStatus(errno, "epoll_ctl");
  }
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnectionsMax);
  return absl::OkStatus();
}

int FetchClient::Engine::OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  static_cast<Engine*>(self)->Watch(fd, what);
  return 0;
}

int FetchClient::Engine::OnTimer(CURLM*, long after_ms, void* self) {
  static_cast<Engine*>(self)->SetTimer(after_ms);
  return 0;
}

void FetchClient::Engine::Watch(curl_socket_t fd, int what) {
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
    return;
  }
  epoll_event event{.events = 0, .data = {.fd = fd}};
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) == 0 || errno != ENOENT) return;
  // If this fails (out of memory, fs.epoll.max_user_watches), the fetch ends by its time-out.
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
}

void FetchClient::Engine::SetTimer(long after_ms) {
  itimerspec spec{};
  if (after_ms > 0) {
    spec.it_value = {.tv_sec = after_ms / 1000, .tv_nsec = after_ms % 1000 * 1'000'000};
  } else if (after_ms == 0) {
    spec.it_value.tv_nsec = 1;  // all zeros would disarm it
  }
  timerfd_settime(timer_fd_, 0, &spec, nullptr);
}

absl::StatusOr<FetchResult> FetchClient::Engine::Fetch(const FetchRequest& request) {
  ++stats_.fetches;
  const MonotonicNanos began = Hub::Current()->ReadClock();
  absl::StatusOr<FetchResult> result = InTurn(request);
  if (!result.ok()) ++stats_.failures;
  stats_.CountEnd(result.status().code(), Hub::Current()->ReadClock() - began);
  return result;
}

absl::StatusOr<FetchResult> FetchClient::Engine::InTurn(const FetchRequest& request) {
  if (absl::Status turn = permits_.Acquire(); !turn.ok()) return turn;
  absl::StatusOr<FetchResult> result = Transfer(request);
  permits_.Release();
  return result;
}

absl::StatusOr<FetchResult> FetchClient::Engine::Transfer(const FetchRequest& request) {
  absl::StatusOr<std::unique_ptr<FetchTransfer>> created = FetchTransfer::Create(policy_, request);
  if (!created.ok()) return created.status();
  FetchTransfer& transfer = **created;
  Timeout timeout(transfer.limits().timeout);
  if (absl::Status begun = Begin(transfer); !begun.ok()) return begun;
  const absl::Status waited = transfer.done().Wait();
  End(transfer);
  transfer.CountLookup(stats_);
  if (transfer.done().ready()) return transfer.TakeResult();
  if (!timeout.fired()) return transfer.Annotate(waited);
  return transfer.Annotate(absl::DeadlineExceededError(
      absl::StrCat("not finished after ", absl::FormatDuration(transfer.limits().timeout),
                   " (fetch.timeout_ms)")));
}

absl::Status FetchClient::Engine::Begin(FetchTransfer& transfer) {
  if (absl::Status started = StartDriver(); !started.ok()) return started;
  const CURLMcode code = curl_multi_add_handle(multi_, transfer.easy());
  if (code != CURLM_OK) {
    return absl::InternalError(absl::StrCat("curl_multi_add_handle: ", curl_multi_strerror(code)));
  }
  active_.insert(&transfer);
  return absl::OkStatus();
}

void FetchClient::Engine::End(FetchTransfer& transfer) {
  curl_multi_remove_handle(multi_, transfer.easy());
  active_.erase(&transfer);
  // The driver may wait for an answer that nobody wants any more.
  if (active_.empty() && driving_) SetTimer(0);
}

absl::Status FetchClient::Engine::StartDriver() {
  if (driving_) return absl::OkStatus();
  // Its end is noted also if it is cancelled before it has begun.
  struct Driving {
    Engine* engine;
    explicit Driving(Engine* e) : engine(e) {}
    Driving(Driving&& other) noexcept : engine(std::exchange(other.engine, nullptr)) {}
    ~Driving() {
      if (engine != nullptr) engine->driving_ = false;
    }
  };
  driving_ = true;
  return Spawn("fetch-driver", [driving = Driving(this)] { driving.engine->Drive(); }).status();
}

void FetchClient::Engine::Drive() {
  DescriptorTable& table = Hub::Current()->descriptors();
  absl::Status waited = table.Register(epoll_fd_, Poller::Mode::kEdge);
  while (waited.ok() && !active_.empty()) {
    waited = AwaitReadable(epoll_fd_);
    if (!waited.ok()) break;
    if (Step()) {
      Yield();  // a fast server must not keep the others from running
    } else {
      table.NotReady(epoll_fd_, Direction::kRead);
    }
  }
  table.Unregister(epoll_fd_);
  // Only the end of the hub, or a hub out of descriptors, leaves any.
  for (FetchTransfer* transfer : active_) transfer->Complete(CURLE_ABORTED_BY_CALLBACK);
}

bool FetchClient::Engine::Step() {
  std::array<epoll_event, 64> events;
  const int ready = epoll_wait(epoll_fd_, events.data(), events.size(), 0);
  int running = 0;
  for (int i = 0; i < ready; ++i) {
    const int fd = events[i].data.fd;
    if (fd == timer_fd_) {
      uint64_t expired;
      if (read(timer_fd_, &expired, sizeof(expired)) < 0) continue;
      curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      continue;
    }
    int mask = 0;
    if ((events[i].events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((events[i].events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(multi_, fd, mask, &running);
  }
  Reap();
  return ready > 0;
}

void FetchClient::Engine::Reap() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) {
      FetchTransfer::Of(message->easy_handle).Complete(message->data.result);
    }
  }
}

FetchClient::FetchClient(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
FetchClient::~FetchClient() = default;

absl::StatusOr<std::unique_ptr<FetchClient>> FetchClient::Create(FetchPolicy policy) {
  auto engine = std::make_unique<Engine>(std::move(policy));
  if (absl::Status opened = engine->Open(); !opened.ok()) return opened;
  return std::unique_ptr<FetchClient>(new FetchClient(std::move(engine)));
}

absl::StatusOr<FetchResult> FetchClient::Fetch(const FetchRequest& request) {
  return engine_->Fetch(request);
}

FetchStats FetchClient::stats() const {
  return engine_->stats();
}

const FetchPolicy& FetchClient::policy() const {
  return engine_->policy();
}

}  // namespace grove::functions
