#include "server/worker/hooks.h"

#include <stdexcept>

#include "gmock/gmock.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/offload/offload.h"
#include "server/functions/fetch.h"

namespace grove::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HooksTest : public HubTest {
 protected:
  HooksTest() { settings_ = application_.settings().Defaults(); }

  Application::Hook Noting(const std::string& what, absl::Status status = absl::OkStatus()) {
    return [this, what, status](WorkerServices&) {
      notes_.push_back(what);
      return status;
    };
  }
  Application::ReloadHook NotingReload(const std::string& what) {
    return [this, what](WorkerServices& services, const Settings& now) -> absl::Status {
      notes_.push_back(what + " " + std::to_string(services.settings[size_]) + " -> " +
                       std::to_string(now[size_]));
      if (now[size_] > 100) return absl::InvalidArgumentError("too large");
      return absl::OkStatus();
    };
  }
  // Within the hub's run.
  absl::Status Start() { return hooks_.Start(functions_); }
  static Settings Size(int64_t size) { return Settings({SettingValue(size)}); }

  Application application_{"test"};
  const Setting<int64_t> size_ =
      application_.settings().Integer("size", {.description = "d", .default_value = 1});
  std::vector<std::string> notes_;
  std::unique_ptr<functions::FetchClient> fetch_ =
      *functions::FetchClient::Create(functions::FetchPolicy{});
  OffloadPool offload_{{}};
  Settings settings_;
  WorkerServices services_{
      .worker = 1, .fetch = *fetch_, .offload = offload_, .settings = settings_};
  Attempts::Functions functions_;
  Hooks hooks_{application_, services_, settings_};
};

TEST_F(HooksTest, StartInTheirOrderAndStopTheOtherWayRound) {
  application_.OnStart("a", Noting("start a"));
  application_.OnStart("b", Noting("start b"));
  application_.OnStop("a", Noting("stop a", absl::UnavailableError("no matter")));
  application_.OnStop("b", Noting("stop b"));
  Run([&] {
    EXPECT_TRUE(Start().ok());
    hooks_.Stop(absl::Seconds(1));
  });
  EXPECT_THAT(notes_, ElementsAre("start a", "start b", "stop b", "stop a"));
}

TEST_F(HooksTest, TheFirstThatFailsIsNamedAndNothingElseRuns) {
  application_.OnStart("a", Noting("start a", absl::PermissionDeniedError("wrong password")));
  application_.OnStart("b", Noting("start b"));
  application_.OnStop("a", Noting("stop a"));
  Run([&] {
    EXPECT_EQ(Start(), absl::PermissionDeniedError("start hook \"a\": wrong password"));
    hooks_.Stop(absl::Seconds(1));
  });
  EXPECT_THAT(notes_, ElementsAre("start a"));
}

TEST_F(HooksTest, AnExceptionIsAnErrorOfItsHook) {
  application_.OnStart(
      "a", [](WorkerServices&) -> absl::Status { throw std::runtime_error("no such host"); });
  Run([&] {
    EXPECT_THAT(std::string(Start().message()),
                testing::AllOf(HasSubstr("start hook \"a\": "), HasSubstr("no such host")));
  });
}

TEST_F(HooksTest, OneThatTakesTooLongFails) {
  application_.OnStart(
      "slow", [](WorkerServices&) { return Sleep(absl::Hours(1)); }, absl::Seconds(3));
  Run([&] {
    const MonotonicNanos begun = Hub::Current()->now();
    EXPECT_EQ(Start(), absl::DeadlineExceededError("start hook \"slow\": did not end within 3s"));
    EXPECT_LE(absl::Nanoseconds(Hub::Current()->now() - begun), absl::Seconds(4));
  });
}

