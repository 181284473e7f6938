// Messages pushed and pulled: on fibers, and by libzmq's blocking calls on two threads.
//
// usage: push_pull_bench [COUNT [ROUNDS]]
// Prints, for each address and size, messages per second of the process's CPU time (libzmq's own
// threads included): bare libzmq, two fibers of one hub, a hub on each of two threads; and the
// ratios. Rounds of all three take turns; medians.
#include <sys/resource.h>
#include <zmq.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "runtime/hub/hub.h"
#include "zeromq/context.h"
#include "zeromq/socket.h"

namespace grove::zeromq {
namespace {

struct Load {
  const char* address;
  size_t bytes;
  int count;
};

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Must(bool done, const char* what) {
  if (done) return;
  fprintf(stderr, "%s failed\n", what);
  exit(1);
}

// --- Bare libzmq --------------------------------------------------------------------------------

void PushBare(void* socket, const Load& load) {
  const std::string text(load.bytes, 'x');
  for (int i = 0; i < load.count; ++i) {
    zmq_msg_t message;
    zmq_msg_init_size(&message, text.size());
    memcpy(zmq_msg_data(&message), text.data(), text.size());
    Must(zmq_msg_send(&message, socket, 0) >= 0, "zmq_msg_send");
  }
}

void PullBare(void* socket, const Load& load) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  for (int i = 0; i < load.count; ++i) {
    Must(zmq_msg_recv(&message, socket, 0) >= 0, "zmq_msg_recv");
    Must(zmq_msg_size(&message) == load.bytes, "the size of a message");
  }
  zmq_msg_close(&message);
}

void RunBare(const Load& load) {
  void* const context = zmq_ctx_new();
  void* const pull = zmq_socket(context, ZMQ_PULL);
  void* const push = zmq_socket(context, ZMQ_PUSH);
  char bound[256];
  size_t bytes = sizeof(bound);
  Must(zmq_bind(pull, load.address) == 0, "zmq_bind");
  Must(zmq_getsockopt(pull, ZMQ_LAST_ENDPOINT, bound, &bytes) == 0, "ZMQ_LAST_ENDPOINT");
  Must(zmq_connect(push, bound) == 0, "zmq_connect");
  std::thread pusher([&] { PushBare(push, load); });
  PullBare(pull, load);
  pusher.join();
  zmq_close(push);
  zmq_close(pull);
  zmq_ctx_term(context);
}

// --- Fibers -------------------------------------------------------------------------------------

void Push(Socket& socket, const Load& load) {
  const std::string text(load.bytes, 'x');
  for (int i = 0; i < load.count; ++i) Must(socket.Send(text).ok(), "Send");
}

void Pull(Socket& socket, const Load& load) {
  Message message;
  for (int i = 0; i < load.count; ++i) {
    Must(socket.Receive(message).ok(), "Receive");
    Must(message[0].size() == load.bytes, "the size of a message");
  }
}

void OnAHub(absl::FunctionRef<void()> body) {
  auto hub = *Hub::Create();
  Must(hub->Run(body).ok(), "the hub");
}

void RunOnOneHub(const Load& load) {
  auto context = *Context::Create();
  OnAHub([&] {
    auto pull = *Socket::Open(*context, SocketType::kPull);
    auto push = *Socket::Open(*context, SocketType::kPush);
    Must(push->Connect(*pull->Bind(load.address)).ok(), "Connect");
    auto pusher = *Spawn("pusher", [&] { Push(*push, load); });
    Pull(*pull, load);
    Must(pusher.Join().ok(), "Join");
  });
}

void RunOnTwoHubs(const Load& load) {
  auto context = *Context::Create();
  OnAHub([&] {
    auto pull = *Socket::Open(*context, SocketType::kPull);
    const std::string bound = *pull->Bind(load.address);
    std::thread pusher([&] {
      OnAHub([&] {
        auto push = *Socket::Open(*context, SocketType::kPush);
        Must(push->Connect(bound).ok(), "Connect");
        Push(*push, load);
      });
    });
    Pull(*pull, load);
    pusher.join();
  });
}

// --- Figures ------------------------------------------------------------------------------------

double MessagesPerCpuSecond(const Load& load, absl::FunctionRef<void(const Load&)> run) {
  const double began = CpuSeconds();
  run(load);
  return load.count / (CpuSeconds() - began);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Compare(const char* name, const Load& load, int rounds) {
  std::vector<double> bare;
  std::vector<double> one_hub;
  std::vector<double> two_hubs;
  for (int i = 0; i < rounds; ++i) {
    bare.push_back(MessagesPerCpuSecond(load, RunBare));
    one_hub.push_back(MessagesPerCpuSecond(load, RunOnOneHub));
    two_hubs.push_back(MessagesPerCpuSecond(load, RunOnTwoHubs));
  }
  const double floor = Median(bare);
  printf("%s, %zu bytes: bare %.0f, one hub %.0f (%.2f), two hubs %.0f (%.2f)\n", name, load.bytes,
         floor, Median(one_hub), Median(one_hub) / floor, Median(two_hubs),
         Median(two_hubs) / floor);
}

}  // namespace
}  // namespace grove::zeromq

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 1'000'000;
  const int rounds = argc > 2 ? atoi(argv[2]) : 5;
  for (const size_t bytes : {32, 1024, 16384}) {
    const int messages = bytes > 10'000 ? count / 4 : count;
    grove::zeromq::Compare("tcp", {"tcp://127.0.0.1:*", bytes, messages}, rounds);
    grove::zeromq::Compare("inproc", {"inproc://bench", bytes, messages}, rounds);
  }
  return 0;
}
