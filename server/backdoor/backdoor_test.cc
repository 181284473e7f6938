#include "server/backdoor/backdoor.h"

#include <sys/socket.h>

#include <array>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/green/green_report.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::backdoor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Backdoor : public ::testing::Test {
 protected:
  // All that a session prints for `input`, without the banner and the first prompt.
  std::string Talk(std::string input, const std::function<void()>& meanwhile = {}) {
    std::string output;
    FakeClock clock;
    HubOptions options{.stack_bytes = 256 * 1024};
    if (invented_time_) {
      options.clock = &clock;
      options.poller = std::make_unique<FakePoller>(clock);
    }
    std::unique_ptr<Hub> hub = *Hub::Create(std::move(options));
    RunOn(*hub, [&]() -> absl::Status {
      int fds[2];
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
      Socket client = *Socket::Adopt(fds[0]);
      auto server = Spawn("backdoor", [&, fd = fds[1]] {
        ServeBackdoor(*Socket::Adopt(fd), limits_, environment_);
      });
      auto writer = Spawn("writer", [&] {
        client.Write(input).IgnoreError();
        if (end_input_) client.ShutdownWrite().IgnoreError();
      });
      auto other = Spawn("other", [&] {
        if (meanwhile) meanwhile();
      });
      std::array<char, 4096> buffer;
      for (;;) {
        const absl::StatusOr<size_t> got = client.Read(buffer);
        if (!got.ok() || *got == 0) break;
        output.append(buffer.data(), *got);
      }
      return server->Join();
    });
    EXPECT_EQ(hub->Stats().fibers_live, 0);
    const size_t banner = output.find("\n> ");
    return banner == std::string::npos ? output : output.substr(banner + 3);
  }
  // What one line (or several) prints.
  std::string Eval(const std::string& lines) {
    std::string output = Talk(lines + "\n");
    EXPECT_THAT(output, ::testing::EndsWith("> \n"));
    return output.substr(0, output.size() - 3);
  }

  BackdoorLimits limits_;
  BackdoorEnvironment environment_;
  bool end_input_ = true;
  bool invented_time_ = false;  // lines are limited by the machine's
};

TEST_F(Backdoor, PrintsTheValuesOfExpressions) {
  EXPECT_EQ(Eval("1 + 1"), "2\n");
  EXPECT_EQ(Eval("1.0, 'a', nil, true"), "1.0\ta\tnil\ttrue\n");
  EXPECT_EQ(Eval("x = 1"), "");
  EXPECT_EQ(Eval(""), "");
  EXPECT_EQ(Eval("print(1, 'b')"), "1\tb\n");
  EXPECT_EQ(Eval("math.max(1, 2), utf8.len('ü'), #string.rep('a', 3)"), "2\t1\t3\n");
}

TEST_F(Backdoor, KeepsVariablesBetweenLinesAndToleratesCrLf) {
  EXPECT_EQ(Eval("x = 41\r\nx + 1\r"), "> 42\n");
}

TEST_F(Backdoor, PromptsForTheRestOfAChunk) {
  EXPECT_EQ(Eval("for i = 1, 2 do\nprint(i)\nend"), ">> >> 1\n2\n");
}

TEST_F(Backdoor, ReportsErrorsAndGoesOn) {
  EXPECT_THAT(Eval("error('no')"), StartsWith("error: backdoor:1: no\n"));
  EXPECT_THAT(Eval("1 +* 2"), StartsWith("error: backdoor:1: "));
  EXPECT_EQ(Eval("error('no', 0)\n1"), "error: no\n> 1\n");
  EXPECT_EQ(Eval("error({1})"), "error: { 1 }\n");
}

TEST_F(Backdoor, ShowsTablesInOrderAndBounded) {
  EXPECT_EQ(Eval("{1, 'a', b = {}, ['c d'] = 2}"),
            "{\n  1,\n  \"a\",\n  b = {},\n  [\"c d\"] = 2,\n}\n");
  EXPECT_EQ(Eval("{b = 1, a = {c = 1}}"), "{\n  a = { c = 1 },\n  b = 1,\n}\n");
  EXPECT_THAT(Eval("t = {} t.t = t\nt"), HasSubstr("{…}"));
  EXPECT_THAT(Eval("t = {} for i = 1, 1001 do t[i] = i end\nt"),
              ::testing::AllOf(HasSubstr(" 1000, …"), Not(HasSubstr("1001"))));
}

