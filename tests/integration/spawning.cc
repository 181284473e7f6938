// spawning: an application whose handlers, functions and periodic work spawn tasks and wait for
// them, as the test tells them to.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/label_scope.h"
#include "server/application.h"
#include "server/main.h"

namespace {

using grove::ReasonOf;
using grove::SpawnRequest;
using grove::http::Request;
using grove::http::Response;

// Whether there is a file of that name in the test's folder.
bool IsThere(const std::string& name) {
  const char* const folder = getenv("GROVE_TEST_FOLDER");
  return folder != nullptr && access(absl::StrCat(folder, "/", name).c_str(), F_OK) == 0;
}

// One line: the name, or why there is none.
std::string Line(const absl::StatusOr<std::string>& spawned) {
  if (spawned.ok()) return *spawned;
  return absl::StrCat(absl::StatusCodeToString(spawned.status().code()), " ",
                      ReasonOf(spawned.status()));
}

std::string Spawn(grove::TaskClient& tasks, const SpawnRequest& like, int times) {
  std::vector<std::string> lines;
  for (const auto& each : tasks.SpawnAll(std::vector<SpawnRequest>(times, like))) {
    lines.push_back(Line(each));
  }
  return absl::StrJoin(lines, "\n");
}

std::string Wait(grove::TaskClient& tasks, const std::string& name, absl::Duration timeout) {
  const absl::StatusOr<grove::TaskResult> result = tasks.Wait(name, timeout);
  if (!result.ok()) return Line(result.status());
  if (result->status.ok()) return absl::StrCat("OK ", result->output);
  return absl::StrCat(absl::StatusCodeToString(result->status.code()), " ",
                      std::string(result->status.message()));
}

// FUNCTION TIMES durable|volatile [REQUEST_ID]
SpawnRequest RequestOf(const std::vector<std::string>& words) {
  SpawnRequest request{.function = words[0], .content_type = "text/plain"};
  request.durable = words[2] == "durable";
  if (words.size() > 3) request.request_id = words[3];
  return request;
}

// GET /spawn/{function}/{times}/{how}: a line for each; /spawn/… with a fifth part: into that
// queue.
grove::http::Handler SpawnHandler(grove::WorkerServices& services) {
  return [&services](Request& request, Response& response) -> absl::Status {
    const auto part = [&](const char* name) {
      return std::string(request.Param(name).value_or(""));
    };
    int times = 0;
    if (!absl::SimpleAtoi(part("times"), &times)) return absl::InvalidArgumentError("no number");
    SpawnRequest like = RequestOf({part("function"), "", part("how")});
    like.queue = part("queue");
    return response.Send(200, "text/plain", Spawn(services.tasks, like, times));
  };
}

// POST /wait: waits two seconds for the task that the body names.
grove::http::Handler WaitHandler(grove::WorkerServices& services) {
  return [&services](Request& request, Response& response) -> absl::Status {
    const absl::StatusOr<std::string> name = request.ReadWholeBody(1000);
    if (!name.ok()) return name.status();
    return response.Send(200, "text/plain", Wait(services.tasks, *name, absl::Seconds(2)));
  };
}

// GET /burn: a tenth of a second of this worker's time, the half of it for another tenant.
grove::http::Handler BurnHandler(grove::WorkerServices& services) {
  return [&services](Request&, Response& response) -> absl::Status {
    const auto burn = [](absl::Duration time) {
      const absl::Time end = absl::Now() + time;
      while (absl::Now() < end) {
      }
    };
    burn(absl::Milliseconds(50));
    {
      const grove::LabelScope on_its_behalf(services.tenants.Of("umbrella"));
      burn(absl::Milliseconds(50));
    }
    return response.Send(200, "text/plain", "burnt");
  };
}

// GET /bench/{times}: spawns so many, one after another; the median and the 99th percentile of the
// time from the call to its return, in microseconds.
grove::http::Handler BenchHandler(grove::WorkerServices& services) {
  return [&services](Request& request, Response& response) -> absl::Status {
    int times = 0;
    if (!absl::SimpleAtoi(std::string(*request.Param("times")), &times) || times < 1) {
      return absl::InvalidArgumentError("no number");
    }
    SpawnRequest like = RequestOf({"say", "", std::string(*request.Param("how"))});
    std::vector<int64_t> took_us;
    for (int i = 0; i < times; ++i) {
      const absl::Time began = absl::Now();
      if (auto spawned = services.tasks.Spawn(like); !spawned.ok()) return spawned.status();
      took_us.push_back(absl::ToInt64Microseconds(absl::Now() - began));
    }
    std::sort(took_us.begin(), took_us.end());
    return response.Send(
        200, "text/plain",
        absl::StrCat(took_us[took_us.size() / 2], " ", took_us[took_us.size() * 99 / 100], "\n"));
  };
}

// "say": whose task it is, and of which worker process.
absl::StatusOr<grove::Output> Say(grove::TaskContext& context) {
  return grove::Output{std::string(context.tenant()), "text/plain"};
}

// "echo": its input.
absl::StatusOr<grove::Output> Echo(grove::TaskContext& context) {
  return grove::Output{std::string(context.input()), std::string(context.content_type())};
}

// "fail": always.
absl::StatusOr<grove::Output> Fail(grove::TaskContext&) {
  return absl::InternalError("told to");
}

// "hold": until the test lets it go.
absl::StatusOr<grove::Output> Hold(grove::TaskContext& context) {
  while (!IsThere("go")) {
    if (absl::Status slept = grove::Sleep(absl::Milliseconds(5)); !slept.ok()) return slept;
  }
  return grove::Output{std::string(context.input()), "text/plain"};
}

// "parent": FUNCTION TIMES HOW: spawns them and waits for each; how they ended, a line each.
absl::StatusOr<grove::Output> Parent(grove::TaskContext& context) {
  const std::vector<std::string> words = absl::StrSplit(std::string(context.input()), ' ');
  int times = 0;
  if (words.size() < 3 || !absl::SimpleAtoi(words[1], &times)) {
    return absl::InvalidArgumentError("not FUNCTION TIMES HOW");
  }
  grove::TaskClient& tasks = context.services().tasks;
  std::vector<std::string> ends;
  for (const auto& child : tasks.SpawnAll(std::vector<SpawnRequest>(times, RequestOf(words)))) {
    if (!child.ok()) return child.status();
    ends.push_back(absl::StrCat(*child, " ", Wait(tasks, *child, absl::InfiniteDuration())));
  }
  return grove::Output{absl::StrJoin(ends, "\n"), "text/plain"};
}

// "late": spawns FUNCTION TIMES HOW [REQUEST_ID] once the test lets it, and returns the names.
absl::StatusOr<grove::Output> Late(grove::TaskContext& context) {
  if (absl::Status held = Hold(context).status(); !held.ok()) return held;
  const std::vector<std::string> words = absl::StrSplit(std::string(context.input()), ' ');
  absl::StatusOr<std::string> child = context.services().tasks.Spawn(RequestOf(words));
  if (!child.ok()) return child.status();
  // The one that died may have been the first to ask.
  if (IsThere("die") && context.attempt() == 1) abort();
  return grove::Output{*child, "text/plain"};
}

// "gather": TIMES: spawns so many of "hold" and gives its place back until they have ended; their
// names, and which attempt this is.
absl::StatusOr<grove::Output> Gather(grove::TaskContext& context) {
  if (!context.checkpoint().empty()) {
    return grove::Output{absl::StrCat(std::string(context.checkpoint()), "\n", context.attempt()),
                         "text/plain"};
  }
  int times = 0;
  if (!absl::SimpleAtoi(std::string(context.input()), &times)) {
    return absl::InvalidArgumentError("no number");
  }
  std::vector<SpawnRequest> requests;
  for (int i = 0; i < times; ++i) {
    SpawnRequest& request = requests.emplace_back(RequestOf({"hold", "", "durable"}));
    request.request_id = absl::StrCat(std::string(context.task()), "/", i);
  }
  std::vector<std::string> names;
  for (auto& child : context.services().tasks.SpawnAll(std::move(requests))) {
    if (!child.ok()) return child.status();
    names.push_back(*std::move(child));
  }
  const absl::Status kept = context.Checkpoint(absl::StrJoin(names, "\n"));
  return kept.ok() ? grove::SuspendUntilEnded(names) : kept;
}

// "nap": MILLISECONDS, without its place; which attempt wakes.
absl::StatusOr<grove::Output> Nap(grove::TaskContext& context) {
  if (!context.checkpoint().empty()) {
    return grove::Output{absl::StrCat(context.attempt()), "text/plain"};
  }
  int milliseconds = 0;
  if (!absl::SimpleAtoi(std::string(context.input()), &milliseconds)) {
    return absl::InvalidArgumentError("no number");
  }
  const absl::Status kept = context.Checkpoint("slept");
  return kept.ok() ? grove::SuspendFor(absl::Milliseconds(milliseconds)) : kept;
}

// "first": HOW: spawns "hold", and then "say" after it and in a sequence; both names.
absl::StatusOr<grove::Output> First(grove::TaskContext& context) {
  grove::TaskClient& tasks = context.services().tasks;
  const auto held = tasks.Spawn(RequestOf({"hold", "", "durable"}));
  if (!held.ok()) return held.status();
  SpawnRequest request = RequestOf({"say", "", "durable"});
  request.after = {*held};
  request.after_success = true;
  request.sequence = "inside";
  request.halts_sequence = true;
  const auto next = tasks.Spawn(std::move(request));
  if (!next.ok()) return next.status();
  return grove::Output{absl::StrCat(*held, "\n", *next), "text/plain"};
}

// Every so often: a task, once the test asks for it.
absl::Status Tick(grove::WorkerServices& services) {
  if (!IsThere("tick")) return absl::OkStatus();
  return services.tasks
      .Spawn({.function = "say",
              .content_type = "text/plain",
              .request_id = "tick",
              .labels = {{"from", "periodic"}}})
      .status();
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("spawning");
  application.AddHandlerFactory("spawn", SpawnHandler);
  application.AddHandlerFactory("wait", WaitHandler);
  application.AddHandlerFactory("burn", BurnHandler);
  application.AddHandlerFactory("bench", BenchHandler);
  application.AddRoute("GET", "/spawn/{function}/{times}/{how}", "spawn");
  application.AddRoute("GET", "/spawn/{function}/{times}/{how}/{queue}", "spawn");
  application.AddRoute("POST", "/wait", "wait");
  application.AddRoute("GET", "/burn", "burn");
  application.AddRoute("GET", "/bench/{times}/{how}", "bench");
  application.AddFunction("say", Say);
  application.AddFunction("echo", Echo);
  application.AddFunction("fail", Fail);
  application.AddFunction("hold", Hold);
  application.AddFunction("parent", Parent);
  application.AddFunction("late", Late);
  application.AddFunction("gather", Gather);
  application.AddFunction("nap", Nap);
  application.AddFunction("first", First);
  application.AddPeriodic("tick", absl::Milliseconds(20), Tick);
  return grove::Main(argc, argv, application);
}
