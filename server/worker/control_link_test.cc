#include "server/worker/control_link.h"

#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <set>
#include <utility>

#include "gtest/gtest.h"
#include "runtime/green/green_report.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/listener.h"
#include "runtime/offload/offload.h"
#include "server/functions/fetch.h"
#include "server/link/frame.h"

namespace grove::worker {
namespace {

using internal::v1::AttemptEnded;
using internal::v1::ControlFrame;
using internal::v1::WorkerFrame;

// Control's end of a link.
class FarEnd {
 public:
  explicit FarEnd(ControlLink& link) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    socket_ = *Socket::Adopt(ends[0]);
    auto near = Socket::Adopt(ends[1]);
    fiber_ = *Spawn(
        "near", [&link, near = *std::move(near)]() mutable { return link.Serve(std::move(near)); });
  }
  ~FarEnd() {
    socket_.Close();
    fiber_.Join().IgnoreError();
  }

  WorkerFrame Read() {
    WorkerFrame frame;
    auto bytes = link::ReadFrame(socket_);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_TRUE(frame.ParseFromString(bytes.value_or("")));
    return frame;
  }
  // The next frame with an end in it.
  AttemptEnded ReadEnd() {
    for (;;) {
      WorkerFrame frame = Read();
      if (frame.ended_size() > 0) return frame.ended(0);
    }
  }
  void Write(const ControlFrame& frame) {
    EXPECT_TRUE(link::WriteFrame(socket_, frame.SerializeAsString()).ok());
  }
  void Start(uint64_t id, std::string function) {
    ControlFrame frame;
    frame.add_start()->set_attempt(id);
    frame.mutable_start(0)->set_function(std::move(function));
    frame.mutable_start(0)->set_task("tenants/default/tasks/9");
    Write(frame);
  }
  void WriteRaw(std::string_view bytes) { EXPECT_TRUE(socket_.Write(bytes).ok()); }
  absl::Status Join() { return fiber_.Join(); }

 private:
  Socket socket_;
  FiberHandle fiber_;
};

class LinkTest : public ::testing::Test {
 protected:
  LinkTest() {
    functions_["echo"] = {[](TaskContext& context) -> absl::StatusOr<Output> {
                            return Output{std::string(context.input())};
                          },
                          {.description = "gives back its input",
                           .not_retried = {absl::StatusCode::kNotFound},
                           .retry = {.max_attempts = 3, .initial_backoff = absl::Seconds(2)},
                           .queue = "mail",
                           .heartbeat_timeout = absl::Seconds(4),
                           .concurrency_max = 5,
                           .slot_cost = 3}};
    functions_["gate"] = {[this](TaskContext&) -> absl::StatusOr<Output> {
                            if (absl::Status open = gate_.Wait(); !open.ok()) return open;
                            return Output{"through"};
                          },
                          {}};
  }
  void Run(std::function<void()> body) {
    auto hub = Hub::Create();
    ASSERT_TRUE(hub.ok());
    RunOn(**hub, [&] {
      body();
      EXPECT_TRUE(attempts_.Drain(Hub::Current()->now()).ok());
    });
  }