TEST_F(Backdoor, EscapesControlCharacters) {
  EXPECT_EQ(Eval("'\\27[2J', {'\\n'}"), "\\x1b[2J\t{ \"\\x0a\" }\n");
  EXPECT_EQ(Eval("print('\\27\\u{9b}ü')"), "\\x1b\xc2\\x9bü\n");
}

TEST_F(Backdoor, HasNoWayOut) {
  for (const char* name : {"os", "io", "debug", "require", "package", "load", "loadfile", "dofile",
                           "loadstring", "coroutine", "string.dump"}) {
    EXPECT_EQ(Eval(name), "nil\n") << name;
  }
  EXPECT_THAT(Eval("collectgarbage('stop')"), HasSubstr("only \"count\""));
  EXPECT_EQ(Eval("collectgarbage() > 0"), "true\n");
  EXPECT_THAT(Eval("setmetatable({}, {__gc = print})"), HasSubstr("finalizers"));
  EXPECT_THAT(Eval("\x1bLua"), StartsWith("error: "));
}

TEST_F(Backdoor, EndsALineThatRunsTooManyInstructions) {
  limits_.instructions_max = 100'000;
  EXPECT_EQ(Eval("while true do end\n1"),
            "error: the line ran too many instructions (backdoor.instructions_max)\n> 1\n");
}

TEST_F(Backdoor, EndsALineThatTakesTooLong) {
  limits_.instructions_max = INT64_MAX;
  limits_.time_max = absl::Milliseconds(20);
  EXPECT_EQ(Eval("while true do end"), "error: the line took too long (backdoor.time_max_ms)\n");
}

TEST_F(Backdoor, LetsOthersRunMeanwhile) {
  limits_.time_max = absl::Minutes(10);
  limits_.instructions_max = INT64_MAX;
  const std::string printed = Talk("while true do end\n", [&] {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(Sleep(absl::Microseconds(10)).ok());
    limits_.instructions_max = 0;  // only the others' progress ends the loop
  });
  EXPECT_THAT(printed, StartsWith("error: the line ran too many instructions"));
}

TEST_F(Backdoor, LetsNothingSwallowTheEnd) {
  limits_.instructions_max = 100'000;
  const char* const kKilled =
      "error: the line ran too many instructions (backdoor.instructions_max)\n";
  for (const char* line : {
           "pcall(function() while true do end end) print('survived')",
           "while true do pcall(function() while true do end end) end",
           "xpcall(function() while true do end end, function() while true do end end)",
           "local x <close> = setmetatable({}, {__close = function() while true do end end}) "
           "while true do end",
           "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) "
           "while true do pcall(function() return t[1] end) end",
           "table.sort({3, 2, 1}, function(a, b) while true do end end)",
           "string.gsub('aaa', 'a', function() while true do end end)",
           "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
       }) {
    EXPECT_EQ(Eval(line), kKilled) << line;
  }
}

TEST_F(Backdoor, LetsPcallCatchOrdinaryErrors) {
  EXPECT_EQ(Eval("pcall(error, 'x')"), "false\tx\n");
  EXPECT_EQ(Eval("pcall(math.max, 1, 2)"), "true\t2\n");
  EXPECT_EQ(Eval("xpcall(error, function(e) return e .. '!', 2 end, 'x')"), "false\tx!\t2\n");
  EXPECT_EQ(Eval("xpcall(math.max, print, 1, 2)"), "true\t2\n");
}

TEST_F(Backdoor, EndsALineThatTakesTooMuchMemory) {
  limits_.memory_max_bytes = 1 << 20;
  EXPECT_THAT(Eval("t = {} for i = 1, 1e9 do t[i] = i end"),
              StartsWith("error: not enough memory"));
  EXPECT_THAT(Eval("string.rep('x', 1 << 30)"), StartsWith("error: not enough memory"));
  EXPECT_THAT(Eval("while true do pcall(string.rep, 'x', 1 << 30) end"),
              StartsWith("error: not enough memory"));
  EXPECT_EQ(Eval("pcall(string.rep, 'x', 1 << 30)\n'on'"),
            "error: not enough memory (backdoor.memory_max_bytes)\n> on\n");
}

TEST_F(Backdoor, SaysThatTheMemoryIsTooSmall) {
  limits_.memory_max_bytes = 1000;
  EXPECT_THAT(Talk("1\n"), HasSubstr("error: Lua does not start in 1000 bytes"));
}

