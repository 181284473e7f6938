#include "client/client.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "client/fake_grove.h"
#include "client/fake_streams.h"
#include "client/status_details.h"

namespace grove::client {
namespace {

constexpr char kTenant[] = "tenants/default";

std::unique_ptr<Client> Connect(const FakeGrove& server, const std::string& token = "") {
  ClientOptions options;
  options.address = server.address();
  options.token = token;
  return *Client::Create(options);
}

v1::SpawnTaskRequest SpawnRequest(const std::string& function) {
  v1::SpawnTaskRequest request;
  request.set_parent(kTenant);
  request.mutable_spec()->set_function(function);
  request.mutable_spec()->set_input("{}");
  return request;
}

absl::StatusCode CreateCode(const ClientOptions& options) {
  return Client::Create(options).status().code();
}

TEST(Client, SpawnsAndGetsATask) {
  FakeGrove server;
  const auto client = Connect(server);
  const auto spawned = client->Spawn(SpawnRequest("echo"));
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  EXPECT_EQ(client->Get(spawned->name())->output(), "{}");
}

TEST(Client, KeepsCodeMessageAndDetailsOfAnError) {
  FakeGrove server;
  const absl::Status status = Connect(server)->Spawn(SpawnRequest("foo")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "unknown function \"foo\"");
  EXPECT_EQ(ErrorInfoOf(status)->reason(), "UNKNOWN_FUNCTION");
  EXPECT_EQ(BadRequestOf(status)->field_violations(0).field(), "spec.function");
  EXPECT_FALSE(RetryDelayOf(status).has_value());
}

TEST(Client, SendsItsTokenAsBearer) {
  FakeGrove server({.token = "s3cret"});
  EXPECT_TRUE(Connect(server, "s3cret")->Spawn(SpawnRequest("echo")).ok());
  EXPECT_TRUE(
      absl::IsUnauthenticated(Connect(server, "guess")->Spawn(SpawnRequest("echo")).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Connect(server)->Spawn(SpawnRequest("echo")).status()));
}

TEST(Client, SpeaksTlsToACertificateItTrustsOnly) {
  FakeGrove server({.token = "s3cret", .transport = FakeGrove::Options::Transport::kTls});
  FakeGrove stranger({.transport = FakeGrove::Options::Transport::kTls});
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/ca.pem";
  std::ofstream(path) << server.certificate();
  ClientOptions options{server.address(), "s3cret", path};
  EXPECT_TRUE((*Client::Create(options))->Spawn(SpawnRequest("echo")).ok());
  options.address = stranger.address();
  EXPECT_TRUE(
      absl::IsUnavailable((*Client::Create(options))->Spawn(SpawnRequest("echo")).status()));
}

TEST(Client, RefusesOptionsThatCannotWork) {
  for (const char* address : {"", "localhost", "localhost:0", "localhost:65536", ":8091",
                              "unix:", "http://localhost:8091", "::1:8091"}) {
    EXPECT_EQ(CreateCode({address}), absl::StatusCode::kInvalidArgument) << address;
  }
  for (const char* address : {"localhost:1", "127.0.0.1:65535", "[::1]:8091", "unix:/run/grove"}) {
    EXPECT_EQ(CreateCode({address}), absl::StatusCode::kOk) << address;
  }
  EXPECT_EQ(CreateCode({kDefaultAddress, "a b"}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CreateCode({kDefaultAddress, "", "/no/such"}), absl::StatusCode::kNotFound);
  EXPECT_EQ(CreateCode({kDefaultAddress, "", "", absl::ZeroDuration()}),
            absl::StatusCode::kInvalidArgument);
}

TEST(Client, ReportsADaemonThatIsNotThere) {
  std::string address;
  {
    FakeGrove gone;
    address = gone.address();
  }
  const auto client = *Client::Create({address});
  EXPECT_TRUE(absl::IsUnavailable(client->Get("x").status()));
}

TEST(Client, BatchesAnswerInRequestOrder) {
  FakeGrove server;
  v1::BatchSpawnTasksRequest request;
  request.set_parent(kTenant);
  request.add_specs()->set_function("echo");
  request.add_specs()->set_function("foo");
  const auto response = Connect(server)->SpawnBatch(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->results(0).has_name());
  EXPECT_EQ(ErrorInfoOf(ToAbslStatus(response->results(1).error()))->reason(), "UNKNOWN_FUNCTION");
}

TEST(Client, SpawnsManyAndWhatComesAfterThem) {
  FakeGrove server;
  const auto client = Connect(server);
  v1::TaskSpec echo;
  echo.set_function("echo");
  const auto response = client->SpawnAll(kTenant, {echo, echo}, echo);
  ASSERT_TRUE(response.ok()) << response.status();
  const v1::Task last = *client->Get(response->completion().name());
  ASSERT_EQ(last.spec().after_size(), 2);
  EXPECT_EQ(last.spec().after(0), response->results(0).name());
  EXPECT_EQ(last.spec().after(1), response->results(1).name());
  EXPECT_TRUE(last.spec().request_id().starts_with("batch-"));
  EXPECT_FALSE(client->SpawnAll(kTenant, {echo})->has_completion());
}

TEST(Client, WaitReturnsAnEndedTaskAtOnceAndAnotherAsItIsWhenTimeIsOver) {
  FakeGrove server;
  const auto client = Connect(server);
  const auto done = client->Spawn(SpawnRequest("echo"));
  const auto stuck = client->Spawn(SpawnRequest("stuck"));
  EXPECT_EQ(client->Wait(done->name(), {})->state(), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(client->Wait(stuck->name(), {.timeout = absl::Milliseconds(20)})->state(),
            v1::TASK_STATE_RUNNING);
}

TEST(Client, WaitBatchKeepsOrderOverSeveralRounds) {
  FakeGrove server;
  const auto client = Connect(server);
  const std::string stuck = client->Spawn(SpawnRequest("stuck"))->name();
  const std::string done = client->Spawn(SpawnRequest("echo"))->name();
  const auto response =
      client->WaitBatch({stuck, "nobody", done}, {.timeout = absl::Milliseconds(20)});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->results(0).task().state(), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(response->results(1).error().code(), 5);
  EXPECT_EQ(response->results(2).task().name(), done);
}

TEST(Client, WaitBatchReadsPageAfterPage) {
  FakeGrove server;
  const auto client = Connect(server);
  std::vector<std::string> names;
  names.reserve(8);
  for (int i = 0; i < 7; ++i) names.push_back(client->Spawn(SpawnRequest("echo"))->name());
  names.push_back(names.front());
  const auto response = client->WaitBatch(names, {});
  ASSERT_TRUE(response.ok()) << response.status();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(response->results(i).task().name(), names[i]);
}

TEST(Client, ViewsLeaveOutWhatIsNotAskedFor) {
  FakeGrove server;
  const auto client = Connect(server);
  const std::string name = client->Spawn(SpawnRequest("echo"))->name();
  EXPECT_EQ(client->Get(name)->spec().input(), "{}");
  EXPECT_EQ(client->Get(name, v1::TASK_VIEW_BASIC)->output(), "");
  EXPECT_EQ(client->Get(name, v1::TASK_VIEW_BASIC)->output_size_bytes(), 2);
  EXPECT_EQ(client->Wait(name, {})->output(), "{}");
  EXPECT_EQ(client->Wait(name, {})->spec().input(), "");
  const auto basic = client->WaitBatch({name}, {.view = v1::TASK_VIEW_BASIC});
  EXPECT_EQ(basic->results(0).task().output(), "");
}

TEST(Client, WaitsOutlastAnOutageAndTellOfIt) {
  FakeGrove server;
  const auto client = Connect(server);
  const std::string name = client->Spawn(SpawnRequest("echo"))->name();
  int outages = 0, backs = 0;
  WaitOptions options;
  options.on_outage = [&](const absl::Status&) { ++outages; };
  options.on_back = [&] { ++backs; };
  server.LeaveWaitsUnanswered(2);
  EXPECT_EQ(client->Wait(name, options)->state(), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(outages, 1);
  EXPECT_EQ(backs, 1);
  server.LeaveWaitsUnanswered(1);
  EXPECT_EQ(client->WaitBatch({name, name, name}, options)->results(2).task().name(), name);
  EXPECT_EQ(outages, 2);
}

TEST(Client, WaitsGiveUpWithTheirTimeOrTheirPatience) {
  FakeGrove server;
  const auto client = Connect(server);
  const std::string name = client->Spawn(SpawnRequest("echo"))->name();
  server.LeaveWaitsUnanswered(1000);
  EXPECT_TRUE(absl::IsUnavailable(client->Wait(name, {.timeout = absl::Milliseconds(5)}).status()));
  EXPECT_TRUE(
      absl::IsUnavailable(client->Wait(name, {.outage_max = absl::Milliseconds(5)}).status()));
}

TEST(Client, ADaemonThatWasNeverThereIsNotWaitedFor) {
  std::string address;
  {
    FakeGrove gone;
    address = gone.address();
  }
  EXPECT_TRUE(absl::IsUnavailable((*Client::Create({address}))->Wait("x", {}).status()));
  EXPECT_TRUE(absl::IsUnavailable((*Client::Create({address}))->WaitBatch({"x"}, {}).status()));
}

TEST(Client, AnOutageBeforeTheFirstAnswerOfAWaitIsOutlasted) {
  FakeGrove server;
  const std::string name = Connect(server)->Spawn(SpawnRequest("echo"))->name();
  server.LeaveWaitsUnanswered(1);
  EXPECT_TRUE(Connect(server)->Wait(name, {}).ok());
}

TEST(Client, ATaskThatIsGoneAfterAnOutageMayHaveBeenVolatile) {
  FakeGrove server;
  const auto client = Connect(server);
  const std::string name = client->Spawn(SpawnRequest("stuck"))->name();
  server.LeaveWaitsUnanswered(1);
  bool back = false;
  WaitOptions options;
  options.on_outage = [&](const absl::Status&) { server.Forget(); };
  options.on_back = [&] { back = true; };
  const absl::Status status = client->Wait(name, options).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_NE(status.message().find("volatile"), std::string::npos) << status;
  EXPECT_TRUE(back);
}

TEST(Client, WaitsAreStopped) {
  FakeGrove server;
  const auto client = Connect(server);
  const std::string name = client->Spawn(SpawnRequest("stuck"))->name();
  Stop stop;
  WaitOptions options;
  options.stop = &stop;
  options.on_look = [&](const v1::Task&) { stop.Set(); };
  EXPECT_TRUE(absl::IsCancelled(client->Wait(name, options).status()));
  EXPECT_TRUE(absl::IsCancelled(client->WaitBatch({name}, options).status()));
}

TEST(Client, WaitsShowWhatIsUnderWay) {
  FakeGrove server;
  const auto client = Connect(server);
  const std::string name = client->Spawn(SpawnRequest("slow"))->name();
  std::vector<double> seen;
  WaitOptions options;
  options.on_look = [&](const v1::Task& task) { seen.push_back(task.progress()); };
  EXPECT_EQ(client->Wait(name, options)->state(), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(seen, (std::vector<double>{0.25, 0.5, 0.75}));
}

TEST(Client, ListsFollowPagesUpToTheirLimit) {
  FakeGrove server;
  const auto client = Connect(server);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(client->Spawn(SpawnRequest("echo")).ok());
  v1::ListTasksRequest request;
  request.set_parent(kTenant);
  const auto some = client->ListTasks(request, 7);
  EXPECT_EQ(some->tasks_size(), 7);
  EXPECT_EQ(some->next_page_token(), "7");
  EXPECT_EQ(server.page_sizes(), (std::vector<int>{7, 4, 1}));
  const auto all = client->ListTasks(request, 100);
  EXPECT_EQ(all->tasks_size(), 8);
  EXPECT_EQ(all->next_page_token(), "");
}

TEST(Client, NamesASilentWorkerOnce) {
  FakeGrove server;
  const auto fibers = Connect(server)->ListFibers({}, 100);
  EXPECT_EQ(fibers->fibers_size(), 2);
  ASSERT_EQ(fibers->unreachable_size(), 1);
  EXPECT_EQ(fibers->unreachable(0), "workers/1");
}

TEST(Client, BackdoorAnswersEveryLineAndEnds) {
  FakeGrove server;
  const auto session = Connect(server)->OpenBackdoor("workers/0");
  EXPECT_TRUE(session->Send("hub()\n"));
  EXPECT_EQ(**session->Receive(), "grove worker 0, pid 1. Lua 5.4\n> ");
  EXPECT_EQ(**session->Receive(), "hub()\n> ");
  session->CloseInput();
  EXPECT_EQ(**session->Receive(), "\n");
  const auto end = session->Receive();
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_FALSE(end->has_value());
}

TEST(Client, BackdoorReportsAnUnknownWorkerAndACancel) {
  FakeGrove server;
  const auto client = Connect(server);
  EXPECT_TRUE(absl::IsNotFound(client->OpenBackdoor("workers/9")->Receive().status()));
  const auto session = client->OpenBackdoor("workers/0");
  session->Cancel();
  EXPECT_TRUE(absl::IsCancelled(session->Receive().status()));
}

TEST(Client, WhatMayBeAskedTwiceIsWhereTheServerSaysSo) {
  FakeGrove server;
  const auto client = Connect(server);
  v1::SpawnTaskRequest request = SpawnRequest("echo");
  server.streams().BeBusy(1);
  EXPECT_TRUE(absl::IsResourceExhausted(client->Spawn(request).status()));
  request.mutable_spec()->set_request_id("once");
  server.streams().BeBusy(2);
  const auto spawned = client->Spawn(request);
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  v1::BatchSpawnTasksRequest batch;
  *batch.add_specs() = request.spec();
  batch.set_parent(kTenant);
  server.streams().BeBusy(1);
  EXPECT_EQ(client->SpawnBatch(batch)->results(0).name(), spawned->name());
  batch.add_specs()->set_function("echo");
  server.streams().BeBusy(1);
  EXPECT_TRUE(absl::IsResourceExhausted(client->SpawnBatch(batch).status()));
}

TEST(Client, NothingIsAskedTwiceIfItIsNotTo) {
  FakeGrove server;
  const auto client =
      *Client::Create({.address = server.address(), .retry_for = absl::ZeroDuration()});
  v1::SpawnTaskRequest request = SpawnRequest("echo");
  request.mutable_spec()->set_request_id("once");
  server.streams().BeBusy(1);
  EXPECT_TRUE(absl::IsResourceExhausted(client->Spawn(request).status()));
}

TEST(Client, AWatchGoesOnFromItsLastToken) {
  FakeGrove server;
  const auto client = Connect(server);
  const std::string name = client->Spawn(SpawnRequest("echo"))->name();
  server.streams().BreakWatches(2);
  int messages = 0;
  const absl::Status watched =
      client->WatchTasks({}, {}, [&](const v1::WatchTasksResponse& message) {
        EXPECT_EQ(message.events(0).has_existing(), messages == 0);
        return ++messages < 3;
      });
  EXPECT_TRUE(watched.ok()) << watched;
  EXPECT_EQ(server.streams().resume_tokens(), (std::vector<std::string>{"", "watch-1", "watch-2"}));
}

TEST(Client, AWatchEndsWithItsTimeOrItsStop) {
  FakeGrove server;
  const auto client = Connect(server);
  const auto go_on = [](const v1::WatchTasksResponse&) { return true; };
  EXPECT_TRUE(client->WatchTasks({}, {.timeout = absl::Milliseconds(50)}, go_on).ok());
  Stop stop;
  WaitOptions options;
  options.stop = &stop;
  std::thread stopper;
  const absl::Status watched = client->WatchTasks({}, options, [&](const auto&) {
    if (!stopper.joinable()) stopper = std::thread([&stop] { stop.Set(); });
    return true;
  });
  stopper.join();
  EXPECT_TRUE(absl::IsCancelled(watched)) << watched;
}

TEST(Client, QueuesAreWatched) {
  FakeGrove server;
  v1::WatchQueueRequest request;
  request.set_name("tenants/default/queues/mail");
  std::string name;
  EXPECT_TRUE(Connect(server)
                  ->WatchQueue(request, {},
                               [&](const v1::WatchQueueResponse& message) {
                                 name = message.queues(0).name();
                                 return false;
                               })
                  .ok());
  EXPECT_EQ(name, request.name());
}

TEST(StatusDetails, ThereAndBackAgainIsTheSame) {
  google::rpc::Status status;
  status.set_code(8);
  status.set_message("full");
  google::rpc::ErrorInfo info;
  info.set_reason("QUEUE_FULL");
  status.add_details()->PackFrom(info);
  EXPECT_EQ(ToRpcStatus(ToAbslStatus(status)).SerializeAsString(), status.SerializeAsString());
}

TEST(StatusDetails, UnknownCodesBecomeUnknown) {
  google::rpc::Status status;
  status.set_code(99);
  EXPECT_TRUE(absl::IsUnknown(ToAbslStatus(status)));
  status.set_code(16);
  EXPECT_TRUE(absl::IsUnauthenticated(ToAbslStatus(status)));
}

}  // namespace
}  // namespace grove::client
