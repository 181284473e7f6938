// Asks a database from many fibers over a few connections.
//
// usage: pooled postgresql://user:password@host/database
#include <cstdio>
#include <memory>
#include <string>

#include "database/postgres/pool.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

namespace {

using namespace grove;

absl::Status Main(const std::string& address) {
  absl::StatusOr<postgres::ConnectionOptions> connection =
      postgres::ConnectionOptions::Parse(address);
  if (!connection.ok()) return connection.status();
  absl::StatusOr<std::unique_ptr<postgres::Pool>> pool =
      postgres::Pool::Create({.connection = *connection, .max = 4});
  if (!pool.ok()) return pool.status();
  FiberGroup group(FiberGroup::OnFailure::kCancelRest);
  for (int number = 1; number <= 20; ++number) {
    (void)group.Spawn("asks", [&pool, number]() -> absl::Status {
      Timeout timeout(absl::Seconds(10));  // of the wait for a connection, too
      absl::StatusOr<postgres::Result> square = (*pool)->Query("SELECT $1 * $1", {number});
      if (!square.ok()) return square.status();
      std::printf("%d: %d\n", number, *square->Value<int>());
      return absl::OkStatus();
    });
  }
  return group.Join();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: pooled postgresql://user:password@host/database\n");
    return 2;
  }
  auto hub = grove::Hub::Create({.stack_bytes = 256 * 1024});  // libpq and OpenSSL want more
  const absl::Status status = hub.ok() ? (*hub)->Run([&] { return Main(argv[1]); }) : hub.status();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
