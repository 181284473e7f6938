#include "server/http/serving/accept_share.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace grove::http {
namespace {

WorkerLoad With(uint64_t open, MonotonicNanos last_turn = 1) {
  return {.accepts = true, .open = open, .last_turn = last_turn};
}

TEST(AcceptShare, AWorkerAloneTakesAll) {
  const AcceptShare share;
  EXPECT_EQ(share.Allowance(1000, {}), AcceptShare::kUnbounded);
  const WorkerLoad draining{.accepts = false, .open = 0, .last_turn = 1};
  EXPECT_EQ(share.Allowance(1000, {{draining}}), AcceptShare::kUnbounded);
}

TEST(AcceptShare, NobodyGetsFarAheadOfTheOneThatHasFewest) {
  const AcceptShare share;
  const WorkerLoad others[] = {With(3), With(0), With(9)};
  EXPECT_EQ(share.Allowance(0, others), 4u);
  EXPECT_EQ(share.Allowance(3, others), 1u);
  EXPECT_EQ(share.Allowance(4, others), 0u);
  EXPECT_EQ(share.Allowance(9, others), 0u);
}

TEST(AcceptShare, FarAheadIsAPartOfMany) {
  const AcceptShare share;
  const WorkerLoad others[] = {With(3200)};
  EXPECT_EQ(share.Allowance(3200, others), 100u);
  EXPECT_EQ(share.Allowance(3300, others), 0u);
}

TEST(AcceptShare, WhoDoesNotUseItsChanceIsLeftOutUntilItTurns) {
  AcceptShare share;
  const WorkerLoad before[] = {With(0, 1), With(5, 1)};
  WorkerLoad after[] = {With(0, 1), With(5, 2)};
  share.NoteChance(before, after);
  EXPECT_EQ(share.Allowance(0, after), 9u) << "the first hangs";
  after[0].last_turn = 3;
  EXPECT_EQ(share.Allowance(0, after), 4u);
}

// Four workers, of which the kernel wakes whichever it likes, often the same.
TEST(AcceptShare, ABurstSpreadsEvenlyWhoeverIsWoken) {
  const AcceptShare share;
  std::vector<WorkerLoad> workers(4, With(0));
  const auto others = [&](size_t self) {
    std::vector<WorkerLoad> rest = workers;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(self));
    return rest;
  };
  uint32_t seed = 1;
  for (int left = 5000; left > 0;) {
    seed = seed * 1103515245 + 12345;
    const size_t woken = std::min<size_t>(seed >> 16 & 7, 3);  // mostly the last
    const uint64_t may = share.Allowance(workers[woken].open, others(woken));
    const uint64_t takes = std::min<uint64_t>(may, static_cast<uint64_t>(left));
    workers[woken].open += takes;
    left -= static_cast<int>(takes);
  }
  for (const WorkerLoad& worker : workers) {
    EXPECT_GT(worker.open, 1250u * 9 / 10);
    EXPECT_LT(worker.open, 1250u * 11 / 10);
  }
}

}  // namespace
}  // namespace grove::http
