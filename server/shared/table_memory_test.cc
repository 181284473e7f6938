#include "server/shared/table_memory.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"

namespace grove::shared {
namespace {

constexpr TableSize kSmall{.rows = 8, .value_bytes = 4096};
constexpr MonotonicNanos kNow = 1000;

RowEdit PutOf(std::string_view value, MonotonicNanos expires = kNever) {
  return {.kind = RowEdit::Kind::kPut, .value = value, .expires = expires};
}

class TableMemoryTest : public testing::Test {
 protected:
  static TableMemory Made(const TableSize& size) {
    absl::StatusOr<TableMemory> table = TableMemory::Create(size, /*first_token=*/100);
    EXPECT_TRUE(table.ok()) << table.status();
    return *std::move(table);
  }
  absl::Status Put(std::string_view key, std::string_view value, MonotonicNanos expires = kNever,
                   MonotonicNanos now = kNow) {
    return table_.Change(RowKind::kValue, key, now,
                         [&](const RowView*) { return PutOf(value, expires); });
  }
  std::string Get(std::string_view key, MonotonicNanos now = kNow) {
    std::string found = "none";
    const absl::Status status =
        table_.Change(RowKind::kValue, key, now, [&](const RowView* row) -> RowEdit {
          if (row != nullptr) found = std::string(row->value);
          return {};
        });
    return status.ok() ? found : status.ToString();
  }
  absl::Status Erase(std::string_view key) {
    return table_.Change(RowKind::kValue, key, kNow,
                         [](const RowView*) -> RowEdit { return {.kind = RowEdit::Kind::kErase}; });
  }
  absl::Status PutLock(std::string_view name, int64_t holder) {
    const LockState state{.token = table_.NextToken(), .holder = holder};
    return table_.Change(RowKind::kLock, name, kNow,
                         [&](const RowView*) { return PutOf(state.bytes()); });
  }
  // The signal that ends a child which does this.
  static int EndOf(absl::FunctionRef<void()> body) {
    const pid_t child = fork();
    if (child == 0) {
      body();
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

  TableMemory table_ = Made(kSmall);
};

// `size` bytes of which the last ones cannot be read.
class HalfReadable {
 public:
  explicit HalfReadable(size_t size) : size_(size) {
    memory_ = static_cast<char*>(
        mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::fill_n(memory_, kPage, 'x');
    mprotect(memory_ + kPage, kPage, PROT_NONE);
  }
  ~HalfReadable() { munmap(memory_, 2 * kPage); }
  HalfReadable(const HalfReadable&) = delete;
  HalfReadable& operator=(const HalfReadable&) = delete;

  std::string_view text() const { return {memory_ + kPage - size_ / 2, size_}; }

 private:
  static constexpr size_t kPage = 65'536;
  const size_t size_;
  char* memory_;
};

TEST_F(TableMemoryTest, HoldsValuesUnderKeysOfAnyBytes) {
  const std::string odd("a\0b", 3);
  ASSERT_TRUE(Put(odd, "1").ok());
  ASSERT_TRUE(Put("a", "").ok());
  EXPECT_EQ(Get(odd), "1");
  EXPECT_EQ(Get("a"), "");
  EXPECT_EQ(Get("b"), "none");
  ASSERT_TRUE(Put("a", std::string(4096, 'v')).ok());
  EXPECT_EQ(Get("a"), std::string(4096, 'v'));
  EXPECT_EQ(table_.use().rows, 2);
}

TEST_F(TableMemoryTest, RowsAndLocksHaveKeysOfTheirOwn) {
  ASSERT_TRUE(PutLock("a", 7).ok());
  EXPECT_EQ(Get("a"), "none");
  ASSERT_TRUE(Put("a", "1").ok());
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(table_.use().rows, 2);
  EXPECT_EQ(table_.use().locks, 1);
}

TEST_F(TableMemoryTest, EachWriteHasAVersionOfItsOwn) {
  std::vector<uint64_t> seen;
  const auto look = [&] {
    return table_.Change(RowKind::kValue, "k", kNow, [&](const RowView* row) -> RowEdit {
      seen.push_back(row == nullptr ? 0 : row->version);
      return {};
    });
  };
  ASSERT_TRUE(look().ok());
  ASSERT_TRUE(Put("k", "same").ok());
  ASSERT_TRUE(look().ok());
  ASSERT_TRUE(Put("k", "same").ok());
  ASSERT_TRUE(look().ok());
  ASSERT_TRUE(Erase("k").ok());
  ASSERT_TRUE(Put("k", "same").ok());
  ASSERT_TRUE(look().ok());
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

TEST_F(TableMemoryTest, AnErrorOfTheDecisionChangesNothing) {
  ASSERT_TRUE(Put("k", "1").ok());
  const absl::Status said = table_.Change(
      RowKind::kValue, "k", kNow,
      [](const RowView*) -> absl::StatusOr<RowEdit> { return absl::NotFoundError("no"); });
  EXPECT_EQ(said, absl::NotFoundError("no"));
  EXPECT_EQ(Get("k"), "1");
}

TEST_F(TableMemoryTest, ARowIsGoneFromTheMomentItExpires) {
  ASSERT_TRUE(Put("k", "1", kNow + 10).ok());
  EXPECT_EQ(Get("k", kNow + 9), "1");
  EXPECT_EQ(Get("k", kNow + 10), "none");
  EXPECT_EQ(table_.use().rows, 0);  // who asked has given it back
}

TEST_F(TableMemoryTest, ExpiredRowsMakeRoomBeforeAnybodyIsRefused) {
  for (int i = 0; i < kSmall.rows; ++i) {
    ASSERT_TRUE(Put(std::to_string(i), "v", i == 3 ? kNow + 10 : kNever).ok());
  }
  EXPECT_EQ(Put("more", "v"),
            absl::ResourceExhaustedError(
                "the shared table is full: it has 8 rows (shared_table.rows_max)"));
  EXPECT_EQ(table_.use().refusals, 1u);
  EXPECT_TRUE(Put("5", "again").ok());  // those that are there take no further row
  EXPECT_TRUE(Put("more", "v", kNever, kNow + 10).ok());
  EXPECT_EQ(Get("3"), "none");
  EXPECT_EQ(Get("more"), "v");
  EXPECT_EQ(table_.use().rows, kSmall.rows);
  EXPECT_EQ(table_.use().refusals, 1u);
}

TEST_F(TableMemoryTest, AnErasedRowIsFree) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kSmall.rows; ++i) ASSERT_TRUE(Put(std::to_string(i), "v").ok());
    EXPECT_EQ(table_.use().rows, kSmall.rows);
    for (int i = 0; i < kSmall.rows; ++i) ASSERT_TRUE(Erase(std::to_string(i)).ok());
    EXPECT_EQ(table_.use().rows, 0);
  }
}

TEST_F(TableMemoryTest, BoundsAreSaid) {
  EXPECT_EQ(Put("", "v"), absl::InvalidArgumentError("a row's key is empty"));
  EXPECT_EQ(Put(std::string(256, 'k'), "v"),
            absl::InvalidArgumentError("a row's key of 256 bytes: it may have 255"));
  EXPECT_EQ(PutLock("", 1), absl::InvalidArgumentError("a lock's name is empty"));
  EXPECT_EQ(Put("k", std::string(4097, 'v')),
            absl::InvalidArgumentError("a row's value of 4097 bytes: it may have 4096 "
                                       "(shared_table.value_max_bytes)"));
  EXPECT_EQ(Get("k"), "none");
  EXPECT_EQ(table_.use().rows, 0);
  EXPECT_TRUE(Put(std::string(255, 'k'), "v").ok());
}

TEST_F(TableMemoryTest, ManyRowsInFewBucketsAreAllFound) {
  TableMemory table = Made({.rows = 5000, .value_bytes = 64});
  const auto put = [&](int i) {
    const std::string text = std::to_string(i);
    return table.Change(RowKind::kValue, text, kNow, [&](const RowView*) { return PutOf(text); });
  };
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(put(i).ok()) << i;
  EXPECT_TRUE(absl::IsResourceExhausted(put(5000)));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(table
                    .Change(RowKind::kValue, std::to_string(i), kNow,
                            [&](const RowView* row) -> RowEdit {
                              EXPECT_TRUE(row != nullptr && row->value == std::to_string(i)) << i;
                              return {};
                            })
                    .ok());
  }
}

TEST_F(TableMemoryTest, AnotherProcessSeesAndChangesTheSame) {
  ASSERT_TRUE(Put("k", "parent").ok());
  EXPECT_EQ(EndOf([&] { _exit(Get("k") == "parent" && Put("k", "child").ok() ? 0 : 1); }), 0);
  EXPECT_EQ(Get("k"), "child");
}

TEST_F(TableMemoryTest, IsTheSameForWhomItIsHandedOverTo) {
  ASSERT_TRUE(Put("k", "v").ok());
  const uint64_t token = table_.NextToken();
  EXPECT_EQ(token, 100u);
  absl::StatusOr<TableMemory> other = TableMemory::Open(table_.fd());
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->size(), kSmall);
  EXPECT_EQ(other->NextToken(), token + 1);
  EXPECT_EQ(other->use().rows, 1);
  ASSERT_TRUE(
      other->Change(RowKind::kValue, "k", kNow, [](const RowView*) { return PutOf("other"); })
          .ok());
  EXPECT_EQ(Get("k"), "other");
}

TEST_F(TableMemoryTest, WhatIsNoTableOfThisLayoutIsRefused) {
  const int fd = memfd_create("test", MFD_CLOEXEC);
  EXPECT_TRUE(absl::IsFailedPrecondition(TableMemory::Open(fd).status()));
  ASSERT_EQ(ftruncate(fd, 1 << 20), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(TableMemory::Open(fd).status()));
  // A copy, whose second word is another layout's.
  std::vector<char> bytes(static_cast<size_t>(lseek(table_.fd(), 0, SEEK_END)));
  ASSERT_EQ(pread(table_.fd(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  ASSERT_EQ(ftruncate(fd, 0), 0);
  ASSERT_EQ(pwrite(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  EXPECT_TRUE(TableMemory::Open(fd).ok());
  const uint32_t newer = TableMemory::kLayout + 1;
  ASSERT_EQ(pwrite(fd, &newer, sizeof(newer), sizeof(uint32_t)), 4);
  EXPECT_TRUE(absl::IsFailedPrecondition(TableMemory::Open(fd).status()));
  close(fd);
  EXPECT_FALSE(TableMemory::Open(-1).ok());
}

// --- Deaths

TEST_F(TableMemoryTest, ADeathWithABucketHeldHoldsNobodyUp) {
  ASSERT_TRUE(Put("k", "1").ok());
  EXPECT_EQ(EndOf([&] {
              table_
                  .Change(RowKind::kValue, "k", kNow,
                          [](const RowView*) -> RowEdit {
                            raise(SIGKILL);
                            return {};
                          })
                  .IgnoreError();
            }),
            SIGKILL);
  EXPECT_EQ(Get("k"), "1");
  EXPECT_TRUE(Put("k", "2").ok());
  EXPECT_EQ(Get("k"), "2");
}

TEST_F(TableMemoryTest, ADeathInTheMiddleOfAValueLeavesTheOldOneWhole) {
  const std::string old(4000, 'o');
  for (const char* before : {"once", "twice"}) {  // with either place in use
    ASSERT_TRUE(Put("k", before).ok());
    ASSERT_TRUE(Put("k", old).ok());
    EXPECT_EQ(EndOf([&] {
                const HalfReadable half(4000);
                signal(SIGSEGV, SIG_DFL);
                Put("k", half.text()).IgnoreError();
              }),
              SIGSEGV);
    EXPECT_EQ(Get("k"), old);
  }
  EXPECT_EQ(table_.use().rows, 1);
}

TEST_F(TableMemoryTest, ADeathInTheMiddleOfANewRowLeavesNone) {
  EXPECT_EQ(EndOf([&] {
              const HalfReadable half(4000);
              signal(SIGSEGV, SIG_DFL);
              Put("k", half.text()).IgnoreError();
            }),
            SIGSEGV);
  EXPECT_EQ(table_.use().rows, 1);  // nobody has looked yet
  EXPECT_EQ(table_.ReleaseLocksOf(1), 0);
  EXPECT_EQ(table_.use().rows, 0);
  EXPECT_EQ(Get("k"), "none");
}

TEST_F(TableMemoryTest, OfAProcessThatHasDiedTheLocksAloneAreReleased) {
  ASSERT_TRUE(PutLock("its", 7).ok());
  ASSERT_TRUE(PutLock("its other", 7).ok());
  ASSERT_TRUE(PutLock("another's", 8).ok());
  ASSERT_TRUE(Put("its", "row").ok());
  EXPECT_EQ(table_.ReleaseLocksOf(7), 2);
  EXPECT_EQ(table_.use().locks, 1);
  EXPECT_EQ(Get("its"), "row");
  EXPECT_EQ(table_.ReleaseLocksOf(7), 0);
}

TEST_F(TableMemoryTest, AProcessThatIsStoppedWithABucketHeldIsNotWaitedForLong) {
  const pid_t child = fork();
  if (child == 0) {
    table_
        .Change(RowKind::kValue, "k", kNow,
                [](const RowView*) -> RowEdit {
                  raise(SIGSTOP);
                  return {};
                })
        .IgnoreError();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, WUNTRACED);
  ASSERT_TRUE(WIFSTOPPED(status));
  EXPECT_TRUE(absl::IsUnavailable(Put("k", "1")));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  EXPECT_TRUE(Put("k", "1").ok());
}

// Values say of themselves whether they are whole: one letter, as often as the key has it.
constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz";

size_t LengthOf(int key, char letter) {
  return size_t{100} + static_cast<size_t>(key) * 500 + static_cast<size_t>(letter);
}

void WriteForever(TableMemory& table, std::atomic<uint64_t>& written, uint64_t seed) {
  std::minstd_rand random(static_cast<uint32_t>(seed));
  for (;;) {
    const int key = static_cast<int>(random() % 6);
    const char letter = kLetters[random() % 26];
    const std::string value(LengthOf(key, letter), letter);
    const bool erases = random() % 4 == 0;
    table
        .Change(random() % 8 == 0 ? RowKind::kLock : RowKind::kValue, std::to_string(key), kNow,
                [&](const RowView*) -> RowEdit {
                  if (erases) return {.kind = RowEdit::Kind::kErase};
                  return PutOf(value);
                })
        .IgnoreError();
    written.fetch_add(1);
  }
}

TEST_F(TableMemoryTest, NoKillAtAnyMomentTearsARowOrLosesOne) {
  constexpr int kRounds = 100;
  constexpr int kWriters = 2;
  auto* written = static_cast<std::atomic<uint64_t>*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::minstd_rand random(7);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<pid_t> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.push_back(fork());
      if (writers.back() == 0) WriteForever(table_, written[writer], random());
    }
    // Far enough into it, and at no moment in particular.
    for (int writer = 0; writer < kWriters; ++writer) {
      const uint64_t until = written[writer] + 1 + random() % 50;
      while (written[writer] < until) sched_yield();
      kill(writers[writer], SIGKILL);
    }
    for (const pid_t writer : writers) waitpid(writer, nullptr, 0);
    for (int key = 0; key < 6; ++key) {
      const std::string value = Get(std::to_string(key));
      if (value == "none") continue;
      ASSERT_EQ(value, std::string(LengthOf(key, value[0]), value[0])) << "after round " << round;
    }
  }
  // Every row can be had: none is lost, and no chain is broken.
  table_.ReleaseLocksOf(1);
  for (int key = 0; key < 6; ++key) {
    ASSERT_TRUE(Erase(std::to_string(key)).ok());
    ASSERT_TRUE(
        table_
            .Change(RowKind::kLock, std::to_string(key), kNow,
                    [](const RowView*) -> RowEdit { return {.kind = RowEdit::Kind::kErase}; })
            .ok());
  }
  EXPECT_EQ(table_.use().rows, 0);
  for (int i = 0; i < kSmall.rows; ++i) EXPECT_TRUE(Put(std::to_string(i), "v").ok());
  munmap(written, 4096);
}

}  // namespace
}  // namespace grove::shared
