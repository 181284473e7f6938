#include "http/client/connection_pool.h"

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"

namespace grove::http {
namespace {

using Lease = ConnectionPool::Lease;

// Connections whose other ends are here.
class Ends {
 public:
  explicit Ends(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<Lease> Take(const std::string& key) {
    return pool_.Take(key, [this]() -> absl::StatusOr<std::unique_ptr<ClientConnection>> {
      if (fails_) return absl::UnavailableError("no");
      int ends[2];
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
      others_.push_back(*Socket::Adopt(ends[1]));
      return std::make_unique<ClientConnection>(std::make_unique<Socket>(*Socket::Adopt(ends[0])),
                                                pool_.buffers());
    });
  }
  void Fail(bool fails) { fails_ = fails; }
  std::vector<Socket>& others() { return others_; }

 private:
  ConnectionPool& pool_;
  std::vector<Socket> others_;
  bool fails_ = false;
};

class ConnectionPoolTest : public HubTest {
 protected:
  void OnHub(const PoolLimits& limits, const std::function<void(ConnectionPool&, Ends&)>& body) {
    Run([&] {
      ConnectionPool pool(limits);
      Ends ends(pool);
      body(pool, ends);
      pool.CloseIdle();
    });
  }
};

TEST_F(ConnectionPoolTest, LendsWhatWasPutBackLast) {
  OnHub({}, [](ConnectionPool& pool, Ends& ends) {
    Lease one = *ends.Take("a");
    Lease two = *ends.Take("a");
    EXPECT_FALSE(one.reused());
    const ClientConnection* const last = &*one;
    two.PutBack();
    one.PutBack();
    EXPECT_EQ(pool.stats().idle, 2);
    Lease again = *ends.Take("a");
    EXPECT_TRUE(again.reused());
    EXPECT_EQ(&*again, last);
    Lease other = *ends.Take("b");
    EXPECT_FALSE(other.reused());
    EXPECT_EQ(pool.stats().open, 3);
  });
}

TEST_F(ConnectionPoolTest, CostsNothingForOriginsThatNobodyUses) {
  OnHub({}, [](ConnectionPool& pool, Ends& ends) {
    for (int i = 0; i < 100; ++i) ends.Take("origin " + std::to_string(i))->Drop();
    EXPECT_EQ(pool.stats().origins, 0);
    ends.Take("a")->PutBack();
    EXPECT_EQ(pool.stats().origins, 1);
    pool.CloseIdle();
    EXPECT_EQ(pool.stats().origins, 0);
    ends.Fail(true);
    EXPECT_FALSE(ends.Take("b").ok());
    EXPECT_EQ(pool.stats().origins, 0);
    EXPECT_EQ(pool.stats().open, 0);
  });
}

TEST_F(ConnectionPoolTest, ClosesWhatIsIdleForTooLongOrTooOld) {
  PoolLimits limits;
  limits.idle_max = absl::Milliseconds(5);
  OnHub(limits, [](ConnectionPool& pool, Ends& ends) {
    ends.Take("a")->PutBack();
    ends.Take("b")->PutBack();
    EXPECT_EQ(pool.stats().idle, 2);
    EXPECT_TRUE(Sleep(absl::Milliseconds(4)).ok());
    EXPECT_EQ(pool.stats().idle, 2);
    EXPECT_TRUE(Sleep(absl::Milliseconds(2)).ok());
    EXPECT_EQ(pool.stats().expired, 2);
    EXPECT_EQ(pool.stats().open, 0);
  });
  limits = {};
  limits.age_max = absl::Milliseconds(2);
  OnHub(limits, [](ConnectionPool& pool, Ends& ends) {
    Lease lease = *ends.Take("a");
    EXPECT_TRUE(Sleep(absl::Milliseconds(3)).ok());
    lease.PutBack();
    EXPECT_EQ(pool.stats().open, 0);
  });
}

TEST_F(ConnectionPoolTest, NoticesHangups) {
  OnHub({}, [](ConnectionPool& pool, Ends& ends) {
    ends.Take("a")->PutBack();
    ends.others()[0].Close();
    while (pool.stats().idle > 0) Yield();
    EXPECT_EQ(pool.stats().hung_up, 1);
    EXPECT_EQ(pool.stats().origins, 0);
  });
}

TEST_F(ConnectionPoolTest, MakesRoomByWhatIsIdleLongest) {
  PoolLimits limits;
  limits.connections_max = 2;
  OnHub(limits, [](ConnectionPool& pool, Ends& ends) {
    ends.Take("a")->PutBack();
    ends.Take("b")->PutBack();
    Lease c = *ends.Take("c");
    EXPECT_EQ(pool.stats().open, 2);
    EXPECT_EQ(pool.stats().evicted, 1);
    Lease b = *ends.Take("b");
    EXPECT_TRUE(b.reused());
  });
}

TEST_F(ConnectionPoolTest, LetsOthersWaitInTurn) {
  PoolLimits limits;
  limits.connections_max = 1;
  OnHub(limits, [](ConnectionPool& pool, Ends& ends) {
    Lease held = *ends.Take("a");
    std::string order;
    std::vector<FiberHandle> fibers;
    for (const std::string key : {"a", "b", "a"}) {
      fibers.push_back(*Spawn("taker", [&, key] {
        absl::StatusOr<Lease> lease = ends.Take(key);
        ASSERT_TRUE(lease.ok()) << lease.status();
        order += key + (lease->reused() ? "+" : "-");
        EXPECT_LE(pool.stats().open, 1);
        Yield();
        lease->PutBack();
      }));
    }
    while (pool.stats().waiting < 3) Yield();
    held.PutBack();
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
    // The first goes on with the connection that is there; the others each need another one.
    EXPECT_EQ(order, "a+b-a-");
    EXPECT_EQ(pool.stats().open, 1);
  });
}

TEST_F(ConnectionPoolTest, LosesNoRoomToThoseWhoGiveUp) {
  PoolLimits limits;
  limits.connections_max = 1;
  OnHub(limits, [](ConnectionPool& pool, Ends& ends) {
    Lease held = *ends.Take("a");
    absl::Status first;
    absl::Status second;
    FiberHandle one = *Spawn("one", [&] { first = ends.Take("b").status(); });
    FiberHandle two = *Spawn("two", [&] { second = ends.Take("b").status(); });
    while (pool.stats().waiting < 2) Yield();
    // Given room, and cancelled before it could run.
    held.Drop();
    one.Cancel();
    EXPECT_TRUE(one.Join().ok());
    EXPECT_TRUE(two.Join().ok());
    EXPECT_TRUE(absl::IsCancelled(first) || first.ok()) << first;
    EXPECT_TRUE(second.ok()) << second;
    EXPECT_EQ(pool.stats().open, 0);
    {
      Timeout timeout(absl::Milliseconds(1));
      Lease again = *ends.Take("a");
      EXPECT_TRUE(absl::IsDeadlineExceeded(ends.Take("a").status()));
    }
    EXPECT_EQ(pool.stats().origins, 0);
  });
}

TEST_F(ConnectionPoolTest, BoundsEachOrigin) {
  PoolLimits limits;
  limits.per_origin_max = 1;
  OnHub(limits, [](ConnectionPool& pool, Ends& ends) {
    Lease held = *ends.Take("a");
    EXPECT_TRUE(ends.Take("b").ok());
    FiberHandle waiting = *Spawn("waits", [&] { EXPECT_TRUE(ends.Take("a")->reused()); });
    while (pool.stats().waiting < 1) Yield();
    held.PutBack();
    EXPECT_TRUE(waiting.Join().ok());
    EXPECT_EQ(pool.stats().made, 2);
  });
}

}  // namespace
}  // namespace grove::http
