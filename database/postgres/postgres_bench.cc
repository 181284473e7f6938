// Statements of many fibers against libpq's own loops over as many connections, in one run.
//
// usage: postgres_bench ADDRESS [CONNECTIONS] [FIBERS] [SECONDS]
// One line for each way and statement: statements a second, those for a CPU-second of this process,
// and the 50th and 99th percentile of a statement's time in microseconds. A floor keeps as many
// statements under way as there are fibers (pipelined), or one on each connection.
#include <libpq-fe.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "database/postgres/pipeline.h"
#include "database/postgres/pool.h"
#include "runtime/hub/hub.h"

namespace grove::postgres {
namespace {

struct Work {
  const char* name;
  const char* sql;
  int rows;
};
constexpr Work kWorks[] = {
    {"select_1", "SELECT 1", 1},
    {"rows_10", "SELECT i, 'row number ' || i FROM generate_series(1, 10) i", 10},
};

struct Plan {
  std::string address;
  int connections = 16;
  int fibers = 1000;
  absl::Duration length = absl::Seconds(2);
};

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// What a run has done since it was made.
class Tally {
 public:
  explicit Tally(absl::Duration length) : end_(absl::Now() + length) { nanos_.reserve(1 << 20); }
  bool over() const { return absl::GetCurrentTimeNanos() >= absl::ToUnixNanos(end_); }
  void Add(int64_t began) { nanos_.push_back(absl::GetCurrentTimeNanos() - began); }
  void Print(const char* way, const Work& work) {
    const double cpu = CpuSeconds() - cpu_;
    const double seconds = absl::ToDoubleSeconds(absl::Now() - began_);
    std::sort(nanos_.begin(), nanos_.end());
    const auto percentile = [&](size_t percent) {
      return nanos_.empty() ? 0 : nanos_[nanos_.size() * percent / 100] / 1000;
    };
    const auto count = static_cast<double>(nanos_.size());
    printf("%-10s %-16s %8.0f/s %8.0f/cpu-s  p50 %6ld us  p99 %6ld us\n", work.name, way,
           count / seconds, count / cpu, static_cast<long>(percentile(50)),
           static_cast<long>(percentile(99)));
    fflush(stdout);
  }

 private:
  const absl::Time began_ = absl::Now();
  const double cpu_ = CpuSeconds();
  const absl::Time end_;
  std::vector<int64_t> nanos_;
};

[[noreturn]] void Die(const char* what, const std::string& why) {
  fprintf(stderr, "%s: %s\n", what, why.c_str());
  exit(1);
}

// libpq and poll(2), and nothing else.
class Floor {
 public:
  Floor(const Plan& plan, const Work& work, bool pipelined)
      : work_(work), pipelined_(pipelined), depth_(pipelined ? plan.fibers / plan.connections : 1) {
    for (int i = 0; i < plan.connections; ++i) {
      PGconn* const conn = PQconnectdb(plan.address.c_str());
      if (PQstatus(conn) != CONNECTION_OK) Die("connect", PQerrorMessage(conn));
      PQclear(PQprepare(conn, "s", work.sql, 0, nullptr));
      PQsetnonblocking(conn, 1);
      if (pipelined) PQenterPipelineMode(conn);
      sessions_.push_back({conn, {}});
      polls_.push_back({.fd = PQsocket(conn), .events = POLLIN, .revents = 0});
    }
  }
  ~Floor() {
    for (Session& session : sessions_) PQfinish(session.conn);
  }

  void Run(const char* way, absl::Duration length) {
    Tally tally(length);
    for (Session& session : sessions_) {
      for (int i = 0; i < depth_; ++i) Send(session);
    }
    bool more = true;
    while (more) {
      poll(polls_.data(), polls_.size(), -1);
      more = !tally.over();
      for (size_t i = 0; i < sessions_.size(); ++i) {
        if (polls_[i].revents != 0) Take(sessions_[i], tally, more);
      }
    }
    tally.Print(way, work_);
  }