  Event gate_;
  Attempts::Functions functions_;
  std::unique_ptr<functions::FetchClient> fetch_ =
      *functions::FetchClient::Create(functions::FetchPolicy{});
  OffloadPool offload_{{}};
  WorkerServices services_{.worker = 3, .fetch = *fetch_, .offload = offload_};
  Attempts attempts_{functions_, services_, {}};
  LinkedTaskClient tasks_;
  http::TenantLabels labels_;
  metrics::Scoreboard board_ = *metrics::Scoreboard::Create(4);
  TenantQuotas quotas_{board_, 3};
  ControlLink link_{3, functions_, attempts_, offload_, tasks_, labels_, quotas_};
};

TEST_F(LinkTest, TheWorkerGreetsFirst) {
  Run([&] {
    FarEnd control(link_);
    const auto hello = control.Read().hello();
    EXPECT_EQ(hello.worker(), 3);
    EXPECT_EQ(hello.pid(), getpid());
    EXPECT_NE(hello.incarnation(), 0u);
    EXPECT_EQ(hello.capacity(), 10'000);
    ASSERT_EQ(hello.functions_size(), 2);
    EXPECT_EQ(hello.functions(0).name(), "echo");
    EXPECT_EQ(hello.functions(0).description(), "gives back its input");
    EXPECT_EQ(hello.functions(0).retry().max_attempts(), 3);
    EXPECT_EQ(hello.functions(0).retry().initial_backoff().seconds(), 2);
    EXPECT_FALSE(hello.functions(0).retry().has_max_backoff());
    EXPECT_FALSE(hello.functions(0).retry().has_jitter());
    EXPECT_EQ(hello.functions(0).queue(), "mail");
    EXPECT_EQ(hello.functions(0).heartbeat_timeout_ms(), 4000);
    EXPECT_EQ(hello.functions(0).concurrency_max(), 5);
    EXPECT_EQ(hello.functions(0).slot_cost(), 3);
    EXPECT_EQ(hello.running_size(), 0);
  });
}

TEST_F(LinkTest, RunsAnAttemptAndTellsItsStartAndEnd) {
  Run([&] {
    FarEnd control(link_);
    control.Read();
    control.Start(7, "echo");
    const WorkerFrame frame = control.Read();
    ASSERT_EQ(frame.started_size(), 1);
    EXPECT_EQ(frame.started(0).attempt(), 7u);
    ASSERT_EQ(frame.ended_size(), 1);
    EXPECT_EQ(frame.ended(0).outcome(), AttemptEnded::OUTCOME_SUCCEEDED);
  });
}

TEST_F(LinkTest, AttemptsOutliveControlAndAreInTheNextGreeting) {
  Run([&] {
    {
      FarEnd control(link_);
      control.Read();
      control.Start(7, "gate");
      EXPECT_EQ(control.Read().started_size(), 1);
    }
    EXPECT_FALSE(link_.connected());
    EXPECT_EQ(attempts_.running(), 1);
    FarEnd control(link_);
    const auto hello = control.Read().hello();
    ASSERT_EQ(hello.running_size(), 1);
    EXPECT_EQ(hello.running(0), 7u);
    gate_.Set();
    EXPECT_EQ(control.ReadEnd().output(), "through");
  });
}

TEST_F(LinkTest, TellsAnEndAgainUntilItIsAcknowledged) {
  Run([&] {
    for (int time = 0; time < 2; ++time) {
      FarEnd control(link_);
      control.Read();
      if (time == 0) control.Start(7, "echo");
      EXPECT_EQ(control.ReadEnd().attempt(), 7u);
    }
    FarEnd control(link_);
    EXPECT_EQ(control.Read().hello().running_size(), 1);
    ControlFrame frame;
    frame.add_acknowledged(7);
    frame.add_list_fibers()->set_request(1);  // answered after the acknowledgement was taken
    control.Write(frame);
    while (control.Read().fibers_size() == 0) {
    }
    EXPECT_EQ(attempts_.unacknowledged(), 0u);
  });
}

TEST_F(LinkTest, ListsFibersInPagesByAscendingId) {
  Run([&] {
    FarEnd control(link_);
    control.Read();
    for (uint64_t id = 1; id <= 5; ++id) control.Start(id, "gate");
    for (int started = 0; started < 5;) started += control.Read().started_size();
    std::set<uint64_t> seen;
    uint64_t after = 0;
    int of_task = 0;
    for (bool more = true; more;) {
      ControlFrame frame;
      frame.add_list_fibers()->set_request(42);
      frame.mutable_list_fibers(0)->set_after(after);
      frame.mutable_list_fibers(0)->set_limit(2);
      control.Write(frame);
      const WorkerFrame answer = control.Read();
      ASSERT_EQ(answer.fibers_size(), 1);
      EXPECT_EQ(answer.fibers(0).request(), 42u);
      EXPECT_LE(answer.fibers(0).fibers_size(), 2);
      for (const auto& fiber : answer.fibers(0).fibers()) {
        const std::string prefix = "workers/3/fibers/";
        ASSERT_EQ(fiber.name().substr(0, prefix.size()), prefix);
        const uint64_t id = std::stoull(fiber.name().substr(prefix.size()));
        EXPECT_GT(id, after);
        after = id;
        seen.insert(id);
        of_task += fiber.task() == "tenants/default/tasks/9" && fiber.display_name() == "gate";
      }
      more = answer.fibers(0).more();
    }
    EXPECT_EQ(of_task, 5);
    EXPECT_EQ(seen.size(), Hub::Current()->Stats().fibers_live);
    gate_.Set();
  });
}

TEST_F(LinkTest, ListsWhatLibrariesCalled) {
  ResetGreenReport();
  CountGreenCall("poll", nullptr, GreenOutcome::kParked);
  Run([&] {
    FarEnd control(link_);
    control.Read();
    ControlFrame frame;
    frame.add_list_green_calls()->set_request(42);
    frame.mutable_list_green_calls(0)->set_limit(10);
    control.Write(frame);
    const WorkerFrame answer = control.Read();
    ASSERT_EQ(answer.green_calls_size(), 1);
    EXPECT_EQ(answer.green_calls(0).request(), 42u);
    ASSERT_EQ(answer.green_calls(0).calls_size(), 1);
    EXPECT_EQ(answer.green_calls(0).calls(0).function(), "poll");
    EXPECT_EQ(answer.green_calls(0).calls(0).parked(), 1u);
  });
  ResetGreenReport();
}

TEST_F(LinkTest, SaysWhichProgramItIsAndWhatItsValuesAre) {
  Application application("shop");
  application.AddSchedule("often", {.every = absl::Minutes(1)}, {.function = "echo"});
  application.AddValue("keys", "how many there are",
                       [](WorkerServices&, std::string_view) { return std::string("41"); });
  std::optional<http::Server> server;
  ApplicationDesk desk(application, services_, server);
  link_.set_desk(desk);
  Run([&] {
    FarEnd control(link_);
    const internal::v1::Program program = control.Read().hello().program();
    EXPECT_EQ(program.name(), "shop");
    ASSERT_EQ(program.schedules_size(), 1);
    ControlFrame frame;
    frame.add_read_values()->set_request(42);
    frame.add_inject()->set_request(43);
    control.Write(frame);
    WorkerFrame answers = control.Read();
    while (answers.values_size() + answers.injected_size() < 2) answers.MergeFrom(control.Read());
    EXPECT_EQ(answers.values(0).request(), 42u);
    ASSERT_EQ(answers.values(0).values_size(), 1);
    EXPECT_EQ(answers.values(0).values(0).text(), "41");
    // It does not serve yet.
    EXPECT_EQ(answers.injected(0).request(), 43u);
    EXPECT_EQ(answers.injected(0).refusal().reason(), "WORKER_UNREACHABLE");
  });
}

TEST_F(LinkTest, RequestsFromControlAreAnsweredBesideEachOther) {
  http::Router router;
  ASSERT_TRUE(router
                  .Add("GET", "/gate",
                       [this](http::Request&, http::Response& response) -> absl::Status {
                         if (absl::Status open = gate_.Wait(); !open.ok()) return open;
                         return response.Send(200, "", "through");
                       })
                  .ok());
  const Application application("shop");
  http::ServerStats stats;
  std::optional<http::Server> server;
  ApplicationDesk desk(application, services_, server);
  link_.set_desk(desk);
  Run([&] {
    server.emplace(http::ServerOptions{}, std::move(router), stats);
    {
      FarEnd control(link_);
      control.Read();
      ControlFrame frame;
      for (const char* target : {"/gate", "/none"}) {
        internal::v1::Inject& inject = *frame.add_inject();
        inject.set_request(static_cast<uint64_t>(frame.inject_size()));
        inject.mutable_http()->set_method("GET");
        inject.mutable_http()->set_target(target);
        inject.mutable_http()->add_headers()->set_name("Host");
        inject.mutable_http()->mutable_headers(0)->set_value("localhost");
        inject.mutable_http()->set_body_bytes_max(100);
        inject.mutable_http()->mutable_timeout()->set_seconds(60);
      }
      control.Write(frame);
      WorkerFrame answer = control.Read();
      ASSERT_EQ(answer.injected_size(), 1);
      EXPECT_EQ(answer.injected(0).request(), 2u);
      EXPECT_EQ(answer.injected(0).answer().status(), 404);
      gate_.Set();
      answer = control.Read();
      ASSERT_EQ(answer.injected_size(), 1);
      EXPECT_EQ(answer.injected(0).answer().body(), "through");
    }
    server->Drain();
    EXPECT_TRUE(server->AwaitIdle().ok());
    server.reset();
  });
}

TEST_F(LinkTest, TellsThatItDrains) {
  Run([&] {
    FarEnd control(link_);
    EXPECT_FALSE(control.Read().draining());
    link_.AnnounceDrain();
    EXPECT_TRUE(control.Read().draining());
  });
}

TEST_F(LinkTest, WhatCodeAsksIsAskedOverTheNextLinkUntilItIsAnswered) {
  Run([&] {
    absl::StatusOr<std::string> spawned = absl::UnknownError("none yet");
    FiberHandle asks;
    WorkerFrame first;
    {
      FarEnd control(link_);
      control.Read();
      asks = *Spawn("asks", [&] { spawned = tasks_.Spawn({.function = "echo"}); });
      first = control.Read();
      EXPECT_EQ(first.inside_spawns_size(), 1);
    }
    FarEnd control(link_);
    EXPECT_EQ(control.Read().inside_spawns_size(), 0) << "the greeting comes first";
    const WorkerFrame again = control.Read();
    EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
    ControlFrame answer;
    answer.add_inside_spawned()->set_id(again.inside_spawns(0).id());
    answer.mutable_inside_spawned(0)->set_name("tenants/default/queues/default/tasks/1");
    control.Write(answer);
    EXPECT_TRUE(asks.Join().ok());
    EXPECT_EQ(*spawned, "tenants/default/queues/default/tasks/1");
  });
}

TEST_F(LinkTest, TellsWhatTenantsRequestsHaveRun) {
  Run([&] {
    const auto label = labels_.Of("acme");
    label->run_time = 5'000'000;
    link_.TellUsage();
    FarEnd control(link_);
    control.Read();
    const WorkerFrame frame = control.Read();
    ASSERT_EQ(frame.usage_size(), 1);
    EXPECT_EQ(frame.usage(0).tenant(), "acme");
    EXPECT_EQ(frame.usage(0).http_us(), 5000);
    // Once.
    link_.TellUsage();
    control.Start(7, "echo");
    EXPECT_EQ(control.Read().usage_size(), 0);
  });
}

TEST_F(LinkTest, TheFirstFrameHasAllTenantsAndLaterOnesWhatChanges) {
  using Known = http::TenantGate::Known;
  const auto frame = [](const std::string& tenant) {
    ControlFrame with;
    with.add_bounds()->set_tenant(tenant);
    return with;
  };
  Run([&] {
    for (const std::string first : {"acme", "umbrella"}) {
      FarEnd control(link_);
      control.Read();
      control.Write(frame(first));
      control.Write(frame(first + "-2"));
      control.Start(first.size(), "echo");
      // The second is told of the first one's, too.
      while (control.ReadEnd().attempt() != first.size()) continue;
      EXPECT_EQ(quotas_.Knows(first), Known::kYes);
      EXPECT_EQ(quotas_.Knows(first + "-2"), Known::kYes);
    }
    EXPECT_EQ(quotas_.Knows("acme"), Known::kNo) << "the second control's first frame lacks it";
  });
}

TEST_F(LinkTest, EndsTheConversationOnAMalformedFrame) {
  Run([&] {
    FarEnd control(link_);
    control.Read();
    control.WriteRaw(std::string_view("\0\0\0\3\xff\xff\xff", 7));
    EXPECT_EQ(control.Join().code(), absl::StatusCode::kInvalidArgument);
  });
}

TEST_F(LinkTest, ANewControlEndsTheConversationWithTheOld) {
  Run([&] {
    FarEnd old(link_);
    old.Read();
    FarEnd next(link_);
    next.Read();
    EXPECT_TRUE(absl::IsAborted(old.Join()));
    EXPECT_TRUE(link_.connected());
    next.Start(7, "echo");
    EXPECT_EQ(next.ReadEnd().attempt(), 7u);
  });
}

TEST_F(LinkTest, AControlThatReadsNothingIsHeardAllTheSame) {
  functions_["much"] = {
      [](TaskContext&) -> absl::StatusOr<Output> { return Output{std::string(4 << 20, 'x')}; }, {}};
  Run([&] {
    FarEnd control(link_);
    control.Read();
    for (uint64_t id = 1; id <= 4; ++id) control.Start(id, "much");
    control.Start(5, "gate");
    while (attempts_.running() != 1 || attempts_.stats().started < 5) Yield();
    ControlFrame cancel;
    cancel.add_cancel()->set_attempt(5);
    control.Write(cancel);
    while (attempts_.running() > 0) Yield();
    for (int ended = 0; ended < 5;) ended += control.Read().ended_size();
  });
}

TEST_F(LinkTest, GreetsEveryControlThatConnectsToItsSocket) {
  Run([&] {
    SocketAddress address;
    address.storage.ss_family = AF_UNIX;
    address.length = sizeof(sa_family_t);  // The kernel chooses an abstract name.
    auto listener = Listener::Adopt(*BindListener(address));
    ASSERT_TRUE(listener.ok());
    const SocketAddress bound = SocketAddress::OfLocal(listener->fd());
    auto server = *Spawn("link.accept", [&] { return link_.Run(*listener); });
    for (int time = 0; time < 2; ++time) {
      auto control = Socket::Connect(bound);
      ASSERT_TRUE(control.ok()) << control.status();
      WorkerFrame frame;
      ASSERT_TRUE(frame.ParseFromString(link::ReadFrame(*control).value_or("")));
      EXPECT_EQ(frame.hello().worker(), 3);
    }
    server.Cancel();
    server.Join().IgnoreError();
    EXPECT_FALSE(link_.connected());
  });
}

}  // namespace
}  // namespace grove::worker
