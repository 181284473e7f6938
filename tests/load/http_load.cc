// http_load: loads an HTTP/1.1 server on this machine in ways that wrk has no flags for.
//
// usage: http_load PORT [OPTION=NUMBER ...] [path=/TARGET]
//
//   connections=64  kept alive, opened one after the other
//   requests=0      ends after so many answers; 0: after `seconds`
//   seconds=3
//   depth=1         requests in flight on each connection
//   rate=0          requests a second, at random moments that do not wait for the server (Poisson);
//                   latencies count from the moment a request was due, also if no connection was
//                   free to carry it. 0: each answer is followed by the next request.
//   hold=0          only opens the connections, has each answer one request, prints "held" and
//                   keeps them open and silent for so many seconds
//
// Prints `METRIC VALUE` lines. Any answer but 200 and any broken connection ends it with status 1.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int kConnectionsMax = 100'000;
constexpr int kSecondsMax = 600;
constexpr size_t kHeadBytesMax = 8 * 1024;
constexpr size_t kReadBytes = 256 * 1024;
constexpr int kEvents = 256;

using Clock = std::chrono::steady_clock;

struct Options {
  int port = 0;
  int connections = 64;
  int64_t requests = 0;
  int seconds = 3;
  int depth = 1;
  int rate = 0;
  int hold = 0;
  std::string path = "/";
};

[[noreturn]] void Die(const std::string& what) {
  fprintf(stderr, "http_load: %s\n", what.c_str());
  exit(1);
}

// Takes `name=value`; false if there is no such option or the value is out of bounds.
bool Set(Options& options, std::string_view argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = argument.substr(0, equals);
  const std::string value(argument.substr(equals + 1));
  if (name == "path") {
    options.path = value;
    return value.starts_with('/');
  }
  char* end = nullptr;
  const int64_t number = strtoll(value.c_str(), &end, 10);
  if (value.empty() || *end != '\0' || number < 0) return false;
  auto take = [number](int& place, int least, int most) {
    place = static_cast<int>(number);
    return number >= least && number <= most;
  };
  if (name == "connections") return take(options.connections, 1, kConnectionsMax);
  if (name == "seconds") return take(options.seconds, 1, kSecondsMax);
  if (name == "depth") return take(options.depth, 1, 1000);
  if (name == "rate") return take(options.rate, 0, 10'000'000);
  if (name == "hold") return take(options.hold, 0, kSecondsMax);
  if (name != "requests") return false;
  options.requests = number;
  return true;
}

// Answers as they come in, one after the other. Knows bodies with a Content-Length only.
class Answers {
 public:
  // How many ended within `bytes`, which are taken whole.
  int Take(std::string_view bytes) {
    int ended = 0;
    while (!bytes.empty()) {
      if (body_left_ == 0) {
        bytes.remove_prefix(TakeHead(bytes));
        if (in_head_) return ended;
      }
      const size_t taken = std::min<uint64_t>(body_left_, bytes.size());
      bytes.remove_prefix(taken);
      body_left_ -= taken;
      if (body_left_ == 0) ++ended;
    }
    return ended;
  }

 private:
  // Bytes of the head in `bytes`.
  size_t TakeHead(std::string_view bytes) {
    const size_t before = head_.size();
    head_.append(bytes.substr(0, kHeadBytesMax));
    const size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    in_head_ = end == std::string::npos;
    if (in_head_) {
      if (head_.size() > kHeadBytesMax) Die("an answer's head is longer than 8 KiB");
      return bytes.size();
    }
    head_.resize(end + 4);
    if (!head_.starts_with("HTTP/1.1 200 ")) Die("answered: " + head_.substr(0, head_.find('\r')));
    const size_t length = head_.find("Content-Length: ");
    if (length == std::string::npos) Die("an answer has no Content-Length");
    body_left_ = strtoull(head_.c_str() + length + strlen("Content-Length: "), nullptr, 10);
    if (body_left_ == 0) Die("an answer has no body");
    const size_t taken = head_.size() - before;
    head_.clear();
    return taken;
  }

