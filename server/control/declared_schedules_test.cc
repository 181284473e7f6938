#include "server/control/declared_schedules.h"

#include <optional>

#include "server/control/schedules_fixture.h"

namespace grove::control {
namespace {

using internal::v1::Program;

class DeclaredSchedulesTest : public SchedulesTest {
 protected:
  // Like a control of its own, whose first worker has come already.
  void Keep(Program program, absl::AnyInvocable<void()> body) {
    declared_.emplace(*hub_, *live_, *calls_);
    declared_->set_auditor([this](const DeclaredChange& change) {
      audited_.push_back(std::to_string(static_cast<int>(change.kind)) + " " +
                         std::string(change.schedule));
    });
    declared_->set_gate([this] { return gate_; });
    Link(0, std::move(program));
    FiberHandle keeping = *Spawn("declared", [this] { return declared_->Run(); });
    Settle();
    body();
    keeping.Cancel();
    keeping.Join().IgnoreError();
  }
  void Link(int32_t worker, Program program) {
    declared_->TakeProgram(worker, &program);
    if (Hub::Current() != nullptr) Settle();
  }

  static Program Started(int64_t started_ns) {
    Program program;
    program.set_started_ns(started_ns);
    program.set_name("shop");
    return program;
  }
  static void Add(Program& program, const std::string& id, const v1::Schedule& settings,
                  const std::string& tenant = "default") {
    auto& declared = *program.add_schedules();
    declared.set_tenant(tenant);
    declared.set_id(id);
    *declared.mutable_settings() = settings;
  }
  static Program With(int64_t started_ns, const std::string& id, const v1::Schedule& settings) {
    Program program = Started(started_ns);
    Add(program, id, settings);
    return program;
  }
  static v1::Schedule EveryHour() {
    v1::Schedule schedule = EveryMinute();
    schedule.mutable_interval()->mutable_every()->set_seconds(3600);
    return schedule;
  }

  int64_t EverySeconds(const std::string& id) { return Get(id)->interval().every().seconds(); }
  void Pause(const std::string& id, const std::string& reason) {
    v1::PauseScheduleRequest request;
    request.set_name(NameOf(id));
    request.set_reason(reason);
    ASSERT_TRUE(calls_->Pause(Operator(), request).ok());
  }

