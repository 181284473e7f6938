#include "server/application.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grove {
namespace {

absl::StatusOr<Output> Nothing(TaskContext&) {
  return Output{};
}
absl::Status Answer(http::Request&, http::Response&) {
  return absl::OkStatus();
}

std::string Mistake(const Application& application) {
  return std::string(application.Check().message());
}

TEST(Application, IsRightWhenEmpty) {
  EXPECT_TRUE(Application("a").Check().ok());
}

TEST(Application, IsRightWithFunctionHandlerRouteAndPeriodicWork) {
  Application application("a");
  application.AddFunction("mail.send", Nothing);
  application.AddRoute("GET", "/", "hello");
  application.AddHandler("hello", Answer);
  application.Handle("GET", "/count", Answer);
  application.Handle("POST", "/count", Answer);
  application.AddPeriodic("tick", absl::Seconds(10),
                          [](WorkerServices&) { return absl::OkStatus(); });
  EXPECT_TRUE(application.Check().ok()) << application.Check();
  EXPECT_EQ(application.routes().size(), 3u);
  EXPECT_EQ(application.handlers().size(), 3u);
}

TEST(Application, RefusesARouteToAnUnknownHandler) {
  Application application("shop");
  application.AddRoute("GET", "/", "helo");
  EXPECT_EQ(Mistake(application),
            "application \"shop\": route GET /: no handler \"helo\" was added");
}

TEST(Application, ChecksWhatFunctionsSayOfTheirTasks) {
  Application application("a");
  application.AddFunction("right", Nothing,
                          {.retry = {.max_attempts = 100,
                                     .initial_backoff = absl::Seconds(1),
                                     .max_backoff = absl::Seconds(1),
                                     .backoff_multiplier = 10,
                                     .jitter = 1},
                           .queue = "mail",
                           .heartbeat_timeout = absl::Hours(24),
                           .concurrency_max = 1});
  EXPECT_TRUE(application.Check().ok()) << application.Check();
  application.AddFunction("wrong", Nothing,
                          {.default_timeout = -absl::Seconds(1),
                           .retry = {.max_attempts = 101,
                                     .initial_backoff = absl::Seconds(2),
                                     .max_backoff = absl::Seconds(1),
                                     .backoff_multiplier = 0.5,
                                     .jitter = 1.1},
                           .heartbeat_timeout = absl::Hours(25),
                           .concurrency_max = -1,
                           .slot_cost = 1001});
  EXPECT_EQ(Mistake(application),
            "application \"a\": function \"wrong\": default_timeout is negative; "
            "function \"wrong\": heartbeat_timeout is more than a day; "
            "function \"wrong\": retry.max_attempts is not 0 to 100; "
            "function \"wrong\": retry.backoff_multiplier is neither 0 nor 1 to 10; "
            "function \"wrong\": retry.jitter is not 0 to 1; "
            "function \"wrong\": retry.max_backoff is shorter than retry.initial_backoff; "
            "function \"wrong\": concurrency_max is negative; "
            "function \"wrong\": slot_cost is not 0 to 1000");
}

TEST(Application, TakesAFolderHandlerForTheConfigsRoutesOnly) {
  Application application("a");
  const auto factory = [](WorkerServices&, const Application::RouteSettings&) -> http::Handler {
    return Answer;
  };
  application.AddFolderHandlerFactory("file", factory);
  EXPECT_TRUE(application.Check().ok()) << application.Check();
  application.AddRoute("GET", "/x", "file");
  application.AddHandler("file", Answer);
  EXPECT_EQ(Mistake(application),
            "application \"a\": handler \"file\" is added twice; route GET /x: handler \"file\" "
            "needs a folder, which only the config can name");
}

TEST(Application, TakesWebSocketsAsHandlersOfTheirOwnKind) {
  Application application("a");
  const auto talk = [](http::WebSocket&, const http::Request&) { return absl::OkStatus(); };
  application.Handle("POST", "/chat", Answer);
  application.HandleWebSocket("/chat", talk);
  application.AddWebSocket("talk", talk);
  EXPECT_TRUE(application.Check().ok()) << application.Check();
  EXPECT_TRUE(application.websockets().contains("GET /chat"));
  application.AddHandler("talk", Answer);
  application.AddWebSocket("empty", nullptr);
  EXPECT_EQ(Mistake(application),
            "application \"a\": handler \"talk\" is added twice; handler \"empty\" is empty");
}

TEST(Application, RefusesARelativePathAndARouteTwice) {
  Application application("a");
  application.AddHandler("h", Answer);
  application.AddRoute("", "x", "h");
  application.AddRoute("GET", "/y", "h");
  application.AddRoute("GET", "/y", "h");
  EXPECT_EQ(Mistake(application),
            "application \"a\": route * x: 'x' is no route: a path starts with '/'; route GET /y "
            "is added twice");
}

TEST(Application, RefusesANameTwice) {
  Application application("a");
  application.AddFunction("f", Nothing);
  application.AddFunction("f", Nothing);
  EXPECT_EQ(Mistake(application), "application \"a\": function \"f\" is added twice");
}

TEST(Application, RefusesFunctionNamesOutsideDns) {
  for (const char* name : {"", ".a", "a.", "a..b", "A", "a b", "a-", "ä"}) {
    Application application("a");
    application.AddFunction(name, Nothing);
    EXPECT_FALSE(application.Check().ok()) << name;
  }
  for (const char* name : {"a", "a.b", "a-b.c_d", "7"}) {
    Application application("a");
    application.AddFunction(name, Nothing);
    EXPECT_TRUE(application.Check().ok()) << name;
  }
}

TEST(Application, RefusesAPeriodicIntervalBelowTheMinimum) {
  const auto check = [](absl::Duration interval) {
    Application application("a");
    application.AddPeriodic("tick", interval, [](WorkerServices&) { return absl::OkStatus(); });
    return application.Check().ok();
  };
  EXPECT_FALSE(check(absl::ZeroDuration()));
  EXPECT_FALSE(check(absl::Microseconds(999)));
  EXPECT_FALSE(check(absl::InfiniteDuration()));
  EXPECT_TRUE(check(absl::Milliseconds(1)));
}

TEST(Application, TakesPoolsOfThreadsAndOfProcesses) {
  Application application("a");
  application.AddOffloadPool({.threads = 3, .name = "disk"});
  application.AddProcessPool({.name = "native", .command = {"/usr/bin/native"}});
  EXPECT_TRUE(application.Check().ok()) << application.Check();
  EXPECT_EQ(application.work_pools().offload[0].threads, 3);
  EXPECT_EQ(application.work_pools().processes[0].name, "native");
}

TEST(Application, SaysWhichPoolIsWrong) {
  Application application("a");
  application.AddOffloadPool({.threads = 0, .name = "disk"});
  application.AddProcessPool({.name = "disk", .command = {"/x"}, .processes = 1025});
  application.AddProcessPool({.name = "No", .command = {}});
  EXPECT_EQ(Mistake(application),
            "application \"a\": pool \"disk\": threads is 0, must be 1 to 1024; pool \"disk\": "
            "processes is 1025, must be 1 to 1024; pool \"disk\": is added twice; pool \"No\": "
            "its name is not one that a function may have; pool \"No\": its command is empty");
}

TEST(Application, HasABoundOnItsPools) {
  Application application("a");
  for (size_t i = 0; i < kWorkPoolsMax; ++i) {
    application.AddOffloadPool({.name = absl::StrCat("p", i)});
  }
  EXPECT_TRUE(application.Check().ok());
  application.AddOffloadPool({.name = "more"});
  EXPECT_EQ(Mistake(application), "application \"a\": pool \"more\": there are 32 pools already");
}

TEST(Application, RefusesEmptyCode) {
  Application application("a");
  application.AddFunction("f", nullptr);
  application.AddHandler("h", nullptr);
  application.AddPeriodic("p", absl::Seconds(1), Application::PeriodicBody());
  EXPECT_EQ(Mistake(application),
            "application \"a\": function \"f\" is empty; handler \"h\" is empty; periodic work "
            "\"p\" is empty");
}

TEST(Application, RefusesWhatIsRegisteredWithoutAName) {
  Application application("a");
  application.OnStart("", [](WorkerServices&) { return absl::OkStatus(); });
  application.OnStop("close", nullptr);
  application.OnReload("take", nullptr);
  application.OnStart(
      "now", [](WorkerServices&) { return absl::OkStatus(); }, absl::ZeroDuration());
  EXPECT_EQ(Mistake(application),
            "application \"a\": start hook \"\" has no name; stop hook \"close\" is empty; reload "
            "hook \"take\" is empty; start hook \"now\" has no time");
}

TEST(Application, RefusesAFunctionsFactoryAsItRefusesFunctions) {
  Application application("a");
  application.AddFunctionFactory("f", nullptr);
  application.AddFunction("f", Nothing);
  EXPECT_EQ(Mistake(application),
            "application \"a\": the factory of function \"f\" is empty; function \"f\" is added "
            "twice");
}

TEST(Application, RefusesMiddlewareWithMistakesInItsOptions) {
  Application application("a");
  SettingsSchema options;
  options.Text("field", {.description = ""});
  const auto make = [](WorkerServices&, const Settings&) -> absl::StatusOr<http::Middleware> {
    return absl::UnimplementedError("");
  };
  application.AddMiddleware("stamp", make, options);
  application.AddMiddleware("stamp", make);
  EXPECT_EQ(Mistake(application),
            "application \"a\": middleware \"stamp\": setting \"field\": has no description; "
            "middleware \"stamp\" is added twice");
}

TEST(Application, RefusesValuesAndCommandsWithoutAMeaningOrTwice) {
  Application application("a");
  const auto answer = [](WorkerServices&, std::string_view) { return std::string(); };
  application.AddValue("cache", "", answer);
  application.AddCommand("cache", "drops it", nullptr);
  EXPECT_EQ(Mistake(application),
            "application \"a\": value \"cache\" has no description; command \"cache\" is empty; "
            "command \"cache\" is added twice");
}

TEST(Application, KeepsSchedulesForTheDaemonToMake) {
  Application application("a");
  application.AddFunction("report", Nothing);
  application.AddSchedule("nightly", {.cron = {"30 3 * * *"}, .time_zone = "Europe/Berlin"},
                          {.function = "report"});
  application.AddSchedule("nightly", {.every = absl::Hours(1), .tenant = "acme"},
                          {.function = "report"});
  EXPECT_TRUE(application.Check().ok()) << application.Check();
  ASSERT_EQ(application.schedules().size(), 2u);
  EXPECT_EQ(application.schedules()[0].id, "nightly");
  EXPECT_EQ(application.schedules()[1].options.tenant, "acme");
}

TEST(Application, RefusesSchedulesThatCannotBe) {
  Application application("a");
  application.AddSchedule("n", {}, {.function = "echo", .delay = absl::Seconds(1)});
  application.AddSchedule("n", {.cron = {"61 * * * *"}}, {.request_id = "1"});
  application.AddSchedule("long", {.cron = {"@daily"}},
                          {.function = "echo", .input = std::string(65537, 'x')});
  application.AddSchedule("N", {.every = -absl::Seconds(1), .tenant = ""},
                          {.function = "echo", .after = {"t"}});
  const std::string mistakes = Mistake(application);
  for (const char* mistake :
       {"schedule \"n\": it has neither cron expressions nor an interval",
        "schedule \"n\": its task has delay, which a schedule's cannot have",
        "schedule \"n\": cron \"61 * * * *\": ", "schedule \"n\": its task has no function",
        "schedule \"n\": its task has request_id", "schedule \"n\" is added twice",
        "schedule \"N\": its name must be 1 to 63 lower-case letters",
        "schedule \"N\": tenant is no tenant's short name", "schedule \"N\": every is negative",
        "schedule \"long\": its task's input is more than 65536 bytes: make it a payload",
        "schedule \"N\": its task has after"}) {
    EXPECT_NE(mistakes.find(mistake), std::string::npos) << mistake << " in " << mistakes;
  }
}

TEST(Application, OfTwoTheLaterMadeIsTheNewer) {
  const Application first("a");
  const Application second("a");
  EXPECT_GT(second.made_at_ns(), first.made_at_ns());
}

TEST(Application, RefusesMistakesInSettingsAndMetrics) {
  Application application("a");
  application.settings().Text("Host", {.description = "d"});
  application.metrics().Counter({.name = "orders", .help = "h"});
  EXPECT_TRUE(std::string_view(Mistake(application))
                  .starts_with("application \"a\": setting \"Host\": a name is"));
  EXPECT_TRUE(std::string_view(Mistake(application))
                  .ends_with("metric \"orders\": a counter's name ends in _total"));
}

}  // namespace
}  // namespace grove
