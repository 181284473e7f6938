// Prints the tables of a database: mariadb_names SOCKET USER DATABASE.
#include <cstdio>
#include <memory>

#include "database/mariadb/client.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

using namespace grove;

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  const absl::Status status = hub->Run([&]() -> absl::Status {
    auto client = mariadb::Client::Create({.server = {.unix_socket = argv[1], .user = argv[2]}});
    if (!client.ok()) return client.status();
    Timeout timeout(absl::Seconds(10));
    absl::StatusOr<mariadb::Rows> tables = (*client)->Query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", {argv[3]});
    if (!tables.ok()) return tables.status();
    for (const mariadb::Row& row : tables->rows) std::printf("%s\n", row[0].Text()->c_str());
    (*client)->Close();
    return absl::OkStatus();
  });
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