TEST_F(Backdoor, BoundsOutput) {
  limits_.output_max_bytes = 100;
  const std::string printed = Eval("while true do print('0123456789') end");
  EXPECT_THAT(printed, HasSubstr("the output ends here, at 100 bytes"));
  EXPECT_LT(printed.size(), 200);
  EXPECT_LT(Eval("string.rep('x', 1000)").size(), 200);
  EXPECT_LT(Eval("string.rep('\\27', 100000)").size(), 200);
}

TEST_F(Backdoor, RefusesWorkThatNoBudgetWouldSee) {
  EXPECT_THAT(Eval("table.move({}, 1, math.maxinteger - 1, 2)"), HasSubstr("entries to move"));
  EXPECT_THAT(Eval("table.insert(setmetatable({}, {__len = function() return 1e15 end}), 1, 1)"),
              HasSubstr("has a metatable"));
  EXPECT_EQ(Eval("('  name '):match('^%s*(.-)%s*$')"), "name\n");
  EXPECT_EQ(Eval("t = {3, 1, 2} table.sort(t) table.insert(t, 4) return table.concat(t, ',')"),
            "1,2,3,4\n");
}

TEST_F(Backdoor, EndsLoopsThatFollowANumber) {
  EXPECT_EQ(Eval("#(''):rep(math.maxinteger), #(''):rep(math.maxinteger, ''), #('ab'):rep(-1)"),
            "0\t0\t0\n");
  EXPECT_THAT(Eval("('x'):rep(math.maxinteger)"), StartsWith("error: "));
  EXPECT_THAT(Eval("(''):rep(math.maxinteger, 'x')"), StartsWith("error: "));
  // The border of such a table is 2^40.
  const std::string sparse = "local t = {} for i = 40, 0, -1 do t[1 << i] = 0 end ";
  for (const char* call :
       {"table.insert(t, 1, 0)", "table.remove(t, 1)", "table.sort(t)", "table.move(t, 1, #t, 2)",
        "table.unpack(t)", "table.concat(t, '', 1, 1 << 40)"}) {
    EXPECT_THAT(Eval(sparse + call), StartsWith("error: ")) << call;
  }
  EXPECT_EQ(Eval(sparse + "table.insert(t, 9) return #t > 1 << 39"), "true\n");
}

TEST_F(Backdoor, EndsPatternsThatTakeTooManySteps) {
  limits_.time_max = absl::Minutes(10);
  limits_.instructions_max = 1'000'000;
  for (const char* line : {
           "('x'):rep(1000):find('[' .. ('a'):rep(1e6) .. ']')",
           "('x'):rep(1000):match('^[^' .. ('a'):rep(1e6) .. ']*b')",
           "('x'):rep(2000):find('x*x*y')",
           "('x'):rep(100):find(('x*'):rep(20) .. 'y')",
           "('x'):rep(20000):find('x-y')",
           "('('):rep(20000):find('%b()')",
           "('x'):rep(1e6):find(('x'):rep(1e5) .. 'y', 1, true)",
           "('x'):rep(1000):gsub('()', ('%1'):rep(1e5))",
           "('x'):rep(1000):gsub('(y*)', ('%1'):rep(1e5))",
           "for w in ('x'):rep(20000):gmatch('x*y') do end",
           "while true do ('x'):find('x') end",
       }) {
    EXPECT_EQ(Eval(line), "error: the line ran too many instructions (backdoor.instructions_max)\n")
        << line;
  }
}

TEST_F(Backdoor, RefusesFormatsAndValuesThatAreTooLong) {
  EXPECT_THAT(Eval("('%s'):rep(1e5):format()"), HasSubstr("a format of more than"));
  EXPECT_THAT(Eval("string.packsize(('x'):rep(1e6))"), HasSubstr("a format of more than"));
  EXPECT_THAT(Eval("('%q'):format(('\\0'):rep(1e6))"), HasSubstr("more than 16384 bytes"));
  EXPECT_THAT(Eval("('x'):rep(3e6)"), StartsWith("error: not enough memory"));
}