 private:
  struct Session {
    PGconn* conn;
    std::deque<int64_t> began;
  };

  void Send(Session& session) {
    session.began.push_back(absl::GetCurrentTimeNanos());
    if (PQsendQueryPrepared(session.conn, "s", 0, nullptr, nullptr, nullptr, 0) == 0 ||
        (pipelined_ && PQpipelineSync(session.conn) == 0)) {
      Die("send", PQerrorMessage(session.conn));
    }
    PQflush(session.conn);
  }

  void Take(Session& session, Tally& tally, bool more) {
    if (PQconsumeInput(session.conn) == 0) Die("read", PQerrorMessage(session.conn));
    while (!session.began.empty() && PQisBusy(session.conn) == 0) {
      PGresult* const result = PQgetResult(session.conn);
      const bool end = pipelined_
                           ? result != nullptr && PQresultStatus(result) == PGRES_PIPELINE_SYNC
                           : result == nullptr;
      if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) != work_.rows) {
        Die("rows", "not as many as asked for");
      }
      PQclear(result);
      if (!end) continue;
      tally.Add(session.began.front());
      session.began.pop_front();
      if (more) Send(session);
    }
  }

  const Work& work_;
  const bool pipelined_;
  const int depth_;
  std::vector<Session> sessions_;
  std::vector<pollfd> polls_;
};

// `ask` on so many fibers until the time is over.
template <typename Ask>
void RunFibers(const char* way, const Plan& plan, const Work& work, int fibers, Ask&& ask) {
  const auto once = [&] {
    absl::StatusOr<Result> answer = ask(work.sql);
    if (!answer.ok()) Die(way, answer.status().ToString());
    if (answer->rows() != work.rows) Die(way, "not as many rows as asked for");
  };
  const auto all = [&](auto&& body) {
    std::vector<FiberHandle> handles;
    handles.reserve(fibers);
    for (int i = 0; i < fibers; ++i) handles.push_back(*Spawn("asks", body));
    for (FiberHandle& handle : handles) handle.Join().IgnoreError();
  };
  all(once);  // connects, and prepares
  Tally tally(plan.length);
  all([&] {
    while (!tally.over()) {
      const int64_t began = absl::GetCurrentTimeNanos();
      once();
      tally.Add(began);
    }
  });
  tally.Print(way, work);
}

int Main(const Plan& plan) {
  const absl::StatusOr<ConnectionOptions> connection = ConnectionOptions::Parse(plan.address);
  if (!connection.ok()) Die("address", connection.status().ToString());
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  for (const Work& work : kWorks) {
    Floor(plan, work, true).Run("libpq pipelined", plan.length);
    hub->Run([&] {
         std::unique_ptr<Pipeline> pipeline =
             *Pipeline::Create({.connection = *connection, .connections = plan.connections});
         RunFibers("grove pipeline", plan, work, plan.fibers,
                   [&](const char* sql) { return pipeline->Query(sql); });
       })
        .IgnoreError();
    Floor(plan, work, false).Run("libpq one each", plan.length);
    hub->Run([&] {
         PoolOptions options;
         options.connection = *connection;
         options.max = plan.connections;
         std::unique_ptr<Pool> pool = *Pool::Create(options);
         RunFibers("grove pool", plan, work, plan.connections,
                   [&](const char* sql) { return pool->Query(sql); });
         RunFibers("grove pool 1000", plan, work, plan.fibers,
                   [&](const char* sql) { return pool->Query(sql); });
       })
        .IgnoreError();
  }
  return 0;
}

}  // namespace
}  // namespace grove::postgres

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: postgres_bench ADDRESS [CONNECTIONS] [FIBERS] [SECONDS]\n");
    return 2;
  }
  grove::postgres::Plan plan{.address = argv[1]};
  if (argc > 2) plan.connections = atoi(argv[2]);
  if (argc > 3) plan.fibers = atoi(argv[3]);
  if (argc > 4) plan.length = absl::Seconds(atoi(argv[4]));
  return grove::postgres::Main(plan);
}