  std::string head_;
  bool in_head_ = false;
  uint64_t body_left_ = 0;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        request_("GET " + options.path +
                 " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) + "\r\n\r\n"),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        scratch_(kReadBytes) {}

  void Run() {
    Open();
    if (options_.hold > 0) return Hold();
    start_ = Clock::now();
    end_ = start_ + std::chrono::seconds(options_.seconds);
    next_due_ = start_;
    if (options_.rate == 0) {
      for (Connection& connection : connections_) Ask(connection, options_.depth, start_);
    } else {
      for (Connection& connection : connections_) free_.push_back(&connection);
    }
    while (!Ended()) Turn();
    Report();
  }

 private:
  struct Connection {
    int fd = -1;
    Answers answers;
    std::deque<Clock::time_point> due;  // of the requests in flight
  };

  void Open() {
    connections_.resize(options_.connections);
    for (Connection& connection : connections_) {
      connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (connection.fd < 0) Die(std::string("socket: ") + strerror(errno));
      const int on = 1;
      setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(options_.port));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
        Die(std::string("connect: ") + strerror(errno));
      }
      if (options_.hold > 0) ExchangeOne(connection);
      fcntl(connection.fd, F_SETFL, O_NONBLOCK);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &connection;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    }
  }

  // While the socket still blocks.
  void ExchangeOne(Connection& connection) {
    Ask(connection, 1, {});
    while (Receive(connection) == 0) {
    }
    connection.due.clear();
  }

  void Hold() {
    printf("held %d\n", options_.connections);
    fflush(stdout);
    std::this_thread::sleep_for(std::chrono::seconds(options_.hold));
    if (epoll_event event; epoll_wait(epoll_, &event, 1, 0) != 0) Die("a silent connection ended");
  }

  void Ask(Connection& connection, int times, Clock::time_point due) {
    std::string bytes;
    for (int i = 0; i < times; ++i) bytes += request_;
    if (send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
      Die("the server does not take a whole request");
    }
    connection.due.insert(connection.due.end(), times, due);
  }

  int Receive(Connection& connection) {
    const ssize_t got = read(connection.fd, scratch_.data(), scratch_.size());
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) Die(got == 0 ? "the server closed a connection" : strerror(errno));
    return connection.answers.Take({scratch_.data(), static_cast<size_t>(got)});
  }

  bool Ended() const {
    if (options_.requests > 0) return answered_ >= options_.requests;
    return Clock::now() >= end_;
  }

  void Turn() {
    epoll_event events[kEvents];
    const int count = epoll_wait(epoll_, events, kEvents, options_.rate > 0 ? 0 : 100);
    for (int i = 0; i < count; ++i) Serve(*static_cast<Connection*>(events[i].data.ptr));
    if (options_.rate > 0) Schedule();
  }

  void Serve(Connection& connection) {
    const int ended = Receive(connection);
    if (ended == 0) return;
    const Clock::time_point now = Clock::now();
    answered_ += ended;
    for (int i = 0; i < ended; ++i) {
      latencies_.push_back(
          std::chrono::duration<float, std::micro>(now - connection.due.front()).count());
      connection.due.pop_front();
    }
    if (options_.rate > 0) {
      free_.push_back(&connection);
    } else {
      Ask(connection, ended, now);
    }
  }

  // Sends what is due, on whatever connection is free.
  void Schedule() {
    const Clock::time_point now = Clock::now();
    while (next_due_ <= now) {
      waiting_.push_back(next_due_);
      next_due_ += std::chrono::duration_cast<Clock::duration>(
          std::chrono::duration<double>(gap_(random_) / options_.rate));
    }
    while (!waiting_.empty() && !free_.empty()) {
      Ask(*free_.front(), 1, waiting_.front());
      free_.pop_front();
      waiting_.pop_front();
    }
  }

  void Report() {
    const std::chrono::duration<double> elapsed = Clock::now() - start_;
    printf("answers %lld\n", static_cast<long long>(answered_));
    printf("answers_per_s %.0f\n", static_cast<double>(answered_) / elapsed.count());
    std::sort(latencies_.begin(), latencies_.end());
    for (const double share : {0.5, 0.9, 0.99, 0.999}) {
      if (latencies_.empty()) break;
      const size_t place = static_cast<size_t>(share * static_cast<double>(latencies_.size() - 1));
      printf("p%g_us %.0f\n", share * 100, latencies_[place]);
    }
    printf("not_sent %zu\n", waiting_.size());
  }

  const Options options_;
  const std::string request_;
  const int epoll_;
  std::vector<char> scratch_;
  std::vector<Connection> connections_;
  Clock::time_point start_, end_, next_due_;
  std::mt19937_64 random_{1};
  std::exponential_distribution<double> gap_{1.0};
  std::deque<Connection*> free_;
  std::deque<Clock::time_point> waiting_;  // due, and not yet sent
  int64_t answered_ = 0;
  std::vector<float> latencies_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.port = argc > 1 ? atoi(argv[1]) : 0;
  bool understood = options.port > 0 && options.port < 65536;
  for (int i = 2; i < argc; ++i) understood = Set(options, argv[i]) && understood;
  if (!understood) {
    fprintf(stderr,
            "usage: http_load PORT [connections=64] [requests=0] [seconds=3] [depth=1] [rate=0] "
            "[hold=0] [path=/]\n");
    return 2;
  }
  Load(options).Run();
  return 0;
}