// The turns of the hub, in which others run, count the slices; time stands still.
TEST_F(Backdoor, GivesTheHubBackAmongLibraryCalls) {
  invented_time_ = true;
  const auto turns = [this](const std::string& work) {
    const std::string printed = Eval("local a = hub().turns " + work + " return hub().turns - a");
    return std::atoi(printed.c_str());
  };
  EXPECT_GE(turns("local s = ('x'):rep(500) for i = 1, 10 do s:find('x*b') end"), 100);
  EXPECT_GE(turns("for i = 1, 100 do local s = ('x'):rep(2000) end"), 20);
  EXPECT_GE(turns("local t = {} for i = 1, 3000 do t[i] = i end "
                  "for i = 1, 50 do table.insert(t, 1, 0) end"),
            50);
  EXPECT_GE(turns("local t = {} for i = 1, 5000 do t[i] = -i end table.sort(t)"), 30);
  EXPECT_GE(turns("local s = ('x'):rep(1e6) for i = 1, 100 do local u = s .. i end"), 50);
  EXPECT_GE(turns("for i = 1, 1e5 do end"), 50);
  EXPECT_GE(turns("for i = 1, 1e4 do math.abs(i) end"), 10);
}

TEST_F(Backdoor, CollectsGarbageBeforeItEndsALine) {
  limits_.memory_max_bytes = 1 << 20;
  EXPECT_EQ(Eval("for i = 1, 300 do local t = ('x'):rep(1e5) .. i end return 'done'"), "done\n");
  EXPECT_EQ(Eval("for i = 1, 1e5 do local t = {i} end return 'done'"), "done\n");
}

TEST_F(Backdoor, SurvivesDeepRecursionOnAFiberStack) {
  EXPECT_THAT(Eval("function f() return 1 + f() end f()"), StartsWith("error: "));
  EXPECT_THAT(Eval("function f(s) return (s:gsub('a', f)) end f('a')"), StartsWith("error: "));
  EXPECT_THAT(Eval("function f() return pcall(f) end f()"), StartsWith("error: "));
  EXPECT_THAT(Eval("t = setmetatable({}, {}) getmetatable(t).__tostring = function() "
                   "return string.format('%s', t) end tostring(t)"),
              StartsWith("error: "));
  EXPECT_THAT(Eval(std::string(10000, '(')), StartsWith("error: "));
  std::string nested;
  for (int i = 0; i < 1000; ++i) nested += "x = function() ";
  EXPECT_THAT(Eval(nested), StartsWith("error: "));
  EXPECT_THAT(Eval("x = " + std::string(10000, '{')), StartsWith("error: "));
  EXPECT_THAT(Eval("('a'):rep(10000):find(('(a'):rep(31))"), StartsWith("error: "));
}

TEST_F(Backdoor, ShowsTheHubAndItsFibers) {
  EXPECT_EQ(Eval("hub().fibers_live >= 2, hub().turns > 0"), "true\ttrue\n");
  EXPECT_EQ(Eval("for _, f in ipairs(fibers()) do if f.name == 'backdoor' then print(f.state, "
                 "f.waiting == '', f.site:match('[%w_]+.cc')) end end"),
            "running\ttrue\tbackdoor_test.cc\n");
  EXPECT_EQ(Eval("#fibers{limit = 1}"), "1\n");
  EXPECT_THAT(Eval("fibers{limit = 0}"), HasSubstr("limit must be from 1 to 10000"));
  EXPECT_EQ(Eval("#listeners() >= 2"), "true\n");
  EXPECT_THAT(Eval("timers().armed"), HasSubstr("\n"));
  EXPECT_THAT(Eval("fibers()"), HasSubstr("name = \"main\""));
}

TEST_F(Backdoor, ShowsFibersThatWaitForEachOther) {
  EXPECT_EQ(Eval("#deadlocks()"), "0\n");
  const auto joins_itself = [] { (void)FiberHandle(Hub::Current()->running()).Join(); };
  EXPECT_THAT(Talk("d = deadlocks()[1]\nd.deadlock, d.fibers, d.text\n", joins_itself),
              HasSubstr("true\t1\tdeadlock: fiber "));
}

TEST_F(Backdoor, ShowsTheStackOfAParkedFiber) {
  EXPECT_EQ(Eval("for _, f in ipairs(fibers()) do if f.name == 'main' then "
                 "print(stack(f.id):match('#0.-grove::') ~= nil, "
                 "stack(f.id):match('Fiber::Main') ~= nil) end end"),
            "true\ttrue\n");
  EXPECT_EQ(Eval("stack(1 << 60)"), "nil\n");
  EXPECT_THAT(Eval("stack('x')"), HasSubstr("number expected"));
}

