// Keeps notes in a file: notes_sqlite FILE [NOTE]...; prints all that are kept.
#include <cstdio>
#include <memory>
#include <string>

#include "database/sqlite/database.h"
#include "runtime/hub/hub.h"

using namespace grove;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::unique_ptr<Hub> hub = *Hub::Create();
  const absl::Status status = hub->Run([&]() -> absl::Status {
    auto notes = sqlite::Database::Open({
        .path = argv[1],
        .schema = "CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    });
    if (!notes.ok()) return notes.status();
    for (int i = 2; i < argc; ++i) {
      auto kept = (*notes)->Execute("INSERT INTO note (text) VALUES (?)", {argv[i]});
      if (!kept.ok()) return kept.status();
    }
    auto rows = (*notes)->Query("SELECT id, text FROM note ORDER BY id");
    if (!rows.ok()) return rows.status();
    for (const sqlite::Row& row : rows->rows) {
      std::printf("%d  %s\n", static_cast<int>(*row[0].Integer()), row[1].Text()->c_str());
    }
    (*notes)->Close();
    return absl::OkStatus();
  });
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