TEST_F(HooksTest, OneThatWillNotHearIsCancelledAndLeftBehind) {
  bool cancelled = false;
  application_.OnStart(
      "deaf",
      [&](WorkerServices&) {
        absl::StatusOr<FiberHandle> other = Spawn("other", [] { return Sleep(absl::Minutes(1)); });
        other->AwaitEnd();
        cancelled = Hub::Current()->running()->cancelled();
        return absl::OkStatus();
      },
      absl::Seconds(3));
  Run([&] {
    const MonotonicNanos begun = Hub::Current()->now();
    EXPECT_EQ(Start(), absl::DeadlineExceededError("start hook \"deaf\": did not end within 3s"));
    EXPECT_LE(absl::Nanoseconds(Hub::Current()->now() - begun), absl::Seconds(4));
    EXPECT_TRUE(Sleep(absl::Minutes(2)).ok());
  });
  EXPECT_TRUE(cancelled);
}

TEST_F(HooksTest, StopHooksShareWhatIsLeftAndHaveASecondAtLeast) {
  std::vector<int64_t> took;
  for (const char* name : {"a", "b"}) {
    application_.OnStop(name, [&](WorkerServices&) {
      const MonotonicNanos begun = Hub::Current()->now();
      Sleep(absl::Hours(1)).IgnoreError();
      took.push_back(absl::ToInt64Milliseconds(absl::Nanoseconds(Hub::Current()->now() - begun)));
      return absl::OkStatus();
    });
  }
  Run([&] {
    ASSERT_TRUE(Start().ok());
    hooks_.Stop(absl::ZeroDuration());
  });
  EXPECT_THAT(took, ElementsAre(1000, 1));
}

TEST_F(HooksTest, FunctionsAreMadeOnceTheHooksHaveRun) {
  application_.OnStart("a", Noting("start a"));
  application_.AddFunctionFactory("f", [this](WorkerServices& services) -> Function {
    notes_.push_back("made in " + std::to_string(services.worker));
    return [](TaskContext&) -> absl::StatusOr<Output> { return Output{}; };
  });
  functions_ = application_.functions();
  Run([&] { EXPECT_TRUE(Start().ok()); });
  EXPECT_THAT(notes_, ElementsAre("start a", "made in 1"));
  EXPECT_NE(functions_.at("f").function, nullptr);
}

TEST_F(HooksTest, AFactoryThatThrowsOrMakesNothingIsNamed) {
  application_.AddFunctionFactory("f", [this](WorkerServices&) -> Function {
    if (notes_.empty()) throw std::runtime_error("no disk");
    return nullptr;
  });
  functions_ = application_.functions();
  Run([&] {
    EXPECT_EQ(Start().message(), "the factory of function \"f\": threw: no disk");
    notes_.push_back("again");
    EXPECT_EQ(Start().message(), "the factory of function \"f\": returned nothing");
  });
}

TEST_F(HooksTest, AReloadAsksOnlyIfTheSettingsAreOthers) {
  application_.OnReload("a", NotingReload("a"));
  Run([&] {
    EXPECT_TRUE(hooks_.Reload(Size(1)).ok());
    EXPECT_THAT(notes_, IsEmpty());
    EXPECT_TRUE(hooks_.Reload(Size(2)).ok());
    EXPECT_EQ(services_.settings[size_], 2);
  });
  EXPECT_THAT(notes_, ElementsAre("a 1 -> 2"));
}

TEST_F(HooksTest, AReloadThatOneRefusesChangesNothingAndIsTakenBackFromTheOthers) {
  application_.OnReload("a", [this](WorkerServices&, const Settings& now) {
    notes_.push_back("a takes " + std::to_string(now[size_]));
    return absl::OkStatus();
  });
  application_.OnReload("b", NotingReload("b"));
  Run([&] {
    EXPECT_EQ(hooks_.Reload(Size(101)), absl::InvalidArgumentError("reload hook \"b\": too large"));
    EXPECT_EQ(services_.settings[size_], 1);
    // As the supervisor does.
    EXPECT_TRUE(hooks_.Reload(Size(1)).ok());
    EXPECT_TRUE(hooks_.Reload(Size(1)).ok());
  });
  EXPECT_THAT(notes_, ElementsAre("a takes 101", "b 1 -> 101", "a takes 1", "b 1 -> 1"));
}

}  // namespace
}  // namespace grove::worker
