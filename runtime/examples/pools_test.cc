// What docs/runtime.md shows of pools.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/group/dag_pool.h"
#include "runtime/group/fiber_map.h"
#include "runtime/group/fiber_pile.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/group/resource_pool.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/switch/status_macros.h"

namespace grove {
namespace {

using PoolsExample = HubTest;

absl::StatusOr<std::string> Fetch(const std::string& url) {
  if (absl::Status slept = Sleep(absl::Seconds(1)); !slept.ok()) return slept;
  if (url == "b") return absl::NotFoundError("no b");
  return absl::StrCat("page ", url);
}

struct Connection {
  int id = 0;
  bool broken = false;
  bool Rollback() { return Sleep(absl::Milliseconds(1)).ok(); }
};

TEST_F(PoolsExample, Pools) {
  Run([] {
    // [pool]
    FiberPool pool(10);
    for (int i = 0; i < 1000; ++i) {
      // Parks while ten run. A member of the full pool runs the body itself.
      (void)pool.Spawn({.name = "member"}, [] { (void)Sleep(absl::Seconds(1)); });
    }
    EXPECT_TRUE(pool.WaitAll().ok());
    // [/pool]
  });
}

TEST_F(PoolsExample, PilesAndMaps) {
  Run([] {
    // [imap]
    FiberPool pool(10);
    std::vector<std::string> urls = {"a", "b", "c"};
    std::vector<std::string> pages;
    for (absl::StatusOr<std::string>& page : Imap(pool, urls, Fetch)) {  // in the urls' order
      pages.push_back(page.ok() ? *page : "failed");
    }
    EXPECT_EQ(pages, (std::vector<std::string>{"page a", "failed", "page c"}));
    // [/imap]
    // [pool scope]
    absl::Status failed = FiberPool::Run(10, [&](FiberPool& own) -> absl::Status {
      for (absl::StatusOr<std::string>& page : Imap(own, urls, Fetch)) {
        GROVE_RETURN_IF_ERROR(page);  // what still runs is cancelled, and waited for
      }
      return absl::OkStatus();
    });
    EXPECT_TRUE(absl::IsNotFound(failed));
    // [/pool scope]
    // [pile]
    FiberPile<std::string> pile(pool);
    for (const std::string& url : urls)
      (void)pile.Spawn({.name = "fetch"}, [=] { return Fetch(url); });
    EXPECT_EQ(*pile.Next(), "page a");
    for (absl::StatusOr<std::string>& page : pile) {  // the others
      EXPECT_TRUE(page.ok() ? *page == "page c" : absl::IsNotFound(page.status()));
    }
    EXPECT_TRUE(absl::IsOutOfRange(pile.Next().status()));  // nothing is left
    // [/pile]
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

TEST_F(PoolsExample, Resources) {
  Run([] {
    int made = 0;
    // [resources]
    ResourcePool<Connection> pool({
        .min = 0,
        .max = 4,
        .idle_max = absl::Seconds(10),
        .age_max = absl::Seconds(30),
        .create = [&]() -> absl::StatusOr<Connection> { return Connection{.id = ++made}; },
        .healthy = [](Connection& connection) { return !connection.broken; },
        .clean = [](Connection& connection) { return connection.Rollback(); },
    });
    auto lease = pool.Take();  // parks while four are lent
    if (!lease.ok()) return;
    (*lease)->broken = true;
    lease->PutBack();  // cleans first; a lease that just dies drops what nobody cleaned
    EXPECT_EQ((*pool.Take())->id, 2);
    // [/resources]
  });
}

TEST_F(PoolsExample, Graphs) {
  Run([] {
    // [dag]
    DagPool<std::string> pool;
    (void)pool.Spawn("page", {}, [](const auto&) { return Fetch("a"); });
    (void)pool.Spawn("links", {"page", "base"}, [](const auto& inputs) {
      return absl::StrCat(inputs["base"], "/", inputs["page"]);
    });
    (void)pool.Post("base", "http://example.org");
    EXPECT_EQ(*pool.Wait("links"), "http://example.org/page a");
    EXPECT_TRUE(pool.Close().ok());
    // [/dag]
  });
}

}  // namespace
}  // namespace grove