TEST_F(Backdoor, ShowsWhatTheWorkerTells) {
  environment_.worker = 3;
  environment_.worker_facts = [] { return BackdoorRow{{"draining", false}}; };
  environment_.pools = [] { return BackdoorTable{{{"name", std::string("mail")}, {"size", 1.5}}}; };
  EXPECT_EQ(Eval("worker().worker, worker().draining, worker().pid > 0"), "3\tfalse\ttrue\n");
  EXPECT_EQ(Eval("pools()"), "{\n  { name = \"mail\", size = 1.5 },\n}\n");
}

TEST_F(Backdoor, OfAProgramWithoutWorkersNamesNone) {
  EXPECT_EQ(Eval("worker().worker, worker().pid > 0"), "nil\ttrue\n");
}

TEST_F(Backdoor, ShowsWhatLibrariesCalledInGreenScopes) {
  ResetGreenReport();
  EXPECT_EQ(Eval("green()"), "{}\n");
  CountGreenCall("poll", nullptr, GreenOutcome::kParked);
  CountGreenCall("poll", nullptr, GreenOutcome::kEscaped, absl::Seconds(2));
  EXPECT_EQ(Eval("g = green()[1]\ng.call, g.parked, g.escaped, g.blocked_seconds"),
            "> poll\t1\t1\t2.0\n");
  ResetGreenReport();
}

TEST_F(Backdoor, AsksTheApplication) {
  EXPECT_EQ(Eval("app()"), "{}\n");
  EXPECT_THAT(Eval("app('cache')"), HasSubstr("there is no application"));
  environment_.application = [] {
    return BackdoorTable{{{"name", std::string("cache")}, {"description", std::string("d")}}};
  };
  environment_.ask_application = [](const std::string& name,
                                    std::string_view argument) -> absl::StatusOr<std::string> {
    if (argument == "bad") return absl::NotFoundError("no such key");
    return name + " of '" + std::string(argument) + "'";
  };
  EXPECT_EQ(Eval("app()[1].name"), "cache\n");
  EXPECT_EQ(Eval("print(app('cache', 'a b'))"), "cache of 'a b'\n");
  EXPECT_EQ(Eval("print(app('cache'))"), "cache of ''\n");
  EXPECT_THAT(Eval("app('cache', 'bad')"), HasSubstr("no such key"));
  EXPECT_EQ(Eval("pcall(app, 'cache', 'bad')"), "false\tno such key\n");
  EXPECT_THAT(Eval("app({})"), HasSubstr("string expected"));
}

TEST_F(Backdoor, HandsOutCopies) {
  environment_.pools = [] { return BackdoorTable{{{"size", int64_t{1}}}}; };
  EXPECT_EQ(Eval("pools()[1].size = 2\npools()[1].size"), "> 1\n");
}

TEST_F(Backdoor, AuditsEachLineBeforeItRuns) {
  std::vector<std::string> lines;
  environment_.audit = [&](std::string_view line) { lines.emplace_back(line); };
  Talk("1\r\nfor i = 1, 2 do\nend\nquit()\n2\n");
  EXPECT_THAT(lines, ElementsAre("1", "for i = 1, 2 do", "end", "quit()"));
}

TEST_F(Backdoor, SurvivesAClientThatLeavesBeforeItIsAnswered) {
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, [&] {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    Socket client = *Socket::Adopt(fds[0]);
    EXPECT_TRUE(client.Write("for i = 1, 1e3 do print(i) end\n").ok());
    client.Close();
    ServeBackdoor(*Socket::Adopt(fds[1]), limits_, environment_);
  });
}

TEST_F(Backdoor, GreetsAndQuits) {
  end_input_ = false;
  EXPECT_EQ(Talk("quit()\n"), "");
  end_input_ = true;
  environment_.worker = 2;
  EXPECT_THAT(Eval("help()"), HasSubstr("fibers()"));
}

TEST_F(Backdoor, EndsWhenIdle) {
  end_input_ = false;
  invented_time_ = true;
  limits_.idle_timeout = absl::Milliseconds(10);
  EXPECT_EQ(Talk("1\n"), "1\n> \nerror: idle for 10ms\n");
}

TEST_F(Backdoor, RefusesALineOrChunkThatIsTooLong) {
  EXPECT_THAT(Talk("x = '" + std::string(70'000, 'x') + "'\n"), HasSubstr("bytes"));
  std::string lines = "x = {\n";
  for (int i = 0; i < 40; ++i) lines += "'" + std::string(2000, 'x') + "',\n";
  EXPECT_THAT(Talk(lines + "\n"), HasSubstr("error: more than 65536 bytes in one statement"));
}

}  // namespace
}  // namespace grove::backdoor