  std::optional<DeclaredSchedules> declared_;
  std::vector<std::string> audited_;
  absl::Status gate_;
};

TEST_F(DeclaredSchedulesTest, WhatTheCodeHasIsMadeAndRuns) {
  DriveAll([&] {
    Keep(With(1, "often", EveryMinute()), [&] {
      const auto made = Get("often");
      ASSERT_TRUE(made.ok()) << made.status();
      EXPECT_EQ(made->declaration().program(), "shop");
      EXPECT_TRUE(made->declaration().has_declare_time());
      EXPECT_FALSE(made->declaration().has_withdraw_time());
      EXPECT_EQ(made->etag(), "1");
      Pass(absl::Minutes(1));
      EXPECT_EQ(Get("often")->spawned_total(), 1);
    });
  });
  EXPECT_EQ(audited_, std::vector<std::string>{"0 " + NameOf("often")});
}

TEST_F(DeclaredSchedulesTest, TheSameAgainWritesNothing) {
  DriveAll([&] {
    Keep(With(1, "often", EveryMinute()), [&] {
      const int writes = schedule_store_.writes;
      Link(1, With(1, "often", EveryMinute()));
      Link(0, With(2, "often", EveryMinute()));
      EXPECT_EQ(schedule_store_.writes, writes);
      EXPECT_EQ(Get("often")->etag(), "1");
    });
  });
}

TEST_F(DeclaredSchedulesTest, ANewerProgramChangesItInPlace) {
  DriveAll([&] {
    Keep(With(1, "often", EveryMinute()), [&] {
      Pass(absl::Minutes(1));
      Link(1, With(2, "often", EveryHour()));
      EXPECT_EQ(EverySeconds("often"), 3600);
      EXPECT_EQ(Get("often")->etag(), "2");
      EXPECT_EQ(Get("often")->spawned_total(), 1);
      // A worker of the older one, which is still there, says what it has always said.
      Link(0, With(1, "often", EveryMinute()));
      EXPECT_EQ(EverySeconds("often"), 3600);
      EXPECT_EQ(Get("often")->etag(), "2");
    });
  });
}

TEST_F(DeclaredSchedulesTest, APauseOutlastsANewProgram) {
  DriveAll([&] {
    Keep(With(1, "often", EveryMinute()), [&] {
      Pause("often", "too often");
      Link(0, With(2, "often", EveryHour()));
      EXPECT_EQ(EverySeconds("often"), 3600);
      EXPECT_EQ(Get("often")->state(), v1::Schedule::STATE_PAUSED);
      EXPECT_EQ(Get("often")->pause_reason(), "too often");
    });
  });
}

TEST_F(DeclaredSchedulesTest, WhatTheCodeHasNoMoreIsPausedAndGoesOnWhenItIsBack) {
  DriveAll([&] {
    Keep(With(1, "often", EveryMinute()), [&] {
      Link(0, Started(2));
      const auto gone = Get("often");
      EXPECT_EQ(gone->state(), v1::Schedule::STATE_PAUSED);
      EXPECT_EQ(gone->pause_reason(), "the code of shop has it no more");
      EXPECT_TRUE(gone->declaration().has_withdraw_time());
      Pass(absl::Minutes(5));
      EXPECT_EQ(Get("often")->spawned_total(), 0);
      Link(0, With(3, "often", EveryMinute()));
      EXPECT_EQ(Get("often")->state(), v1::Schedule::STATE_ACTIVE);
      EXPECT_FALSE(Get("often")->declaration().has_withdraw_time());
      Pass(absl::Minutes(1));
      EXPECT_EQ(Get("often")->spawned_total(), 1);
    });
  });
  EXPECT_EQ(audited_.size(), 3u);
}

TEST_F(DeclaredSchedulesTest, WhatAnOperatorHasPausedStaysSoWhenItIsBack) {
  DriveAll([&] {
    Keep(With(1, "often", EveryMinute()), [&] {
      Link(0, Started(2));
      Pause("often", "not again");
      Link(0, With(3, "often", EveryMinute()));
      EXPECT_EQ(Get("often")->state(), v1::Schedule::STATE_PAUSED);
      EXPECT_EQ(Get("often")->pause_reason(), "not again");
    });
  });
}

TEST_F(DeclaredSchedulesTest, TheNextControlKnowsWhatWasDeclared) {
  DriveAll([&] { Keep(With(1, "often", EveryMinute()), [&] {}); });
  Begin();
  DriveAll([&] {
    const int writes = schedule_store_.writes;
    Keep(With(1, "often", EveryMinute()), [&] {
      EXPECT_EQ(schedule_store_.writes, writes);
      Link(0, Started(2));
      EXPECT_TRUE(Get("often")->declaration().has_withdraw_time());
    });
  });
}

TEST_F(DeclaredSchedulesTest, ACallMayNotChangeWhatTheCodeSays) {
  DriveAll([&] {
    Keep(With(1, "often", EveryMinute()), [&] {
      v1::UpdateScheduleRequest update;
      update.mutable_schedule()->set_name(NameOf("often"));
      update.mutable_update_mask()->add_paths("jitter");
      EXPECT_EQ(ReasonOf(calls_->Update(Operator(), update)), "SCHEDULE_FROM_CODE");
      v1::DeleteScheduleRequest drop;
      drop.set_name(NameOf("often"));
      EXPECT_EQ(ReasonOf(calls_->Delete(Operator(), drop)), "SCHEDULE_FROM_CODE");
      Link(0, Started(2));
      EXPECT_TRUE(calls_->Update(Operator(), update).ok());
      EXPECT_TRUE(calls_->Delete(Operator(), drop).ok());
      EXPECT_EQ(ReasonOf(Get("often")), "SCHEDULE_NOT_FOUND");
    });
  });
}

TEST_F(DeclaredSchedulesTest, OneThatACallHasMadeKeepsItsNameUntilItIsDeleted) {
  DriveAll([&] {
    ASSERT_TRUE(Create("often", EveryHour()).ok());
    Keep(With(1, "often", EveryMinute()), [&] {
      EXPECT_EQ(EverySeconds("often"), 3600);
      EXPECT_FALSE(Get("often")->has_declaration());
      v1::DeleteScheduleRequest drop;
      drop.set_name(NameOf("often"));
      ASSERT_TRUE(calls_->Delete(Operator(), drop).ok());
      Pass(kDeclareAgain);
      EXPECT_EQ(EverySeconds("often"), 60);
      EXPECT_TRUE(Get("often")->has_declaration());
    });
  });
}

TEST_F(DeclaredSchedulesTest, WhatCannotBeDoneIsTriedAgainAndTheRestIsDone) {
  Program program = With(1, "nobodys", EveryMinute());
  Add(program, "elsewhere", EveryMinute(), "nowhere");
  Add(program, "often", EveryMinute());
  program.mutable_schedules(0)->mutable_settings()->mutable_spec()->set_function("no.such");
  DriveAll([&] {
    gate_ = absl::UnavailableError("no audit log");
    Keep(program, [&] {
      EXPECT_EQ(ReasonOf(Get("often")), "SCHEDULE_NOT_FOUND");
      gate_ = absl::OkStatus();
      schedule_store_.fails = absl::UnavailableError("no disk");
      Pass(kDeclareAgain);
      EXPECT_EQ(ReasonOf(Get("often")), "SCHEDULE_NOT_FOUND");
      schedule_store_.fails = absl::OkStatus();
      Pass(kDeclareAgain);
      EXPECT_TRUE(Get("often").ok());
      EXPECT_EQ(ReasonOf(Get("nobodys")), "SCHEDULE_NOT_FOUND");
    });
  });
}

TEST_F(DeclaredSchedulesTest, AChangeThatTheDaemonRefusesLeavesWhatWasThere) {
  DriveAll([&] {
    Keep(With(1, "often", EveryMinute()), [&] {
      v1::Schedule wrong = EveryHour();
      wrong.set_time_zone("Europe/Atlantis");
      Link(0, With(2, "often", wrong));
      EXPECT_EQ(EverySeconds("often"), 60);
      EXPECT_EQ(Get("often")->state(), v1::Schedule::STATE_ACTIVE);
    });
  });
}

TEST_F(DeclaredSchedulesTest, AProgramThatStayedAwayIsHeardNoMore) {
  DriveAll([&] {
    Keep(With(1, "often", EveryMinute()), [&] {
      Link(1, With(2, "often", EveryHour()));
      declared_->TakeProgram(1, nullptr);
      Pass(kOlderProgramAfter - absl::Seconds(1));
      EXPECT_EQ(EverySeconds("often"), 3600);
      Pass(absl::Seconds(2));
      EXPECT_EQ(EverySeconds("often"), 60);
    });
  });
}

}  // namespace
}  // namespace grove::control
