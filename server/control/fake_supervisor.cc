#include "server/control/fake_supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grove::control {

FakeSupervisor::FakeSupervisor(Answer answer) : answer_(std::move(answer)) {
  auto opened = process::CommandChannel::Open("grove-control");
  EXPECT_TRUE(opened.ok()) << opened.status();
  channel_ = std::move(opened->first);
  child_fd_ = opened->second;
  EXPECT_EQ(pipe2(stop_, O_CLOEXEC), 0);
  thread_ = std::thread([this] { Serve(); });
}

FakeSupervisor::~FakeSupervisor() {
  close(stop_[1]);
  thread_.join();
  close(stop_[0]);
}

void FakeSupervisor::Say(const std::vector<v1::Operation>& operations) {
  internal::v1::SupervisorMessage message;
  internal::v1::OperationsChanged& changed = *message.mutable_operations();
  for (const v1::Operation& operation : operations) *changed.add_operations() = operation;
  absl::MutexLock lock(&mutex_);
  channel_.Send(message);
}

std::vector<internal::v1::OperationRequest> FakeSupervisor::requests() const {
  absl::MutexLock lock(&mutex_);
  return requests_;
}

void FakeSupervisor::Serve() {
  for (;;) {
    pollfd polled[2] = {{.fd = stop_[0], .events = POLLIN, .revents = 0},
                        {.fd = -1, .events = 0, .revents = 0}};
    {
      absl::MutexLock lock(&mutex_);
      polled[1].fd = channel_.fd();
      polled[1].events = channel_.events();
    }
    poll(polled, 2, -1);
    if (polled[0].revents != 0) return;
    absl::MutexLock lock(&mutex_);
    channel_.Flush();
    for (const internal::v1::ChildMessage& message : channel_.Read()) {
      if (!message.has_request()) continue;
      requests_.push_back(message.request());
      internal::v1::SupervisorMessage said;
      said.mutable_reply()->set_id(message.request().id());
      if (answer_(message.request(), *said.mutable_reply())) channel_.Send(said);
    }
  }
}

v1::Operation OperationOf(int number, v1::Operation::Kind kind, v1::Operation::State state,
                          const std::string& message) {
  v1::Operation operation;
  operation.set_name(absl::StrCat("operations/", number));
  operation.set_kind(kind);
  operation.set_state(state);
  operation.set_message(message);
  return operation;
}

}  // namespace grove::control
