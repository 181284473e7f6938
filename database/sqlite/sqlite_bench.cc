// Inserts and look-ups: fibers over a Database beside bare SQLite on this thread, in the same run.
//
// usage: sqlite_bench FILE [COUNT]
// Prints operations/s and microseconds of this process's CPU for each. FILE is written over. Bare
// SQLite commits each insert, as Execute() does; fibers that wait share transactions.
#include <sqlite3.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "database/sqlite/database.h"
#include "runtime/hub/hub.h"

namespace grove::sqlite {
namespace {

constexpr const char* kInsert = "INSERT INTO t (text) VALUES (?)";
constexpr const char* kSelect = "SELECT text FROM t WHERE id = ?";

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Measure(const char* what, int count, const std::function<bool()>& run) {
  const absl::Time began = absl::Now();
  const double cpu = CpuSeconds();
  const bool good = run();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  printf("%-24s %9.0f/s %7.2f us CPU%s\n", what, count / seconds,
         (CpuSeconds() - cpu) * 1e6 / count, good ? "" : "  FAILED");
}

bool Bare(sqlite3* database, const char* sql, int count, bool text) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) != SQLITE_OK) return false;
  bool good = true;
  for (int i = 1; i <= count; ++i) {
    if (text) {
      sqlite3_bind_text(statement, 1, "some words", -1, SQLITE_STATIC);
    } else {
      sqlite3_bind_int(statement, 1, i);
    }
    const int stepped = sqlite3_step(statement);
    good = good && (stepped == SQLITE_DONE || stepped == SQLITE_ROW);
    sqlite3_reset(statement);
  }
  sqlite3_finalize(statement);
  return good;
}

bool Fibers(int count, int fibers, const std::function<bool(int)>& call) {
  int next = 0;
  bool good = true;
  std::vector<FiberHandle> handles;
  handles.reserve(fibers);
  for (int i = 0; i < fibers; ++i) {
    handles.push_back(*Spawn("bench", [&] {
      while (next < count) good = call(++next) && good;
    }));
  }
  for (FiberHandle& handle : handles) handle.Join().IgnoreError();
  return good;
}

absl::Status Main(const std::string& path, int count) {
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
  absl::StatusOr<std::unique_ptr<Database>> opened = Database::Open(
      {.path = path, .schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)"});
  if (!opened.ok()) return opened.status();
  Database& database = **opened;
  sqlite3* bare = nullptr;
  sqlite3_open(path.c_str(), &bare);
  sqlite3_exec(bare, "PRAGMA synchronous=NORMAL", nullptr, nullptr, nullptr);
  const auto insert = [&](int) { return database.Execute(kInsert, {"some words"}).ok(); };
  const auto select = [&](int id) { return database.Query(kSelect, {id}).ok(); };
  for (int round = 0; round < 2; ++round) {
    Measure("bare: insert", count, [&] { return Bare(bare, kInsert, count, true); });
    for (const int fibers : {1, 64}) {
      Measure(("insert, fibers: " + std::to_string(fibers)).c_str(), count,
              [&] { return Fibers(count, fibers, insert); });
    }
    Measure("bare: select", count, [&] { return Bare(bare, kSelect, count, false); });
    for (const int fibers : {1, 64}) {
      Measure(("select, fibers: " + std::to_string(fibers)).c_str(), count,
              [&] { return Fibers(count, fibers, select); });
    }
  }
  sqlite3_close(bare);
  database.Close();
  return absl::OkStatus();
}

}  // namespace
}  // namespace grove::sqlite

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: sqlite_bench FILE [COUNT]\n");
    return 2;
  }
  std::unique_ptr<grove::Hub> hub = *grove::Hub::Create({.stack_bytes = 256 * 1024});
  const absl::Status status =
      hub->Run([&] { return grove::sqlite::Main(argv[1], argc > 2 ? atoi(argv[2]) : 20'000); });
  if (!status.ok()) fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
